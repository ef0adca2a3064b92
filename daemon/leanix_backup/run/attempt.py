"""One attempt to bring a whole workbook home: request, find, wait, fetch, verify."""

from __future__ import annotations

import functools
import threading
from datetime import datetime

import anyio

from leanix_backup import workbook
from leanix_backup.errors import ArtifactError, LeanixError, SpoolError
from leanix_backup.events import Event
from leanix_backup.leanix import Started
from leanix_backup.model import Content, Stage
from leanix_backup.run.order import Home, Order, Surroundings, Trail, Who
from leanix_backup.sources.full_export import FullExport, Ready
from leanix_backup.sources.watch import Pace, Watch
from leanix_backup.spool import Artifact

_FETCH_DEADLINE_S = 600.0  # a finished export lives about ten minutes: trying longer to open its download is no use
_DOWNLOAD_TRIES = 3
_WORTHLESS = {"artifact_html", "artifact_json", "artifact_empty"}


class Attempt:
    """One attempt of a run.

    Args:
        order: What the run is to do.
        around: What it works with.
        trail: Where it is noted how far it is.
        who: Which workspace, and whose export.
    """

    def __init__(self, order: Order, around: Surroundings, trail: Trail, who: Who) -> None:
        self._order = order
        self._around = around
        self._trail = trail
        self._who = who
        self._clock = around.clock
        self._log = around.log

    async def make(self, expected_bytes: int) -> Home:
        """Request, find, wait, fetch and verify.

        Args:
            expected_bytes: What room the spool must have: about what the last one took.

        Raises:
            BackupError: Of whatever step failed; the spool holds nothing of this attempt.
        """
        self._trail.enter(Stage.REQUESTED)
        self._require_room(expected_bytes)
        job = self._order.job
        pace = Pace(job.poll.first.total_seconds(), job.poll.factor, job.poll.ceiling.total_seconds())
        watch = Watch(
            self._around.client,
            job.export,
            pace=pace,
            deadline=self._clock.deadline(job.export_timeout.total_seconds()),
            clock=self._clock,
            log=self._log,
        )
        export = FullExport(
            self._around.client,
            job.export,
            user_id=self._who.user_id,
            row_wait_s=job.row_wait.total_seconds(),
            watch=watch,
            clock=self._clock,
            log=self._log,
        )
        try:
            ready, started, requested_at = await self._export(export)
        finally:
            self._trail.polls += watch.polls
        self._trail.enter(Stage.FETCHING)
        self._require_room(expected_bytes)
        artifact = await self._fetch(export, ready)
        content = await self._verify(artifact)
        return Home(
            artifact=artifact,
            content=content,
            ready=ready,
            job_id=started.job_id if started else None,
            taken_at=ready.row.created_at or requested_at,
        )

    async def _export(self, export: FullExport) -> tuple[Ready, Started | None, datetime]:
        """Request an export and wait until it is ready; also what LeanIX said to the request, and when."""
        intent = await export.prepare()
        window = self._order.window
        started = await export.request(window.asked if window else None)
        requested_at = (started and started.server_time) or self._clock.utc_now()
        if started is not None:
            self._log.emit(
                Event.EXPORT_REQUESTED,
                attempt=self._trail.attempt,
                job_id=started.job_id,
                server_time=started.server_time,
                clock_offset_s=_offset(started.server_time, self._clock.utc_now()),
                asked_start=window.asked.start if window else None,
                asked_end=window.asked.end if window else None,
            )
        self._trail.enter(Stage.EXPORTING)
        row = await export.find(intent, started)
        return await export.wait(row), started, requested_at

    def _require_room(self, expected_bytes: int) -> None:
        room = self._around.spool.room()
        if room.holds(expected_bytes):
            return
        self._log.emit(
            Event.SPOOL_FULL,
            needed_bytes=expected_bytes,
            free_bytes=room.volume_free_bytes,
            used_bytes=room.used_bytes,
            max_size_bytes=room.max_size_bytes,
        )
        raise SpoolError(
            "there is no room in the spool",
            code="spool_full",
            hint="make room in its volume, raise spool.max_size, or see why artifacts stay in the spool",
        )

    async def _fetch(self, export: FullExport, ready: Ready) -> Artifact:
        """Download into the spool; a download that broke is begun again while the list still shows the key."""
        since, tries = self._clock.monotonic(), 0
        while True:
            tries += 1
            received = 0

            def count(total: int, size: int | None) -> None:
                nonlocal received
                received = total
                self._trail.progress(Stage.FETCHING, total, size)

            try:
                async with self._around.client.download(
                    self._who.workspace_id, ready.key, deadline=self._clock.deadline(_FETCH_DEADLINE_S)
                ) as download:
                    self._log.emit(Event.DOWNLOAD_STARTED, export_id=ready.row.id, size_bytes=download.size_bytes)
                    artifact = await self._around.spool.receive(
                        self._order.run_id,
                        download.chunks,
                        received=functools.partial(count, size=download.size_bytes),
                    )
            except LeanixError as error:
                if not error.outcome_unknown:
                    raise
                listed = tries < _DOWNLOAD_TRIES and await export.key_is_listed(ready)
                self._log.emit(
                    Event.DOWNLOAD_INTERRUPTED,
                    export_id=ready.row.id,
                    received_bytes=received,
                    error_code=error.code,
                    error=error.message,
                    key_still_listed=listed,
                )
                if not listed:
                    raise
                continue
            self._log.emit(
                Event.ARTIFACT_FETCHED,
                size_bytes=artifact.size_bytes,
                sha256=artifact.sha256,
                duration_s=round(self._clock.monotonic() - since, 3),
            )
            return artifact

    async def _verify(self, artifact: Artifact) -> Content:
        """Prove the artifact whole; one that is not leaves the spool, and is kept aside where it may be of use."""
        since, stop = self._clock.monotonic(), threading.Event()
        work = functools.partial(
            workbook.verify,
            artifact.path,
            self._order.job.export,
            self._around.limits,
            progress=lambda done: self._trail.progress(Stage.VERIFIED, done, artifact.size_bytes),
            cancelled=stop.is_set,
        )
        try:
            # Given up on a cancellation, the thread sees `stop` within a few MiB and ends; the file stays in the spool.
            content = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        except ArtifactError as error:
            kept = None
            if error.code in _WORTHLESS:
                self._around.spool.drop(artifact)
            else:
                kept = self._around.spool.keep_rejected(artifact, self._around.rejected, self._order.job.name)
            self._log.emit(
                Event.ARTIFACT_REJECTED,
                error_code=error.code,
                error=error.message,
                hint=error.hint,
                size_bytes=artifact.size_bytes,
                kept_at=kept,
            )
            raise
        finally:
            stop.set()
        self._trail.enter(Stage.VERIFIED)
        self._log.emit(
            Event.ARTIFACT_VERIFIED,
            sheets=len(content.sheets),
            rows=sum(sheet.rows for sheet in content.sheets),
            fact_sheets=content.fact_sheet_count,
            fact_sheets_by_type=content.fact_sheets,
            empty=content.empty,
            duration_s=round(self._clock.monotonic() - since, 3),
        )
        return content


def _offset(server_time: datetime | None, now: datetime) -> float | None:
    return None if server_time is None else round((server_time - now).total_seconds(), 1)
