"""`make bench`: what storing one file at S3 costs, with the AWS command line and rclone beside it in the same run.

All three put the same file into the same bucket of a real S3 server on this machine, one after the other, again and
again in changing order. Each is a process of its own, whose start counts. Ours proves on the way that what is stored is
what was hashed before (SHA-256 of the whole, and of each part for the server); the others do what they do by default.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from tests.benchmarks.measure import Measured, measured
from tests.support.seaweed import ADMIN, SeaweedFS, seaweedfs, secret_of

MIB = 1024 * 1024
MOST_RESIDENT_MIB = 200
_BIN = Path(sys.executable).parent

Put = Callable[[Path, str, str], Measured]


def main(arguments: list[str]) -> int:
    """Run the benchmark and print a table; 1 where ours takes more memory than it may."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", default="10,100,1024", help="sizes of the file in MiB, joined by commas")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    options = parser.parse_args(arguments)
    lines = [
        "| file | ours: s | `aws s3 cp`: s | rclone: s | ours / aws | ours / rclone | peak MiB: ours, aws, rclone |",
        "|---:|---:|---:|---:|---:|---:|---|",
    ]
    worst = 0.0
    with (
        tempfile.TemporaryDirectory(prefix="leanix-backup-bench-", dir=options.folder) as folder,
        seaweedfs() as server,
    ):
        puts = _puts(server, Path(folder))
        for size in [int(text) for text in options.sizes.split(",")]:
            taken = _measure(puts, server, Path(folder), size * MIB, options.rounds)
            ours, aws, rclone = (taken[name] for name in ("ours", "aws", "rclone"))
            worst = max([worst, *(each.peak_rss_mib for each in ours)])
            lines.append(_line(size, ours, aws, rclone))
            print(f"{size} MiB done", file=sys.stderr)
    print("\n".join(lines))
    print(f"\npeak resident memory of ours: {worst:.0f} MiB (at most {MOST_RESIDENT_MIB} MiB)")
    return int(worst > MOST_RESIDENT_MIB)


def missing() -> list[str]:
    """Say which peers are not installed; `make bench` installs them."""
    return [name for name in ("aws", "rclone") if not (_BIN / name).exists()]


def _measure(
    puts: Mapping[str, Put], server: SeaweedFS, folder: Path, size_bytes: int, rounds: int
) -> dict[str, list[Measured]]:
    file = folder / "file.bin"
    sha256 = _write(file, size_bytes)
    taken: dict[str, list[Measured]] = {name: [] for name in puts}
    order = list(puts)
    for number in range(rounds):
        for name in order:
            key = f"{name}-{size_bytes}-{number}"
            taken[name].append(puts[name](file, sha256, key))
            _require_stored(server, key, size_bytes)
        order = order[1:] + order[:1]
    return taken


def _puts(server: SeaweedFS, folder: Path) -> dict[str, Put]:
    """Name the three ways to put a file into the bucket."""
    server.new_bucket(name="bench")
    keys = {"AWS_ACCESS_KEY_ID": ADMIN, "AWS_SECRET_ACCESS_KEY": secret_of(ADMIN), "AWS_DEFAULT_REGION": "us-east-1"}
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | keys
    log = folder / "log"

    def ours(file: Path, sha256: str, key: str) -> Measured:
        said = [str(file), sha256, key, "bench", server.url, ADMIN, secret_of(ADMIN)]
        return measured([sys.executable, "-m", "tests.benchmarks.put_one", *said], env=env, stderr=log)

    def aws(file: Path, _sha256: str, key: str) -> Measured:
        words = ["s3", "cp", "--no-progress", "--endpoint-url", server.url, str(file), f"s3://bench/{key}"]
        return measured([_BIN / "aws", *words], env=env, stderr=log)

    def rclone(file: Path, _sha256: str, key: str) -> Measured:
        remote = f":s3,provider=SeaweedFS,env_auth=true,endpoint='{server.url}':bench/{key}"
        words = ["copyto", "--config", str(folder / "no-such.conf"), str(file), remote]
        return measured([_BIN / "rclone", *words], env=env, stderr=log)

    return {"ours": ours, "aws": aws, "rclone": rclone}


def _write(file: Path, size_bytes: int) -> str:
    """Write bytes that can't be packed, and say their SHA-256."""
    chance, digest, left = random.Random(size_bytes), hashlib.sha256(), size_bytes
    with file.open("wb") as sink:
        while left:
            block = chance.randbytes(min(left, 4 * MIB))
            sink.write(block)
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _require_stored(server: SeaweedFS, key: str, size_bytes: int) -> None:
    client = server.client()
    found = client.head_object(Bucket="bench", Key=key)["ContentLength"]
    if found != size_bytes:
        raise RuntimeError(f"{key} has {found} bytes, not {size_bytes}")
    client.delete_object(Bucket="bench", Key=key)


def _line(size: int, ours: list[Measured], aws: list[Measured], rclone: list[Measured]) -> str:
    seconds = [median(each.seconds for each in taken) for taken in (ours, aws, rclone)]
    peaks = [max(each.peak_rss_mib for each in taken) for taken in (ours, aws, rclone)]
    # Each of ours against the other of the same round: what else the machine did then met both.
    by_aws = median(mine.seconds / peer.seconds for mine, peer in zip(ours, aws, strict=True))
    by_rclone = median(mine.seconds / peer.seconds for mine, peer in zip(ours, rclone, strict=True))
    return (
        f"| {size} MiB | {seconds[0]:.2f} | {seconds[1]:.2f} | {seconds[2]:.2f} | {by_aws:.2f} | {by_rclone:.2f} "
        f"| {peaks[0]:.0f}, {peaks[1]:.0f}, {peaks[2]:.0f} |"
    )


if __name__ == "__main__":
    if shutil.which("rclone", path=str(_BIN)) is None:
        sys.exit("the peers are not installed: make bench does that")
    sys.exit(main(sys.argv[1:]))
