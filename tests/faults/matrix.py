"""`make fault-matrix`: every fault of the wire and of the disk; each ends in a right backup, or with its reason."""

# ruff: noqa: T201 -- it prints a table

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import place
from tests.faults.disk_faults import DiskFault, disk_faults
from tests.faults.disk_run import build_slow_disk, run_disk_fault
from tests.faults.fault import Fault, Verdict
from tests.faults.fault_run import run_fault
from tests.faults.wire_faults import wire_faults
from tests.support import skipped_time

_AT_ONCE = 2
_MOST_SHOWN = 600


def try_faults(faults: Sequence[Fault | DiskFault], shim: Path, *, at_once: int = _AT_ONCE) -> Iterator[Verdict]:
    """Run faults side by side, each in a folder of its own, and give the verdicts in their order."""

    def one(fault: Fault | DiskFault) -> Verdict:
        with tempfile.TemporaryDirectory(prefix="fault-") as folder:
            if isinstance(fault, Fault):
                return run_fault(fault, Path(folder))
            return run_disk_fault(fault, Path(folder), shim)

    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(one, faults)


def line(verdict: Verdict) -> str:
    """Write a verdict as a line of the table."""
    asked = " ".join(f"{endpoint} {times}" for endpoint, times in sorted(verdict.requests.items()))
    came_to = f"{verdict.outcome} {verdict.code}".strip()
    return (
        f"  {verdict.name:58}  {came_to:34}  {verdict.attempts:>3}  {verdict.exports:>3}  {verdict.keys:>3}"
        f"  {verdict.took_s:>8.0f}  {len(verdict.wrong):>5}  {asked}"
    )


def main(arguments: list[str]) -> int:
    """Run the matrix and print it; 1 where a rule was broken."""
    parser = argparse.ArgumentParser(prog="make fault-matrix", description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try every N-th fault only")
    parser.add_argument("--group", action="append", help="only those of a group")
    parser.add_argument("--name", help="only those with that in their names")
    parser.add_argument("--at-once", type=int, default=_AT_ONCE, help="how many at a time")
    options = parser.parse_args(arguments)
    if (reason := skipped_time.why_not() or place.why_not()) is not None:
        print(f"the matrix can't be run: {reason}", file=sys.stderr)
        return 2
    everything: list[Fault | DiskFault] = [*wire_faults(), *disk_faults()]
    faults = [
        fault
        for fault in everything
        if fault.group in (options.group or [fault.group]) and (options.name or "") in fault.name
    ][:: options.every]
    print(f"  {'fault':58}  {'came to':34}  att  exp  key  took (s)  wrong  requests")
    group, broken = "", 0
    with tempfile.TemporaryDirectory(prefix="slow-disk-") as folder:
        for verdict in try_faults(faults, build_slow_disk(Path(folder)), at_once=options.at_once):
            if verdict.group != group:
                group = verdict.group
                print(group)
            print(line(verdict), flush=True)
            for wrong in verdict.wrong:
                print(f"      {' '.join(wrong.split())[:_MOST_SHOWN]}", flush=True)
            broken += bool(verdict.wrong)
    print(f"\nfaults {len(faults)}, violations {broken}")
    return int(bool(broken) or not faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
