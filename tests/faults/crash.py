"""`make crash-matrix`: SIGKILL at every step that makes something durable, and during every HTTP exchange.

Steps are counted process-wide by a shim (`kill_at.c`): every fsync, rename, link and unlink of the process on its own
folders, SQLite's included, so that each step of the ledger is several points. At each of them a process dies before
the call, and another one after it; in each exchange, one at each of four moments. For some of these points the next
start is an hour late, when what was begun has gone from LeanIX; and of some pairs of points, the next start dies at the
second. What must hold afterwards is told in `case`.
"""

# ruff: noqa: T201 -- it prints a table

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from leanix_backup.model import ExportType
from tests.faults import shim
from tests.faults.case import Point, Verdict, count_steps, try_point
from tests.faults.relay import MOMENTS, Aim

_AT_ONCE = 3
_LATE_EVERY = 4  # where the next start is an hour late, only some points are tried; a ledger's step has five calls
_PAIRS = 40  # of deaths one after the other, at random


def points_of(export: ExportType, library: Path) -> list[Point]:
    """List every point of an export's run, in their order."""
    steps, exchanges = count_steps(export, library)
    points = [Point(export, step=step.number, when=when) for step in steps for when in ("before", "after")]
    points += [Point(export, step=step.number, late=True) for step in steps[::_LATE_EVERY]]
    aims = [
        Aim(what, number, moment)
        for what, times in Counter(exchanges).items()
        for number in range(1, times + 1)
        for moment in MOMENTS
    ]
    points += [Point(export, aim=aim) for aim in aims]
    points += [Point(export, aim=aim, late=True) for aim in aims[::_LATE_EVERY]]
    chance = random.Random(export.value)
    pairs = ((chance.randint(1, len(steps)), chance.randint(1, len(steps) // 2)) for _ in range(_PAIRS))
    return points + [Point(export, step=first, then=second) for first, second in pairs]


def thinned(points: list[Point], every: int, offset: int = 0) -> list[Point]:
    """Take every N-th point, beginning with that many left out."""
    return points[offset % every :: every]


def try_points(points: list[Point], library: Path, *, at_once: int = _AT_ONCE) -> Iterator[Verdict]:
    """Try points side by side, and give the verdicts in the points' order."""
    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(lambda point: try_point(point, library), points)


def table(verdicts: list[Verdict]) -> str:
    """Write the verdicts as a table, with the totals below it."""
    exports = [export for export in ExportType if any(verdict.point.export is export for verdict in verdicts)]
    points = Counter((verdict.kind, verdict.point.export) for verdict in verdicts)
    broken = Counter(verdict.kind for verdict in verdicts if verdict.wrong)
    width = max(len(verdict.kind) for verdict in verdicts)
    lines = [f"{'killed at':{width}}" + "".join(f"  {export.value:>9}" for export in exports) + "  violations"]
    for kind in sorted({verdict.kind for verdict in verdicts}):
        counts = "".join(f"  {points[kind, export]:>9}" for export in exports)
        lines.append(f"{kind:{width}}{counts}  {broken[kind]:>10}")
    missed = sum(not verdict.reached for verdict in verdicts)
    lines.append(f"\npoints {len(verdicts) - missed}, not reached {missed}, violations {sum(broken.values())}")
    return "\n".join(lines)


def explain(verdict: Verdict) -> str:
    """Say what was wrong at a point, and which it was."""
    point = verdict.point
    aim = point.aim
    where = f"{aim.what} no. {aim.number}, {aim.moment}" if aim else f"{point.when} step {point.step}"
    more = ", an hour late" if point.late else f", then before step {point.then}" if point.then else ""
    return f"{point.export.value} {where}{more} ({verdict.kind}): " + "\n  ".join(verdict.wrong)


def main(arguments: list[str]) -> int:
    """Run the matrix and print it; 1 where a rule was broken, or nothing was killed at all."""
    parser = argparse.ArgumentParser(prog="make crash-matrix", description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try every N-th point only")
    parser.add_argument("--export", type=ExportType, choices=list(ExportType), action="append", help="all by default")
    parser.add_argument("--step", type=int, help="only this step")
    parser.add_argument("--late", action="store_true", help="only those with a late start")
    parser.add_argument("--pairs", action="store_true", help="only those of two deaths")
    parser.add_argument("--http", action="store_true", help="only those in an exchange")
    options = parser.parse_args(arguments)
    if (reason := shim.why_not()) is not None:
        print(f"the matrix can't be run: {reason}", file=sys.stderr)
        return 2
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="crash-shim-") as folder:
        library = shim.build(Path(folder))
        for export in options.export or list(ExportType):
            points = thinned(points_of(export, library), options.every)
            if options.step is not None:
                points = [point for point in points if point.step == options.step]
            if options.late:
                points = [point for point in points if point.late]
            if options.pairs:
                points = [point for point in points if point.then is not None]
            if options.http:
                points = [point for point in points if point.aim is not None]
            for verdict in try_points(points, library):
                verdicts.append(verdict)
                if verdict.wrong:
                    print(explain(verdict), file=sys.stderr)
            print(f"{export.value}: {len(points)} points done", file=sys.stderr)
    print(table(verdicts))
    reached = any(verdict.reached for verdict in verdicts)
    return int(not reached or any(verdict.wrong for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
