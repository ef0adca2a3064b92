"""`python -m tests.faults.month`: a month in which the service is killed, stopped and offline for hours and days.

The real command runs (`leanix-backup serve`) and is ended by real signals; its time skips over its waits. The world
changes all the while. What befalls it is drawn from a seed (`month_plan`), which runs there must be is worked out from
that (`month_verdict`), and from the backups alone: the changelogs, replayed onto the first snapshot, give the last one,
and cover one stretch without a hole.
"""

# ruff: noqa: T201 -- it prints a table

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from leanix_backup.simulator import SimulatedLeanixThread, SimulatorSettings, Switches, simulated_leanix_thread
from tests.faults import look
from tests.faults.month_backups import Held, hold, wrong_with_changelog
from tests.faults.month_life import Life, Service, instant
from tests.faults.month_plan import JOBS, Offline, Plan, draw
from tests.faults.month_verdict import Answer, Tally, read_runs, tally
from tests.support import installed, skipped_time
from tests.support.skipped_time import SkippedTime

_START = datetime(2027, 3, 10, tzinfo=UTC)  # so that the night without 02:30 in Berlin lies in it
_MONTH_DAYS = 30
_MEMORY = Path("/dev/shm")


@dataclass(slots=True)
class Month:
    """A month that is over, and what is wrong with it."""

    plan: Plan
    dates: bool
    lives: list[Life]
    offlines: list[Offline] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    held: Held | None = None
    wrong: list[str] = field(default_factory=list)
    took_s: float = 0.0


def live(plan: Plan, *, dates: bool) -> Month:
    """Live through a month and hold what is left of it against the rules."""
    since = time.monotonic()
    settings = SimulatorSettings(seed=plan.seed, fact_sheets=40, changes_per_hour=3, history=timedelta(days=5))
    switches = Switches(
        row_delay_s=5.0,
        duration_s=60.0,
        duration_jitter_s=300.0,
        audit_dates="date_only" if dates else "both",
        audit_end_inclusive=plan.seed % 2 == 0,  # nobody knows which it is
    )
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with (
        SkippedTime(plan.start) as skipped,
        simulated_leanix_thread(settings, switches, timing=skipped.timing) as leanix,
        tempfile.TemporaryDirectory(prefix="month-", dir=memory) as name,
    ):
        folder = Path(name)
        env = _environment(folder, leanix.url, plan)
        service = Service(skipped, env)
        month = Month(plan, dates, service.lives)
        _go_through(plan, service, leanix, month)
        _judge(month, folder, env | skipped.env())
    month.took_s = time.monotonic() - since
    return month


def _environment(folder: Path, url: str, plan: Plan) -> dict[str, str]:
    days = f"{plan.max_window.days}d"
    said = {f"JOBS__{job.export}__SCHEDULE": job.schedule for job in JOBS}
    said |= {f"JOBS__{job.export}__TIMEZONE": job.zone.key for job in JOBS}
    said |= {
        "JOBS__AUDIT_LOG__AUDIT_LOG": f'{{"overlap": "1h", "initial_lookback": "2d", "max_window": "{days}"}}',
        "DEFAULTS__ATTEMPTS": "3",
        "DEFAULTS__POLL": '{"first": "5s", "factor": 1.4}',
        "LOG__FORMAT": "json",
    }
    return installed.environment(folder, url, exports=",".join(job.export for job in JOBS), **said)


def _go_through(plan: Plan, service: Service, leanix: SimulatedLeanixThread, month: Month) -> None:
    """Do what the plan says, when it says it."""
    acts: list[tuple[datetime, Callable[[], None]]] = []

    def offline() -> None:
        leanix.go_offline()
        month.offlines.append(Offline(service.now, plan.end))

    def online() -> None:
        leanix.go_online()
        month.offlines[-1] = Offline(month.offlines[-1].at, service.now)

    def skew(by: timedelta) -> None:
        service.pass_until_idle()  # a clock that jumps while an export is asked for may hide it: that is not this month
        leanix.clock.skew = by

    for down in plan.downs:
        acts.append((down.at, lambda number=down.signal: service.end(number)))  # type: ignore[misc] # mypy knows no defaults of lambdas
        acts.append((down.until, service.start))
    for each in plan.offlines:
        acts += [(each.at, offline), (each.until, online)]
    for off in plan.skews:
        acts += [(off.at, lambda by=off.by: skew(by)), (off.until, lambda: skew(timedelta()))]  # type: ignore[misc] # as above
    try:
        service.start()
        for at, act in sorted(acts, key=lambda each: each[0]):
            service.pass_until(at)
            act()
        service.pass_until(plan.end)
        service.pass_until_idle()
    finally:
        service.end(signal.SIGTERM)


def _judge(month: Month, folder: Path, env: dict[str, str]) -> None:
    month.wrong += [
        f"the service ended with {life.status} after {life.signal}"
        for life in month.lives
        if life.status not in ({0} if life.signal is signal.SIGTERM else {-signal.SIGKILL, 0})
    ]
    month.wrong += [f"{name} is in the spool" for name in look.spool(folder / "state")]
    ledger = look.runs(folder / "state")
    month.wrong += [f"{run} never ended" for run in ledger if run.outcome is None]
    runs = read_runs(
        month.lives, {run.run_id: Answer(instant(run.scheduled_at), run.trigger) for run in ledger if run.outcome}
    )
    month.held = held = hold(folder / "backups")
    for job in JOBS:
        backups = [
            Answer(backup.scheduled_at, backup.trigger) for backup in held.backups if backup.export == job.export
        ]
        of_job = [run for run in runs.values() if run.job == job.export.lower()]
        month.tallies.append(tally(job, month.lives, of_job, month.offlines, backups))
    month.wrong += [text for each in month.tallies for text in each.wrong]
    reported = installed.run("coverage", "--json", env=env).report
    month.wrong += wrong_with_changelog(held, reported, month.plan, dates=month.dates)


def table(month: Month) -> str:
    """Write what happened, and what became of it."""
    plan, held = month.plan, month.held
    ends = Counter((down.kind.value, down.signal.name) for down in plan.downs)
    lines = [f"seed {plan.seed}, {'dates only' if month.dates else 'date-times'}, {month.took_s:.0f} s for"]
    lines[0] += f" {(plan.end - plan.start).total_seconds() / 86400:.1f} days"
    for (kind, name), count in sorted(ends.items()):
        lines.append(f"  {count:3} x {kind}, {name}")
    lines.append(f"  {sum(life.in_run for life in month.lives):3} of these in a run")
    lines.append(f"  {len(month.offlines):3} x LeanIX offline for {_hours(month.offlines)} in all")
    lines.append(f"  {len(plan.skews):3} x its clock off by minutes")
    columns = ("due", "regular", "caught_up", "missed", "overlapped", "resumed", "failed")
    lines.append(f"{'job':10}" + "".join(f"{name.replace('_', ' '):>12}" for name in columns))
    lines += [f"{each.job:10}" + "".join(f"{getattr(each, name):>12}" for name in columns) for each in month.tallies]
    if held is not None:
        lines.append(f"backups {len(held.backups)}, changes replayed {held.replayed}, windows {len(held.windows)},")
        lines[-1] += f" stretches {len(held.stretches)}"
    lines.append(f"violations: {len(month.wrong)}")
    return "\n".join(lines + [f"  {text}" for text in month.wrong])


def _hours(offlines: list[Offline]) -> str:
    total = sum((each.until - each.at for each in offlines), timedelta())
    return f"{total.total_seconds() / 3600:.0f} h"


def main(arguments: list[str]) -> int:
    """Live through a month with date-times or with dates, or both, and print what came of it; 1 where rules broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.month", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=_MONTH_DAYS)
    parser.add_argument("--log", type=Path, metavar="FILE", help="write there what the service has written")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dates", action="store_true", help="only with a server that takes dates only")
    mode.add_argument("--times", action="store_true", help="only with one that takes date-times")
    options = parser.parse_args(arguments)
    if (reason := skipped_time.why_not()) is not None:
        print(f"the month can't be simulated: {reason}", file=sys.stderr)
        return 2
    wrong = 0
    for dates in [True] if options.dates else [False] if options.times else [False, True]:
        days = options.days
        plan = draw(options.seed, start=_START, days=days, max_window=timedelta(days=3 if days >= _MONTH_DAYS else 1))
        month = live(plan, dates=dates)
        print(table(month), flush=True)
        if options.log is not None:
            with options.log.open("a") as file:
                file.writelines(json.dumps(line) + "\n" for life in month.lives for line in life.lines)
        wrong += len(month.wrong)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
