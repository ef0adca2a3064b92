"""`next`: what comes, in each job's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from leanix_backup.cli.common import AsJson, ConfigFile, configure_log, load_config, parse_time, print_json, table
from leanix_backup.config import Job, Purpose
from leanix_backup.cron import dst_note

_MOST = 1000


def next_runs(
    context: typer.Context,
    count: Annotated[int, typer.Option("-n", min=1, max=_MOST, help="How many runs of each job.")] = 5,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="TIME", help="From then on, as 2027-03-27 or 2027-03-27T12:00Z; UTC."),
    ] = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show the coming runs of every job that is not paused, with a note where daylight saving moves one."""
    config = load_config(context, config_file, Purpose.CHECK)
    configure_log(config)
    start = parse_time(after) if after else datetime.now(UTC)
    jobs = [(job, _coming(job, start, count)) for job in config.jobs.values() if job.enabled]
    if as_json:
        print_json(
            {
                "jobs": [
                    {
                        "job": job.name,
                        "runs": [run.astimezone(job.zone).isoformat() for run, _ in runs],
                        "notes": [note for _, note in runs if note],
                    }
                    for job, runs in jobs
                ]
            }
        )
        return
    rows = [
        (job.name, run.astimezone(job.zone).strftime("%a %Y-%m-%d %H:%M:%S %Z"), job.zone.key, note or "")
        for job, runs in jobs
        for run, note in runs
    ]
    table(("job", "next run", "zone", "note"), rows)
    for name in (job.name for job in config.jobs.values() if not job.enabled):
        typer.echo(f"{name} is paused (enabled: false)")


def _coming(job: Job, start: datetime, count: int) -> list[tuple[datetime, str | None]]:
    coming: list[tuple[datetime, str | None]] = []
    instant = start
    for _ in range(count):
        instant = job.schedule.next_after(instant)
        coming.append((instant, dst_note(job.schedule, instant)))
    return coming
