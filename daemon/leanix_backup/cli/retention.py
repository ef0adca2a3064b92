"""`retention`: what a policy keeps, before it is trusted with backups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import groupby
from typing import Annotated

import typer

from leanix_backup.cli.common import (
    AsJson,
    ConfigFile,
    configure_log,
    load_config,
    parse_time,
    print_json,
    require_known,
    say,
    table,
)
from leanix_backup.clock import format_utc
from leanix_backup.config import Config, Job, Purpose, S3Destination
from leanix_backup.cron import Schedule
from leanix_backup.errors import UsageError
from leanix_backup.model import ExportType
from leanix_backup.retention import Kept, Simulation, simulate

_MOST_RUNS = 200_000
_MOST_LINES = 60
_DAY = timedelta(days=1)

app = typer.Typer(help="See what a retention policy would keep.", no_args_is_help=True)


@app.callback()
def retention() -> None:
    """See what a retention policy would keep."""


@dataclass(frozen=True, slots=True)
class _Place:
    """One export of one workspace at one destination, and the jobs that fill it, which agree on how to keep it."""

    workspace: str
    export: ExportType
    destination: str
    jobs: list[Job] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.workspace}/{self.export.slug} at {self.destination}"


@app.command("simulate")
def simulate_retention(
    context: typer.Context,
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="Until then, as 2031-12-31 or 2031-12-31T12:00Z; UTC.")
    ],
    jobs: Annotated[list[str] | None, typer.Argument(metavar="JOB", help="Only what these jobs fill.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="From then on, with nothing held; now by default.")
    ] = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show what would be held at a date if every run of the schedule brought a backup. Nothing is read or deleted."""
    config = load_config(context, config_file, Purpose.READ)
    configure_log(config)
    start = parse_time(since) if since else datetime.now(UTC).replace(microsecond=0)
    end = parse_time(until) + (_DAY if _is_day(until) else timedelta())
    if end <= start:
        raise UsageError(f"{until!r} is not after {format_utc(start)}", hint="--from takes an earlier start")
    found = []
    for place in _places(config, jobs or []):
        job = place.jobs[0]
        policy = job.retention.get(place.destination)
        if policy is None:
            raise UsageError(
                f"nothing says what is kept of {place}",
                code="no_retention",
                hint=f"set jobs.{job.name}.retention or defaults.retention",
            )
        destination = config.destinations.get(place.destination)
        lock = destination.object_lock if isinstance(destination, S3Destination) else None
        simulation = simulate(
            policy,
            list(_runs(place, start, end)),  # all of them first: too many are refused before any work
            zone=job.zone,
            unbroken=place.export is ExportType.AUDIT_LOG,
            lock=lock.retain if lock else None,
        )
        found.append((place, simulation))
    if as_json:
        print_json({"from": start, "until": end, "plans": [_plain(place, made) for place, made in found]})
        return
    for place, made in found:
        _show(place, made, until)


def _places(config: Config, names: list[str]) -> list[_Place]:
    """Find what the named jobs fill, or all that are not paused, each with every job that fills it."""
    for name in names:
        require_known("job", name, config.jobs)
    chosen = [job for job in config.jobs.values() if (job.name in names if names else job.enabled)]
    if not chosen:
        raise UsageError(
            "there is no job to simulate", code="no_job", hint="add one under `jobs`, or name a paused one"
        )
    found: dict[tuple[str, ExportType, str], _Place] = {}
    for job in chosen:
        for destination in job.destinations:
            found.setdefault((job.workspace, job.export, destination), _Place(job.workspace, job.export, destination))
    for key, place in found.items():
        filling = [job for job in config.jobs.values() if (job.workspace, job.export) == key[:2]]
        place.jobs.extend(job for job in filling if key[2] in job.destinations and (job.enabled or job in chosen))
    return list(found.values())


def _runs(place: _Place, start: datetime, end: datetime) -> Iterator[datetime]:
    """List the runs of all jobs that fill a place, in their order, each time once."""
    both = merge(*(_due(job.schedule, start, end) for job in place.jobs))
    for count, (run, _) in enumerate(groupby(both)):
        if count == _MOST_RUNS:
            raise UsageError(
                f"{place}: there are more than {_MOST_RUNS:,} runs until then", hint="take an earlier --until"
            )
        yield run


def _due(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    due = schedule.next_after(start - timedelta(microseconds=1))
    while due < end:
        yield due
        due = schedule.next_after(due)


def _is_day(text: str) -> bool:
    """Tell whether a date was given without a time: then the whole of that day is meant."""
    return "T" not in text and ":" not in text


def _plain(place: _Place, made: Simulation) -> dict[str, object]:
    keep = [{"taken_at": each.candidate.taken_at, "reasons": list(each.reasons)} for each in made.keep]
    return {
        "workspace": place.workspace,
        "export": place.export,
        "destination": place.destination,
        "jobs": [job.name for job in place.jobs],
        "runs": made.runs,
        "kept": len(made.keep),
        "keep": keep,
    }


def _show(place: _Place, made: Simulation, until: str) -> None:
    zone = place.jobs[0].zone
    jobs = ", ".join(job.name for job in place.jobs)
    say(f"{place} ({jobs}): {len(made.keep):,} of {made.runs:,} backups would be held at {until}")
    counts = Counter(_kind(reason) for each in made.keep for reason in each.reasons)
    if counts:
        say("  " + ", ".join(f"{kind}: {count:,}" for kind, count in counts.items()))
        rows = [
            (f"{each.candidate.taken_at.astimezone(zone):%a %Y-%m-%d %H:%M %Z}", ", ".join(each.reasons))
            for each in _ends(made.keep)
        ]
        table(("taken at", "kept as"), rows, whole=("taken at",))
    if len(made.keep) > _MOST_LINES:
        say(f"  … and {len(made.keep) - _MOST_LINES:,} between the oldest and the newest: --json lists them all")
    typer.echo()


def _ends(keep: tuple[Kept, ...]) -> tuple[Kept, ...]:
    half = _MOST_LINES // 2
    return keep if len(keep) <= _MOST_LINES else (*keep[:half], *keep[-half:])


def _kind(reason: str) -> str:
    """Shorten a reason to the rule that it comes from: `daily 2026-11-22` is `daily`."""
    word, _, rest = reason.partition(" ")
    return reason if word in {"keep_min", "no", "within", "younger"} else f"{word} {rest}" if word == "oldest" else word
