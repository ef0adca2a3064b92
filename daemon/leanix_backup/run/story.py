"""The story of a run, from the order to the one line that alerts go by."""

from __future__ import annotations

from dataclasses import replace

import anyio

from leanix_backup import __version__, catalog, events, manifest, pacing
from leanix_backup.catalog import Catalog
from leanix_backup.errors import BackupError, InterruptedRunError, LeanixError
from leanix_backup.events import Event, Log
from leanix_backup.model import (
    ExportRef,
    ExportType,
    Failure,
    FileRef,
    Manifest,
    Outcome,
    RunReport,
    Stage,
    ToolRef,
    WorkspaceRef,
)
from leanix_backup.naming import ARTIFACT_SUFFIX, BackupKey, backup_key
from leanix_backup.run.attempt import Attempt
from leanix_backup.run.order import Home, Order, Surroundings, Trail, Who
from leanix_backup.run.shipping import ship


async def run_backup(order: Order, around: Surroundings) -> RunReport:
    """Make one backup and say what it came to; `run_finished` is written exactly once, however it ends.

    No error comes out but a cancellation. What is left behind on failure: nothing at any destination, and in the
    spool only an artifact that some destination did not take.
    """
    job = order.job
    with events.context(
        run_id=order.run_id, job=job.name, workspace=job.workspace, export=job.export.value, stage=Stage.REQUESTED.value
    ):
        return await _Run(order, around).tell()


class _Run:
    """The state of one run while it goes on; after it, the report is all that is left."""

    def __init__(self, order: Order, around: Surroundings) -> None:
        self._order = order
        self._job = order.job
        self._around = around
        self._clock = around.clock
        self._log = around.log
        self._since = around.clock.monotonic()
        self._started_at = around.clock.utc_now()
        self._trail = Trail(around.progress)
        self._report = RunReport(order.run_id, order.job.name, order.job.workspace, order.job.export, Outcome.FAILED)

    async def tell(self) -> RunReport:
        """Go through the story, and say what it came to."""
        window = self._order.window
        self._log.emit(
            Event.RUN_STARTED,
            trigger=self._order.trigger,
            scheduled_at=self._order.scheduled_at,
            attempts_max=self._job.attempts,
            window_start=window.start if window else None,
            window_end=window.end if window else None,
        )
        try:
            await self._story()
        except BackupError as error:
            self._fail(error)
        except anyio.get_cancelled_exc_class():
            self._fail(InterruptedRunError("the run was stopped before it was done", hint="start it again"))
            self._finish()
            raise
        except Exception as error:  # noqa: BLE001 -- a mistake of ours fails this run, not the service; its traceback is logged
            self._fail(BackupError(f"an unexpected {type(error).__name__}", hint="report this, with the log line"))
            self._finish(exc_info=error)
            return self._report
        self._finish()
        return self._report

    async def _story(self) -> None:
        self._trail.enter(Stage.REQUESTED)
        known = await catalog.read_catalog(self._around.stores, prefix=f"{self._job.workspace}/")
        who = await self._know_workspace(known)
        home = await self._bring_home(known, who)
        self._report = replace(
            self._report,
            size_bytes=home.artifact.size_bytes,
            sha256=home.artifact.sha256,
            fact_sheets=None if self._job.export is ExportType.AUDIT_LOG else home.content.fact_sheet_count,
        )
        self._trail.enter(Stage.SHIPPING)
        window = self._order.window
        key = backup_key(
            self._job.workspace,
            self._job.export,
            run_id=self._order.run_id,
            taken_at=window.end if window else home.taken_at,
            window_start=window.start if window else None,
        )
        text = manifest.encode(self._describe(home, key, who))
        shipped = await ship(self._around, key, home.artifact, text)
        self._report = replace(
            self._report,
            outcome=shipped.outcome,
            stored=shipped.stored,
            failed=shipped.failed,
            error=shipped.failed[0].error if shipped.failed else None,
        )
        self._trail.enter(Stage.RECORDED)

    async def _know_workspace(self, known: Catalog) -> Who:
        """Learn which workspace this is, and refuse one that is not what was backed up under this name before."""
        identity = await self._around.client.identity(
            deadline=self._clock.deadline(self._job.export_timeout.total_seconds())
        )
        configured = self._around.workspace.workspace_id
        workspace_id = configured or identity.workspace_id
        if workspace_id is None:
            raise LeanixError(
                "the access token does not say which workspace it opens",
                code="workspace_unknown",
                hint=f"set workspaces.{self._job.workspace}.workspace_id (administration, API tokens)",
            )
        if configured and identity.workspace_id and configured != identity.workspace_id:
            raise LeanixError(
                f"the API token opens workspace {identity.workspace_id}, not {configured} as configured",
                code="workspace_changed",
                hint="is another workspace's token in this one's secret?",
            )
        for backup in reversed(known.backups):
            earlier = await self._manifest_of(backup)
            if earlier is None:
                continue
            if earlier.workspace.id != workspace_id:
                raise LeanixError(
                    f"this is workspace {workspace_id}, but earlier backups named {self._job.workspace} are of "
                    f"{earlier.workspace.id}",
                    code="workspace_changed",
                    hint="is another workspace's token in this one's secret? else give the new one a name of its own",
                )
            break
        return Who(workspace_id, self._around.workspace.user_id or identity.user_id)

    async def _manifest_of(self, backup: catalog.Backup) -> Manifest | None:
        for copy in backup.copies:
            store = next(store for store in self._around.stores if store.name == copy.destination)
            try:
                return await catalog.read_manifest(store, backup.key.manifest)
            except BackupError:  # an older one tells the same
                continue
        return None

    async def _bring_home(self, known: Catalog, who: Who) -> Home:
        """Try up to `attempts` times to get a whole workbook into the spool."""
        earlier = known.of(self._job.workspace, self._job.export)
        expected_bytes = earlier[-1].size_bytes if earlier else 0
        while True:
            self._trail.attempt += 1
            try:
                return await Attempt(self._order, self._around, self._trail, who).make(expected_bytes)
            except BackupError as error:
                if not error.retryable or self._trail.attempt >= self._job.attempts:
                    raise
                wait = pacing.attempt_wait(self._trail.attempt, spread=self._clock.uniform(-1, 1))
                wait = max(wait, error.retry_after or 0.0)
                self._log.emit(
                    Event.RETRY_SCHEDULED,
                    what="a new attempt",
                    attempt=self._trail.attempt,
                    wait_s=round(wait, 3),
                    error_code=error.code,
                    error=error.message,
                )
            await self._clock.sleep(wait)

    def _describe(self, home: Home, key: BackupKey, who: Who) -> Manifest:
        job = self._job
        return Manifest(
            run_id=self._order.run_id,
            job=job.name,
            workspace=WorkspaceRef(job.workspace, who.workspace_id, self._around.workspace.url),
            export=ExportRef(job.export, home.ready.row.id, home.job_id, home.taken_at),
            window=self._order.window,
            file=FileRef(f"{key.name}{ARTIFACT_SUFFIX}", home.artifact.size_bytes, home.artifact.sha256),
            content=home.content,
            scheduled_at=self._order.scheduled_at,
            started_at=self._started_at,
            finished_at=self._clock.utc_now(),
            attempts=self._trail.attempt,
            trigger=self._order.trigger,
            host=self._around.host,
            technical_user_id=who.user_id,
            config_sha256=self._around.config_sha256,
            tool=ToolRef("leanix-backup", __version__),
        )

    def _fail(self, error: BackupError) -> None:
        self._report = replace(self._report, outcome=Outcome.FAILED, error=_plain(error))

    def _finish(self, exc_info: BaseException | None = None) -> None:
        self._report = replace(
            self._report,
            attempts=self._trail.attempt,
            polls=self._trail.polls,
            duration_s=round(self._clock.monotonic() - self._since, 3),
        )
        log_finished(self._log, self._report, exc_info=exc_info)


def log_finished(log: Log, report: RunReport, *, exc_info: BaseException | None = None) -> None:
    """Write the one line per run that alerts go by."""
    error = report.error or Failure("", "")
    log.emit(
        Event.RUN_FINISHED,
        level={Outcome.FAILED: "error", Outcome.PARTIAL: "warning"}.get(report.outcome, "info"),
        outcome=report.outcome,
        duration_s=report.duration_s,
        attempts=report.attempts,
        polls=report.polls,
        size_bytes=report.size_bytes,
        sha256=report.sha256,
        fact_sheets=report.fact_sheets,
        stored=[{"destination": copy.destination, "key": copy.key} for copy in report.stored],
        failed=[{"destination": copy.destination, "error_code": copy.error.code} for copy in report.failed],
        pruned=report.pruned,
        error_code=error.code or None,
        error=error.message or None,
        hint=error.hint or None,
        exc_info=exc_info,
    )


def _plain(error: BackupError) -> Failure:
    return Failure(error.code, error.message, error.hint)
