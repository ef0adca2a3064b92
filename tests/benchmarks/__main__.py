"""`make bench`: what a backup costs, with the usual shell script beside it in the same run.

Both fetch the same artifact from the same simulated workspace, which is a process of its own. Memory is what the kernel
says of each process when it ends (peak resident). The script is `curl -o`, `sha256sum`, `unzip -tq`, one after the
other; ours counts from the first byte asked for to the file under its final name, as its log says.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measure import Measured, simulated
from tests.benchmarks.peers import back_up, script

MIB = 1024 * 1024
MOST_RESIDENT_MIB = 150


def main(arguments: list[str]) -> int:
    """Run the benchmark for each size and print a table; 1 where ours takes more memory than it may."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", default="10,100,1024", help="sizes of the artifact in MiB, joined by commas")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    options = parser.parse_args(arguments)
    sizes = [int(text) for text in options.sizes.split(",")]
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="leanix-backup-bench-", dir=options.folder) as folder,
        simulated() as leanix,
    ):
        for size in sizes:
            leanix.set_padding(size * MIB)
            rows.append((size, back_up(leanix, Path(folder)), script(leanix, Path(folder))))
            print(f"{size} MiB done", file=sys.stderr)
    print(table(rows))
    worst = max(ours.peak_rss_mib for _, ours, _ in rows)
    print(f"\npeak resident memory of ours: {worst:.0f} MiB (at most {MOST_RESIDENT_MIB} MiB)")
    return int(worst > MOST_RESIDENT_MIB)


def table(rows: list[tuple[int, Measured, Measured]]) -> str:
    """Write the results as Markdown, for the docs."""
    lines = [
        "| artifact | ours: s | script: s | ratio | ours: peak MiB | script: peak MiB |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {size} MiB | {ours.seconds:.2f} | {peer.seconds:.2f} | {ours.seconds / peer.seconds:.2f} "
        f"| {ours.peak_rss_mib:.0f} | {peer.peak_rss_mib:.0f} |"
        for size, ours, peer in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
