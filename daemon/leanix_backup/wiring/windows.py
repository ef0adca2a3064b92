"""Which stretches of a changelog the next runs ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from leanix_backup import coverage
from leanix_backup.catalog import read_catalog
from leanix_backup.clock import Clock, format_utc
from leanix_backup.config import Job
from leanix_backup.errors import BackupError, StoreError
from leanix_backup.events import Event, Log
from leanix_backup.leanix import LeanixClient
from leanix_backup.model import ExportType, Stretch, Window
from leanix_backup.naming import export_prefix
from leanix_backup.stores import NOT_MADE_YET, Store

_MOST_APART = timedelta(days=1)


async def plan_windows(
    job: Job, stores: Iterable[Store], client: LeanixClient, *, clock: Clock, log: Log
) -> Sequence[Window | None]:
    """Plan the windows of an audit log from what is held; every other export is one run without a window.

    Raises:
        BackupError: Nobody can say what is held, or LeanIX does not answer; `clocks_differ` where one of the clocks
            must be wrong: what it would claim could not be trusted for years.
    """
    if job.export is not ExportType.AUDIT_LOG:
        return (None,)
    known = await read_catalog(stores, prefix=export_prefix(job.workspace, job.export))
    unread = [failed.error for failed in known.errors if failed.error.code != NOT_MADE_YET]
    if unread and not known.backups:
        # Nobody can say what is held: to begin anew would claim that what lies further back was never there.
        raise StoreError(unread[0].message, code=unread[0].code, hint=unread[0].hint)
    held = [Stretch(found.key.start, found.key.taken_at) for found in known.backups if found.key.start]
    now = await _earlier_now(job, client, clock)
    for hole in coverage.cover(held, now=now).holes:
        log.emit(Event.COVERAGE_GAP_FOUND, start=hole.start, end=hole.end)
    settings = job.audit_log
    planned = coverage.plan_windows(
        held,
        now=now,
        overlap=settings.overlap,
        initial_lookback=settings.initial_lookback,
        max_window=settings.max_window,
    )
    return tuple(Window(each.start, each.end, coverage.ask_times(each)) for each in planned)


async def _earlier_now(job: Job, client: LeanixClient, clock: Clock) -> datetime:
    """Say what time it is by the earlier of both clocks: beyond it nothing can have been logged yet."""
    deadline = clock.deadline(job.export_timeout.total_seconds())
    listed = await client.list_exports(job.export, deadline=deadline, stop=lambda _row: True)
    now = clock.utc_now()
    server_time = listed.server_time or now
    if abs(now - server_time) > _MOST_APART:
        raise BackupError(
            f"this machine's clock says {format_utc(now)}, and LeanIX's {format_utc(server_time)}",
            code="clocks_differ",
            hint="a changelog is asked for by time: set this machine's clock, or see what a proxy makes of `Date`",
            retryable=True,
        )
    return min(now, server_time)
