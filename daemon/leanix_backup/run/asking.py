"""Ask for an export, or find the one that was asked for before: no export that can still be used is started again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from leanix_backup import coverage
from leanix_backup.errors import LeanixError
from leanix_backup.events import Event
from leanix_backup.leanix import EXPORT_REFUSED, RATE_LIMITED, REQUEST_REFUSED, ExportRow, Started
from leanix_backup.ledger import Entry
from leanix_backup.model import Stage, Stretch, Trigger, Window
from leanix_backup.run.order import Order, Surroundings
from leanix_backup.run.trail import Trail
from leanix_backup.sources.full_export import FullExport
from leanix_backup.sources.ownership import EXPORT_NOT_FOUND, Intent

# Nobody knows how LeanIX refuses a second export, or whether it confirms it and goes on with the first.
_MAY_BE_BUSY = {EXPORT_REFUSED, RATE_LIMITED, REQUEST_REFUSED}
_CONFIRMED_WITHOUT_A_ROW = {EXPORT_NOT_FOUND}

_MAY_APPEAR = timedelta(hours=2)


class Asking:
    """One attempt's way to a row of the list that is ours.

    Args:
        export: The attempt at the export.
        order: What the run is to do.
        around: What it works with.
        trail: Where it is noted how far it is.
        room: Raises where the spool has no room; called before anything is asked for.
    """

    def __init__(
        self, export: FullExport, order: Order, around: Surroundings, trail: Trail, *, room: Callable[[], None]
    ) -> None:
        self._export = export
        self._order = order
        self._around = around
        self._trail = trail
        self._room = room

    async def own_row(self) -> ExportRow:
        """Find our row of the list, asking for an export where there is none that was asked for and can be used.

        Raises:
            BackupError: There is none, or nobody can tell which it is; the trail remembers what may still appear.
        """
        entry = self._trail.entry
        if entry.export_id is not None:
            self._trail.show(Stage.EXPORTING)
            return ExportRow(entry.export_id, entry.export.value, "STARTED", entry.export_created_at)
        intent = _intent_of(entry)
        if entry.posting and intent is not None:
            started = Started(entry.job_id, entry.server_time) if entry.job_id else None
            return await self._find(intent, started, resumed=True)
        confirmed = 0
        while True:
            left = await self._left()
            earlier = _intent_of(self._trail.entry)
            if left or earlier is not None:
                patience = 2 * self._order.job.export_timeout
                row = await self._export.look_back(earlier, left, patience=patience)
                if row is not None:
                    return await self._adopt(row, left.get(row.id))
            self._room()
            intent = await self._intend(earlier)
            asked = False
            try:
                started = await self._request(intent)
                asked = True
                return await self._find(intent, started, resumed=False)
            except LeanixError as refusal:
                # What the list is refused with, later on, says nothing of the request.
                if refusal.code not in (_CONFIRMED_WITHOUT_A_ROW if asked else _MAY_BE_BUSY):
                    raise
                confirmed += asked
                if confirmed > 1:  # it confirmed two, and lists neither
                    raise
                row = await self._export.wait_for_room(
                    refusal, left, await_row=refusal.code == EXPORT_REFUSED, confirmed=intent if asked else None
                )
            if row is not None:
                return await self._adopt(row, left.get(row.id))

    async def _left(self) -> Mapping[str, Entry]:
        """Read which exports we started and left, as far as they would serve this run too."""
        job, wanted, overlap = self._order.job, self._trail.entry.window, self._order.job.audit_log.overlap
        left = await self._around.ledger.left_exports(job.workspace, job.export)
        return {
            export_id: entry
            for export_id, entry in left.items()
            if _serves(entry.window, wanted, overlap=overlap, up_to_now=self._order.up_to_now)
        }

    async def _intend(self, earlier: Intent | None) -> Intent:
        """Write down what is in the list, and that a request is about to be sent."""
        intent = replace(earlier, posts=earlier.posts + 1) if earlier is not None else await self._export.prepare()
        await self._trail.note(
            stage=Stage.REQUESTED,
            seen_ids=intent.seen_ids,
            server_time=intent.server_time,
            user_id=intent.user_id,
            posts=intent.posts,
            posting=True,
        )
        return intent

    async def _request(self, intent: Intent) -> Started | None:
        """Send the request; a workspace that refuses date-times is asked again with dates, in the same attempt."""
        window, fell_back = self._trail.entry.window, False
        while True:
            if window is not None:
                window = await self._ask(window, intent)
            try:
                started = await self._export.request(window.asked if window else None)
            except LeanixError as error:  # it surely did not start
                if window is not None and error.code == REQUEST_REFUSED and not self._around.dates_only.known:
                    self._around.dates_only.known = fell_back = True
                    continue
                if fell_back:  # it was not the form that LeanIX did not like
                    self._around.dates_only.known = False
                await self._trail.note(posting=False, posts=intent.posts - 1)
                raise
            break
        if started is None:
            return None
        await self._trail.note(job_id=started.job_id)
        if window is not None and self._order.up_to_now and started.server_time is not None:
            # Nothing that happened after the request, by the earlier of both clocks, can be in it.
            end = max(window.start, min(window.end, started.server_time.replace(microsecond=0)))
            await self._trail.note(window=replace(window, end=end))
        self._around.log.emit(
            Event.EXPORT_REQUESTED,
            attempt=self._trail.entry.attempt,
            job_id=started.job_id,
            server_time=started.server_time,
            clock_offset_s=_offset(started.server_time, self._around.clock.utc_now()),
            asked_start=window.asked.start if window else None,
            asked_end=window.asked.end if window else None,
        )
        return started

    async def _ask(self, window: Window, intent: Intent) -> Window:
        """Write down what is about to be sent; with dates, a window up to now ends with the first request itself."""
        stretch = Stretch(window.start, window.end)
        if not self._around.dates_only.known:
            asked = replace(window, asked=coverage.ask_times(stretch))
        else:
            up_to_now, end = self._order.up_to_now, window.end
            if up_to_now and intent.posts == 1:
                now = self._around.clock.utc_now()
                end = max(window.start, min(now, intent.server_time or now).replace(microsecond=0))
            asked = replace(window, end=end, asked=coverage.ask_dates(stretch, up_to_now=up_to_now))
        await self._trail.note(window=asked)
        return asked

    async def _find(self, intent: Intent, started: Started | None, *, resumed: bool) -> ExportRow:
        self._trail.show(Stage.EXPORTING)
        try:
            row = await self._export.find(intent, started)
        except LeanixError as error:
            # It may have come and gone while no process was there: a finished export lives about ten minutes.
            error.retryable = error.retryable or (resumed and error.code == EXPORT_NOT_FOUND)
            raise
        asked_at = (started and started.server_time) or intent.server_time or self._around.clock.utc_now()
        await self._trail.note(
            stage=Stage.EXPORTING,
            export_id=row.id,
            export_created_at=row.created_at or asked_at,
            window=await self._surely_asked(self._trail.entry.window),
        )
        return row

    async def _surely_asked(self, window: Window | None) -> Window | None:
        """Claim no more than every request asked for whose export this may be.

        One that an earlier run sent and nobody answered may have worked, and its row may appear only now.
        """
        if window is None:
            return None
        job, since = self._order.job, self._around.clock.utc_now() - _MAY_APPEAR
        for other in await self._around.ledger.unanswered(job.workspace, job.export, since=since):
            if other.window is not None and other.run_id != self._order.run_id:
                window = replace(window, end=max(window.start, min(window.end, other.window.end)))
        return window

    async def _adopt(self, row: ExportRow, left_by: Entry | None) -> ExportRow:
        """Take up an export that this run, or one before it, asked for and left."""
        entry = self._trail.entry
        by_other = left_by is not None and left_by.run_id != entry.run_id
        asked_at = (left_by or entry).server_time or self._around.clock.utc_now()
        await self._trail.note(
            stage=Stage.EXPORTING,
            trigger=Trigger.ADOPTED if by_other else entry.trigger,
            window=left_by.window if by_other and left_by is not None else entry.window,
            export_id=row.id,
            export_created_at=row.created_at or asked_at,
        )
        self._around.log.emit(
            Event.EXPORT_ADOPTED,
            export_id=row.id,
            status=row.status,
            created_at=row.created_at,
            of_run=left_by.run_id if left_by is not None else entry.run_id,
        )
        return row


def _intent_of(entry: Entry) -> Intent | None:
    """Say what was known before requests that may have worked; None where none was sent."""
    if entry.seen_ids is None or not entry.posts:
        return None
    return Intent(entry.export, entry.seen_ids, entry.server_time, entry.user_id, entry.posts)


def _serves(held: Window | None, wanted: Window | None, *, overlap: timedelta, up_to_now: bool) -> bool:
    """Say whether an export of one stretch of the changelog will do for another, brings something, leaves no hole."""
    if held is None or wanted is None:
        return held is wanted
    return held.start <= wanted.start and wanted.start + overlap < held.end and (up_to_now or held.end >= wanted.end)


def _offset(server_time: datetime | None, now: datetime) -> float | None:
    return None if server_time is None else round((server_time - now).total_seconds(), 1)
