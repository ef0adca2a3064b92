"""One attempt to bring a whole workbook home: request, find, wait, fetch, verify."""

from __future__ import annotations

import functools

from leanix_backup import __version__, manifest, pacing
from leanix_backup.errors import ExportLostError, LeanixError, SpoolError
from leanix_backup.events import Event
from leanix_backup.model import (
    Content,
    ExportRef,
    FileRef,
    Manifest,
    Stage,
    ToolRef,
    WorkspaceRef,
)
from leanix_backup.naming import ARTIFACT_SUFFIX
from leanix_backup.run.asking import Asking
from leanix_backup.run.keys import key_of
from leanix_backup.run.order import Order, Surroundings, Who
from leanix_backup.run.proof import prove
from leanix_backup.run.trail import Trail
from leanix_backup.sources.full_export import FullExport, Ready
from leanix_backup.sources.watch import Pace, Watch
from leanix_backup.spool import Artifact

_FETCH_DEADLINE_S = 480.0  # a finished export lives about ten minutes: trying longer to open its download is no use
_MOST_BROKEN = 3


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

    async def make(self, expected_bytes: int) -> Artifact:
        """Bring a whole workbook into the spool, from wherever the ledger says that this attempt stands.

        Args:
            expected_bytes: What room the spool must have: about what the last one took.

        Returns:
            The artifact; the trail has its content as a manifest.

        Raises:
            BackupError: Of whatever step failed; the spool holds nothing of this attempt.
        """
        artifact = await self._in_spool()
        if artifact is None:
            artifact = await self._bring(expected_bytes)
        if self._trail.entry.manifest is None:
            content = await prove(artifact, self._order.job, self._around, self._trail)
            await self._trail.note(stage=Stage.VERIFIED, manifest=self._describe(artifact, content))
        return artifact

    async def _in_spool(self) -> Artifact | None:
        """Find what an earlier process brought home; only a download that was whole has left a file."""
        entry = self._trail.entry
        if not entry.spending:
            return None
        artifact = await self._around.spool.find(entry.run_id)
        if artifact is not None and artifact.sha256 != (entry.sha256 or artifact.sha256):
            self._around.spool.drop(artifact)
            raise ExportLostError("the file in the spool is not what was downloaded", code="spool_damaged")
        if artifact is not None and entry.sha256 is None:  # it died before it had written that down
            await self._trail.note(size_bytes=artifact.size_bytes, sha256=artifact.sha256)
        return artifact

    async def _bring(self, expected_bytes: int) -> Artifact:
        job = self._order.job
        watch = Watch(
            self._around.client,
            job.export,
            pace=Pace(job.poll.first.total_seconds(), job.poll.factor, job.poll.ceiling.total_seconds()),
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
            asking = Asking(
                export, self._order, self._around, self._trail, room=lambda: self._require_room(expected_bytes)
            )
            ready = await export.wait(await asking.own_row())
        finally:
            self._trail.polls += watch.polls
        self._require_room(expected_bytes)
        await self._trail.note(stage=Stage.FETCHING, spending=True)
        artifact = await self._fetch(export, ready)
        await self._trail.note(size_bytes=artifact.size_bytes, sha256=artifact.sha256)
        return artifact

    def _describe(self, artifact: Artifact, content: Content) -> str:
        """Write the manifest: every destination gets the same."""
        job, entry = self._order.job, self._trail.entry
        if entry.export_id is None or entry.export_created_at is None:
            raise AssertionError("what was downloaded has a row")
        described = Manifest(
            run_id=entry.run_id,
            job=job.name,
            workspace=WorkspaceRef(job.workspace, self._who.workspace_id, self._around.workspace.url),
            export=ExportRef(job.export, entry.export_id, entry.job_id, entry.export_created_at),
            window=entry.window,
            file=FileRef(f"{key_of(entry).name}{ARTIFACT_SUFFIX}", artifact.size_bytes, artifact.sha256),
            content=content,
            scheduled_at=entry.scheduled_at,
            started_at=entry.started_at,
            finished_at=self._clock.utc_now(),
            attempts=entry.attempt,
            trigger=entry.trigger,
            host=self._around.host,
            technical_user_id=self._who.user_id,
            config_sha256=self._around.config_sha256,
            tool=ToolRef("leanix-backup", __version__),
        )
        return manifest.encode(described).decode()

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
        """Download into the spool; one that broke, or was refused, is begun again while the list still shows the key.

        Three times, where bytes had come or LeanIX did not take the key; else as long as a key lives.
        """
        since, tries, broken = self._clock.monotonic(), 0, 0
        deadline = self._clock.deadline(_FETCH_DEADLINE_S)
        while True:
            tries += 1
            received = 0

            def count(total: int, size: int | None) -> None:
                nonlocal received
                received = total
                self._trail.progress(Stage.FETCHING, total, size)

            try:
                async with self._around.client.download(
                    self._who.workspace_id, ready.key, deadline=deadline
                ) as download:
                    broken += 1
                    self._log.emit(Event.DOWNLOAD_STARTED, export_id=ready.row.id, size_bytes=download.size_bytes)
                    artifact = await self._around.spool.receive(
                        self._order.run_id,
                        download.chunks,
                        received=functools.partial(count, size=download.size_bytes),
                    )
            except LeanixError as error:
                broken += isinstance(error, ExportLostError)
                wait = pacing.retry_wait(tries, retry_after=error.retry_after, spread=self._clock.uniform(-1, 1))
                again = error.retryable and broken < _MOST_BROKEN and wait <= deadline.remaining
                listed = again and await export.key_is_listed(ready)
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
                await self._clock.sleep(wait)
                continue
            self._log.emit(
                Event.ARTIFACT_FETCHED,
                size_bytes=artifact.size_bytes,
                sha256=artifact.sha256,
                duration_s=round(self._clock.monotonic() - since, 3),
            )
            return artifact
