"""The way of SNAPSHOT, AUDIT_LOG and ARCHIVE: one request, one row in the list, one key, one workbook."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from leanix_backup.clock import Clock, Deadline
from leanix_backup.errors import ExportLostError, LeanixError
from leanix_backup.events import Event, Log
from leanix_backup.leanix import ExportRow, LeanixClient, Started
from leanix_backup.model import Asked, ExportType
from leanix_backup.sources.ownership import Intent, find_ours, is_old, not_found, under_way
from leanix_backup.sources.watch import Watch

_COMPLETED = "COMPLETED"
_LOST = {
    "ERROR": ("export_failed", "LeanIX says that the export failed", "look at the workspace's export page"),
    "CANCELED": ("export_canceled", "somebody canceled the export", "ask the workspace's admins"),
    "DELETED": ("export_deleted", "LeanIX deleted the export before it was downloaded", "was this service stopped?"),
    "DOWNLOADED": (
        "export_downloaded_elsewhere",
        "somebody else downloaded the export",
        "another tool takes exports that are not its own; give each tool a technical user of its own",
    ),
}
_GONE_AFTER_LOOKS = 3
_ASK_AGAIN_S = 600.0


@dataclass(frozen=True, slots=True)
class Ready:
    """An export that can be downloaded; the key in `row` is not spent yet."""

    row: ExportRow
    key: str


class FullExport:
    """One attempt at an export, step by step: `prepare`, `request`, `find`, `wait`; then `spool` fetches it.

    Args:
        client: The workspace.
        export: What to export.
        user_id: Who we are in the list; the token's own user where None.
        row_wait_s: Seconds in which our row must appear.
        watch: The attempt's looks at the list.
        clock: Time and chance.
        log: Where events go.
    """

    def __init__(
        self,
        client: LeanixClient,
        export: ExportType,
        *,
        user_id: str | None,
        row_wait_s: float,
        watch: Watch,
        clock: Clock,
        log: Log,
    ) -> None:
        self._client = client
        self._export = export
        self._user_id = user_id
        self._row_wait_s = row_wait_s
        self._watch = watch
        self._clock = clock
        self._log = log

    @property
    def _deadline(self) -> Deadline:
        return self._watch.deadline

    async def prepare(self) -> Intent:
        """Remember what is in the list, and the server's time, before anything is asked for."""
        identity = await self._client.identity(deadline=self._deadline)
        before = await self._client.list_exports(self._export, deadline=self._deadline)
        return Intent(
            export=self._export,
            seen_ids=frozenset(row.id for row in before.rows),
            server_time=before.server_time,
            user_id=self._user_id or identity.user_id,
        )

    async def request(self, asked: Asked | None) -> Started | None:
        """Ask for the export; None where nobody knows whether that worked: then only the list can tell.

        Raises:
            LeanixError: It surely did not start.
        """
        try:
            return await self._client.start_export(self._export, asked=asked, deadline=self._deadline)
        except LeanixError as error:
            if not error.outcome_unknown:
                raise
            self._log.emit(
                Event.RETRY_SCHEDULED,
                what="look in the list whether the export was started",
                wait_s=0,
                error_code=error.code,
                error=error.message,
            )
            return None

    async def look_back(self, intent: Intent | None, left: Container[str], *, patience: timedelta) -> ExportRow | None:
        """Look whether there is an export that was asked for earlier and can be used, before another is started.

        Args:
            intent: What was known before earlier requests that may have worked; None where there were none.
            left: The ids of exports that we started and left.
            patience: How old one of those may be.

        Raises:
            LeanixError: `export_ambiguous`.
        """
        listed = await self._client.list_exports(self._export, deadline=self._deadline)
        going = under_way(listed.rows, self._export, server_time=listed.server_time, patience=patience)
        for row in listed.rows:
            ready = row.status == _COMPLETED and row.download_key is not None
            old = _older(row, listed.server_time and listed.server_time - patience)
            if row.id in left and ((ready and not old) or row in going):
                return row
        return find_ours(listed.rows, intent, waited_out=True) if intent is not None else None

    async def wait_for_room(
        self, refusal: LeanixError, left: Container[str], *, await_row: bool, confirmed: Intent | None = None
    ) -> ExportRow | None:
        """Wait until LeanIX may start an export that it refused while another one is under way.

        Args:
            refusal: How LeanIX refused.
            left: The ids of exports that we started and left.
            await_row: Whether the refusal itself says that there is another one, whose row may be late.
            confirmed: What was known before a request that LeanIX did confirm: it may be queued behind the other one,
                so its row is looked for, and nothing more is asked for meanwhile.

        Returns:
            An export that is under way and ours; None once another request may be sent.

        Raises:
            LeanixError: The refusal: nothing is under way that explains it, or it did not end in time.
        """
        patience = self._clock.deadline(min(self._row_wait_s if await_row else 0.0, self._deadline.remaining))
        again = self._clock.deadline(min(_ASK_AGAIN_S, self._deadline.remaining))
        seen = False
        if confirmed is not None:  # it was looked at just now
            await self._watch.pause()
        while True:
            listed = await self._watch.look(stop=lambda _row: False)
            if listed is not None:
                running = under_way(listed.rows, self._export, server_time=listed.server_time)
                if (ours := _ours_among(running, listed.rows, left, confirmed)) is not None:
                    return ours
                if running:
                    self._say_busy(refusal, said=seen)
                    seen = True
                    patience = self._clock.deadline(self._row_wait_s if confirmed is not None else 0.0)
                elif patience.passed:
                    if seen:
                        return None
                    refusal.retryable = refusal.retryable or await_row
                    raise refusal
            if self._deadline.passed:
                refusal.retryable = False  # it would take as long again
                raise refusal
            if seen and again.passed and confirmed is None:  # what is listed may not be what LeanIX refuses for
                return None
            await self._watch.pause()

    def _say_busy(self, refusal: LeanixError, *, said: bool) -> None:
        if not said:
            self._log.emit(
                Event.RETRY_SCHEDULED,
                what="start the export once the one that is under way has ended",
                error_code=refusal.code,
                error=refusal.message,
            )

    async def find(self, intent: Intent, started: Started | None) -> ExportRow:
        """Find our row; it may take a while to appear.

        Raises:
            LeanixError: `export_ambiguous`; `export_not_found` where LeanIX had confirmed the export; else
                `export_outcome_unknown`, after which asking again starts no second one; `export_timeout`, or why the
                list could not be read.
        """
        until = self._clock.deadline(min(self._row_wait_s, self._deadline.remaining))
        rows: tuple[ExportRow, ...] = ()
        while True:
            waited_out = until.passed
            listed = await self._watch.look(stop=lambda row: is_old(row, intent))
            if listed is not None:
                rows = listed.rows
                if (row := find_ours(rows, intent, waited_out=waited_out)) is not None:
                    return row
            if waited_out and listed is not None:
                break
            await self._watch.pause(at_most=until.remaining or None)
        if started is not None:
            raise not_found(rows, intent)
        raise LeanixError(
            "LeanIX did not answer the request for an export, and none appeared",
            code="export_outcome_unknown",
            hint="nothing, if the next attempt works; else look at LeanIX's status page",
            retryable=True,
        )

    async def wait(self, row: ExportRow) -> Ready:
        """Wait until our export is COMPLETED and its key is there.

        Raises:
            ExportLostError: It failed, was canceled, deleted, or downloaded by somebody else.
            LeanixError: `export_timeout`.
        """
        missing = 0
        current: ExportRow | None = row
        while True:
            if current is not None:
                missing = 0
                if (ready := self._judge(current)) is not None:
                    return ready
            await self._watch.pause()
            listed = await self._watch.look(stop=lambda seen: seen.id == row.id or _older(seen, row.created_at))
            if listed is None:
                continue
            current = next((seen for seen in listed.rows if seen.id == row.id), None)
            self._log.emit(
                Event.EXPORT_POLLED,
                polls=self._watch.polls,
                export_id=row.id,
                status=current.status if current else "not listed",
            )
            missing += current is None
            if missing >= _GONE_AFTER_LOOKS:
                raise _lost(row.id, "DELETED")

    async def key_is_listed(self, ready: Ready) -> bool:
        """Say whether a key whose download broke off can still be used, as far as the list tells."""
        try:
            listed = await self._client.list_exports(
                self._export,
                deadline=self._deadline,
                stop=lambda seen: seen.id == ready.row.id or _older(seen, ready.row.created_at),
            )
        except LeanixError:
            return False
        return any(
            row.id == ready.row.id and row.status == _COMPLETED and row.download_key == ready.key for row in listed.rows
        )

    def _judge(self, row: ExportRow) -> Ready | None:
        if row.status in _LOST:
            raise _lost(row.id, row.status)
        if row.status != _COMPLETED or row.download_key is None:
            return None
        self._log.emit(
            Event.EXPORT_COMPLETED,
            export_id=row.id,
            polls=self._watch.polls,
            waited_s=round(self._watch.waited_s, 3),
            created_at=row.created_at,
        )
        return Ready(row, row.download_key)


def _ours_among(
    running: Iterable[ExportRow], rows: Iterable[ExportRow], left: Container[str], confirmed: Intent | None
) -> ExportRow | None:
    """Find one that is under way and that we left, or the one that LeanIX confirmed."""
    ours = next((row for row in running if row.id in left), None)
    return find_ours(rows, confirmed, waited_out=True) if ours is None and confirmed is not None else ours


def _older(row: ExportRow, than: datetime | None) -> bool:
    return than is not None and row.created_at is not None and row.created_at < than


def _lost(export_id: str, status: str) -> ExportLostError:
    code, message, hint = _LOST[status]
    return ExportLostError(f"{message} (export {export_id})", code=code, hint=hint)
