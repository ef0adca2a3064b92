"""`status`: is every job safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import anyio
import typer

from leanix_backup import coverage
from leanix_backup.catalog import Backup, Catalog, read_catalog, read_manifest
from leanix_backup.cli.common import AsJson, ConfigFile, configure_log, load_config, plain, print_json, table
from leanix_backup.cli.looking import tell_errors
from leanix_backup.clock import Clock, format_utc
from leanix_backup.config import Config, Job, Purpose
from leanix_backup.cron import parse_duration
from leanix_backup.destinations import open_stores
from leanix_backup.errors import EXIT_FAILED, BackupError, UsageError
from leanix_backup.freshness import State, judge
from leanix_backup.ledger import FILE_NAME, Entry, Ledger, is_there
from leanix_backup.model import ExportType, Failure, Outcome, Stretch, Trigger
from leanix_backup.stores import Store

_MOST_OPENED = 50


@dataclass(frozen=True, slots=True)
class Standing:
    """How one job stands: what `status --json` says of it."""

    job: str
    state: State
    last_success: datetime | None
    next_run: datetime | None
    last_outcome: Outcome | None
    last_error: Failure | None
    holes: tuple[Stretch, ...] = ()


def status(
    context: typer.Context,
    max_age: Annotated[
        str | None, typer.Option("--max-age", metavar="AGE", help="How old a last success may be, such as 26h.")
    ] = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show how every job stands; exit 1 where one is overdue or a changelog has a hole."""
    age = _age(max_age)
    config = load_config(context, config_file, Purpose.CHECK)
    configure_log(config)
    standings, known = anyio.run(_look, config, age)
    if as_json:
        print_json({"jobs": plain(standings), "errors": plain(known.errors)})
    else:
        _show(standings)
    unread = tell_errors(known, as_json=as_json)
    bad = any(each.state is State.OVERDUE or each.holes for each in standings)
    raise typer.Exit(EXIT_FAILED if bad else unread)


def _age(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError:
        raise UsageError(f"{text!r} is no duration", hint="write 26h, or 7d") from None


async def _look(config: Config, max_age: timedelta | None) -> tuple[list[Standing], Catalog]:
    now = Clock().utc_now()
    stores = open_stores(config, {name for job in config.jobs.values() for name in job.destinations})
    known = await read_catalog(stores.values())
    return [await _stand(config, job, known, stores, now, max_age) for job in config.jobs.values()], known


async def _stand(
    config: Config, job: Job, known: Catalog, stores: dict[str, Store], now: datetime, max_age: timedelta | None
) -> Standing:
    backups = [
        found
        for found in known.of(job.workspace, job.export)
        if any(copy.destination in job.destinations for copy in found.copies)
    ]
    last = await _last_success(job, backups, stores)
    recent, answered = await _recent(config, job)
    outcome = recent.outcome if recent else Outcome.SUCCEEDED if last else None
    state = judge(
        enabled=job.enabled,
        schedule=job.schedule,
        last_success=last,
        known_since=answered,
        last_failed=outcome is Outcome.FAILED,
        now=now,
        grace=job.export_timeout,
        max_age=max_age,
    )
    windows = [Stretch(found.key.start, found.key.taken_at) for found in backups if found.key.start]
    return Standing(
        job=job.name,
        state=state,
        last_success=last,
        next_run=job.schedule.next_after(now) if job.enabled else None,
        last_outcome=outcome,
        last_error=Failure(recent.error_code, "") if recent and recent.error_code else None,
        holes=coverage.cover(windows, now=now).holes if job.export is ExportType.AUDIT_LOG else (),
    )


async def _last_success(job: Job, backups: Sequence[Backup], stores: dict[str, Store]) -> datetime | None:
    """Find the newest backup that this very job made: another may make the same export more often."""
    for found in list(reversed(backups))[:_MOST_OPENED]:
        for copy in found.copies:
            if copy.destination not in stores:
                continue
            try:
                manifest = await read_manifest(stores[copy.destination], found.key)
            except BackupError:  # another copy, or an older backup, tells
                continue
            if manifest.job == job.name:
                return found.key.taken_at
            break
    return None


async def _recent(config: Config, job: Job) -> tuple[Entry | None, datetime | None]:
    """Read from the ledger how the last run went, and since when the job is known; nothing where there is none.

    Raises:
        BackupError: There is one, and it can't be read.
    """
    path = config.state_dir / FILE_NAME
    if not is_there(path):
        return None, None
    async with Ledger(path, read_only=True) as ledger:
        ended = [entry for entry in await ledger.history(job.name) if entry.outcome is not None]
        regular = [entry.scheduled_at for entry in ended if entry.trigger is not Trigger.MANUAL]
        return (ended[0] if ended else None), min(regular, default=await ledger.last_due(job.name))


def _show(standings: list[Standing]) -> None:
    rows = [
        (
            each.job,
            each.state.value.upper() if each.state is State.OVERDUE else each.state.value,
            format_utc(each.last_success) if each.last_success else "never",
            format_utc(each.next_run) if each.next_run else "-",
            each.last_outcome.value if each.last_outcome else "-",
            each.last_error.code if each.last_error else "",
        )
        for each in standings
    ]
    table(("job", "state", "last success", "next run", "last outcome", "error"), rows)
    for each in standings:
        for hole in each.holes:
            typer.echo(f"{each.job}: the changelog has a hole from {format_utc(hole.start)} to {format_utc(hole.end)}")
