"""How many requests `list` and `prune` make of a bucket with many backups: `python -m tests.e2e.many_backups`.

The backups are put there by the test server's own door, as ten thousand signed requests would take minutes; the
commands are the installed one, and what they ask for is counted on the way to the server.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support import installed
from tests.support.backups import Made, made
from tests.support.s3_place import PREFIX, S3Place, line_to
from tests.support.seaweed import SeaweedFS, seaweedfs

_AT_ONCE = 4
_BATCH = 1000  # S3's own limit, of a listing and of a delete
_DATA = b"nobody opens it"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one command asked the server for, by the names of the requests, and how long it took."""

    command: str
    requests: Counter[str]
    seconds: float
    backups: int

    def __str__(self) -> str:
        """Write one line for people."""
        said = ", ".join(f"{count} {name}" for name, count in sorted(self.requests.items()))
        return f"{self.command:<6} {self.backups:>6} backups: {said}; {self.seconds:.1f} s"


def fill(place: S3Place, count: int) -> None:
    """Put backups into the bucket, one an hour, the newest an hour old."""
    newest = datetime.now(UTC).replace(microsecond=0)
    backups = [
        made(f"{number:08x}", taken_at=newest - timedelta(hours=number), data=_DATA) for number in range(1, count + 1)
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda start: _put(place, backups[start::_AT_ONCE]), range(_AT_ONCE)))


def look(place: S3Place, *, keep: int) -> tuple[Asked, Asked]:
    """List what is there, prune all but so many, and count what that took."""
    with line_to(place.server) as line:
        env = place.env(
            DESTINATIONS__OFFSITE__ENDPOINT_URL=line.url,
            DESTINATIONS__DISK__TYPE="",
            DESTINATIONS__DISK__PATH="",
            DEFAULTS__DESTINATIONS="offsite",
            DEFAULTS__RETENTION=f'{{"keep_last": {keep}}}',
        )
        since = time.monotonic()
        listed = installed.run("list", "--json", env=env, timeout=600)
        assert listed.status == 0, listed.err
        asked = Asked("list", Counter(line.seen), time.monotonic() - since, len(listed.report["backups"]))
        line.seen.clear()
        since = time.monotonic()
        pruned = installed.run("prune", "--json", env=env, timeout=600)
        assert pruned.status == 0, pruned.err
        (plan,) = pruned.report["plans"]
        assert len(plan["keep"]) == keep
        gone = len(plan["removed"])
        return asked, Asked("prune", Counter(line.seen), time.monotonic() - since, gone)


def most_requests(listed: Asked, pruned: Asked) -> dict[str, Counter[str]]:
    """Say what the commands may ask for at most: two keys a backup, a thousand keys a request."""
    pages = _batches(2 * listed.backups)
    return {
        "list": Counter({"ListObjectVersions": pages}),
        # A manifest is read before it goes; manifests go before files. Whose they are, the newest one's says.
        "prune": Counter(
            {
                "ListObjectVersions": pages,
                "GetObject": pruned.backups + 1,
                "DeleteObjects": 2 * _batches(pruned.backups),
            }
        ),
    }


def main(arguments: list[str]) -> int:
    """Print the figures; 1 where more was asked for than may be."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.many_backups", description=__doc__)
    parser.add_argument("--backups", type=int, default=10_000, help="how many lie in the bucket")
    parser.add_argument("--keep", type=int, default=100, help="how many `prune` leaves there")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="many-backups-") as folder, seaweedfs() as server:
        return report(server, Path(folder), backups=options.backups, keep=options.keep)


def report(server: SeaweedFS, folder: Path, *, backups: int, keep: int) -> int:
    """Do it in a new bucket of a server, and print; see `main`."""
    place = S3Place(server, server.new_bucket(), folder)
    fill(place, backups)
    listed, pruned = look(place, keep=keep)
    assert (listed.backups, pruned.backups) == (backups, backups - keep)
    print(f"{listed}\n{pruned}")  # noqa: T201 -- figures are to be printed
    most = most_requests(listed, pruned)
    too_many = [asked for asked in (listed, pruned) if asked.requests - most[asked.command]]
    left = len(place.objects()) - 2 * keep
    if left:
        print(f"{left} objects too many are left")  # noqa: T201 -- the same
    return int(bool(too_many) or left != 0)


def _batches(count: int) -> int:
    return -(-count // _BATCH)


def _put(place: S3Place, backups: list[Made]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", place.server.ports["filer.port"])
    for each in backups:
        for key, data in ((each.key.artifact, each.data), (each.key.manifest, each.manifest_bytes)):
            connection.request("PUT", f"/buckets/{place.bucket}/{PREFIX}/{key}", body=data)
            reply = connection.getresponse()
            reply.read()
            assert reply.status == http.client.CREATED, reply.status
    connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
