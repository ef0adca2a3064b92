"""The story of a run, from the order to the one line that alerts go by."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import anyio

from leanix_backup import catalog, events, manifest, pacing
from leanix_backup.catalog import Catalog
from leanix_backup.clock import Clock
from leanix_backup.errors import BackupError, InterruptedRunError
from leanix_backup.events import Event, Log
from leanix_backup.ledger import Counted, Entry, Ledger
from leanix_backup.model import ExportType, FailedCopy, Failure, Outcome, RunReport, Stage, StoredCopy, Trigger
from leanix_backup.run.attempt import Attempt
from leanix_backup.run.identity import know_workspace
from leanix_backup.run.order import Order, Surroundings, Who
from leanix_backup.run.shipping import Shipped, artifact_lost, ship
from leanix_backup.run.tidying import measure, prune_at
from leanix_backup.run.trail import Trail
from leanix_backup.spool import Artifact


async def run_backup(order: Order, around: Surroundings) -> RunReport:
    """Make one backup, or go on with one that was left, and say what it came to.

    `run_finished` is written once per run, over all processes that worked on it, however it ends; a second time only
    where a process was killed between that line and its note in the ledger. A run that is stopped does not end: the
    ledger keeps where it stood, and the next start goes on from there. No error comes out but a cancellation, and a
    ledger that can't be written.
    """
    job = order.job
    with events.context(
        run_id=order.run_id, job=job.name, workspace=job.workspace, export=job.export.value, stage=Stage.REQUESTED.value
    ):
        entry = order.resumed or Entry(
            run_id=order.run_id,
            job=job.name,
            workspace=job.workspace,
            export=job.export,
            trigger=order.trigger,
            scheduled_at=order.scheduled_at,
            started_at=around.clock.utc_now(),
            window=order.window,
        )
        if order.resumed is None:
            await around.ledger.begin(entry, answers=order.trigger is not Trigger.MANUAL)
        return await _Run(order, around, Trail(entry, ledger=around.ledger, progress=around.progress)).tell()


class _Run:
    """The state of one run while it goes on; after it, the report is all that is left."""

    def __init__(self, order: Order, around: Surroundings, trail: Trail) -> None:
        self._order = order
        self._job = order.job
        self._around = around
        self._clock = around.clock
        self._log = around.log
        self._since = around.clock.monotonic()
        self._trail = trail
        self._report = RunReport(order.run_id, order.job.name, order.job.workspace, order.job.export, Outcome.FAILED)

    async def tell(self) -> RunReport:
        """Go through the story, and say what it came to."""
        self._say_begin()
        mistake: Exception | None = None
        try:
            await self._story()
        except BackupError as error:
            self._fail(error)
        except anyio.get_cancelled_exc_class():
            self._fail(InterruptedRunError("the run was stopped", hint="the next start goes on from where it stood"))
            self._log.emit(Event.RUN_INTERRUPTED, attempts=self._trail.entry.attempt)
            self._around.stopped(self._summed_up())
            raise
        except Exception as error:  # noqa: BLE001 -- a mistake of ours fails this run, not the service; its traceback is logged
            self._fail(BackupError(f"an unexpected {type(error).__name__}", hint="report this, with the log line"))
            mistake = error
        await self._finish(exc_info=mistake)
        return self._summed_up()

    def _say_begin(self) -> None:
        entry = self._trail.entry
        if self._order.resumed is not None:
            self._trail.show(entry.stage)
            self._log.emit(
                Event.RUN_RESUMED, trigger=entry.trigger, scheduled_at=entry.scheduled_at, attempt=entry.attempt
            )
            return
        self._log.emit(
            Event.RUN_STARTED,
            trigger=entry.trigger,
            scheduled_at=entry.scheduled_at,
            attempts_max=self._job.attempts,
            window_start=entry.window.start if entry.window else None,
            window_end=entry.window.end if entry.window else None,
        )

    async def _story(self) -> None:
        self._around.spool.drop_partial(self._order.run_id)
        artifact = await self._shippable()
        if artifact is None:
            known = await catalog.read_catalog(self._around.stores, prefix=f"{self._job.workspace}/")
            who = await know_workspace(self._order, self._around, known)
            await self._trail.note(workspace_id=who.workspace_id)
            artifact = await self._bring_home(known, who)
        entry = self._trail.entry
        described = manifest.decode((entry.manifest or "").encode())
        self._report = replace(
            self._report,
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            fact_sheets=None if entry.export is ExportType.AUDIT_LOG else described.content.fact_sheet_count,
        )
        await self._trail.note(stage=Stage.SHIPPING)
        shipped = await ship(self._around, entry, artifact)
        self._report = replace(
            self._report,
            outcome=shipped.outcome,
            stored=shipped.stored,
            failed=shipped.failed,
            error=shipped.failed[0].error if shipped.failed else None,
        )
        if shipped.stored:
            self._trail.show(Stage.RECORDED)
            await self._after_storing(shipped, described.workspace.id)

    async def _after_storing(self, shipped: Shipped, workspace_id: str) -> None:
        """Pin the workspace, see whether the workbook shrank, and prune; whatever fails here, the backup is stored."""
        try:
            await self._around.ledger.pin(self._trail.entry.workspace, workspace_id)
            standing = await measure(self._job, self._around, self._trail.entry)
            waiting = standing is not None and standing.shrunk is not None
        except BackupError as error:  # nothing goes while nobody knows
            self._log.emit(Event.PRUNE_REFUSED, error_code=error.code, error=error.message, hint=error.hint or None)
            return
        if standing is not None and standing.shrunk is not None:
            self._report = replace(self._report, outcome=Outcome.PARTIAL, error=_shrank(standing.good, standing.shrunk))
        names = [copy.destination for copy in shipped.stored]
        pruned = await prune_at(self._around, names, self._trail.entry, waiting=waiting)
        self._report = replace(self._report, pruned=pruned)
        self._trail.show(Stage.PRUNED)

    async def _shippable(self) -> Artifact | None:
        """Find what a process that ended had already proved whole; LeanIX is not needed for it any more.

        Raises:
            SpoolError: `artifact_lost`: it lies at some destinations, and there is nothing left to ship to the others.
        """
        entry = self._trail.entry
        if entry.manifest is None or entry.size_bytes is None or entry.sha256 is None:
            return None
        artifact = Artifact(self._around.spool.path_of(entry.run_id), entry.size_bytes, entry.sha256)
        shipments = await self._around.ledger.shipments(entry.run_id)
        if shipments and all(each.stored_at for each in shipments):
            return artifact  # every destination has it, so that it may have left the spool
        found = await self._around.spool.find(entry.run_id)
        if found == artifact:
            return found
        await self._around.ledger.unship(entry.run_id)
        stored = tuple(StoredCopy(each.destination, each.key) for each in shipments if each.stored_at)
        if stored:  # another export under this run's name would not be what lies there
            missing = [each.destination for each in shipments if not each.stored_at]
            error = artifact_lost(missing)
            failed = tuple(FailedCopy(name, _plain(error)) for name in missing)
            self._report = replace(self._report, stored=stored, failed=failed)
            raise error
        await self._trail.forget_attempt()
        return None

    async def _expected_bytes(self, known: Catalog) -> int:
        """Say how much room the artifact may need: what the last one took, be it stored or in the spool still."""
        wanted = (self._job.workspace, self._job.export)
        sizes = [backup.size_bytes for backup in known.of(*wanted)[-1:]]
        sizes += [
            entry.size_bytes or 0
            for entry, _ in await self._around.ledger.owed()
            if (entry.workspace, entry.export) == wanted
        ]
        return max(sizes, default=0)

    async def _bring_home(self, known: Catalog, who: Who) -> Artifact:
        """Try up to `attempts` times to get a whole workbook into the spool.

        What a process that was killed had begun is not counted against them.
        """
        expected_bytes = await self._expected_bytes(known)
        resumed = self._trail.entry.attempt > 0
        if not resumed:
            await self._trail.forget_attempt()
        while True:
            try:
                return await Attempt(self._order, self._around, self._trail, who).make(expected_bytes)
            except BackupError as error:
                attempt, failure = self._trail.entry.attempt, error
                if not error.retryable or (attempt >= self._job.attempts and not resumed):
                    raise
                wait = 0.0
                if not resumed:
                    wait = pacing.attempt_wait(attempt, spread=self._clock.uniform(-1, 1))
                    wait = max(wait, error.retry_after or 0.0)
                    if wait > self._job.export_timeout.total_seconds():
                        raise
                self._log.emit(
                    Event.RETRY_SCHEDULED,
                    what="a new attempt",
                    attempt=attempt,
                    wait_s=round(wait, 3),
                    error_code=error.code,
                    error=error.message,
                )
            await self._trail.forget_attempt(failure, counted=not resumed)
            resumed = False
            await self._clock.sleep(wait)

    def _fail(self, error: BackupError) -> None:
        outcome = Outcome.PARTIAL if self._report.stored else Outcome.FAILED
        self._report = replace(self._report, outcome=outcome, error=_plain(error))

    async def _finish(self, exc_info: BaseException | None = None) -> None:
        report = self._summed_up()
        log_finished(self._log, report, exc_info=exc_info)
        try:
            await self._trail.note(
                stage=self._trail.entry.stage if report.outcome is Outcome.FAILED else Stage.RECORDED,
                outcome=report.outcome,
                error_code=report.error.code if report.error else None,
                finished_at=self._clock.utc_now(),
            )
            await self._around.ledger.trim(self._job.name)
        except BackupError as error:  # the next start goes through its end once more; what is stored is stored
            self._log.emit(Event.LEDGER_FAILED, error_code=error.code, error=error.message, hint=error.hint or None)
            return
        if report.stored and not report.failed:
            self._around.spool.drop(Artifact(self._around.spool.path_of(report.run_id), 0, ""))

    def _summed_up(self) -> RunReport:
        return replace(
            self._report,
            attempts=self._trail.entry.attempt,
            polls=self._trail.polls,
            duration_s=round(self._clock.monotonic() - self._since, 3),
        )


async def fail_early(
    order: Order, error: BackupError, around: Surroundings, *, answers: bool, exc_info: BaseException | None = None
) -> RunReport:
    """End a run that failed before it was begun, in the log and in the ledger, in the same words as any other.

    Args:
        order: What it was to do.
        error: What kept it from beginning.
        around: What it would have worked with.
        answers: Whether it was started for the due time that the order names.
        exc_info: The traceback of a mistake of ours.
    """
    job, now = order.job, around.clock.utc_now()
    report = RunReport(order.run_id, job.name, job.workspace, job.export, Outcome.FAILED, error=_plain(error))
    with events.context(run_id=report.run_id, job=job.name, workspace=job.workspace, export=job.export.value):
        log_finished(around.log, report, exc_info=exc_info)
    entry = Entry(
        run_id=order.run_id,
        job=job.name,
        workspace=job.workspace,
        export=job.export,
        trigger=order.trigger,
        scheduled_at=order.scheduled_at,
        started_at=now,
        outcome=Outcome.FAILED,
        error_code=error.code,
        finished_at=now,
    )
    with suppress(BackupError):  # it may be the ledger that failed
        await around.ledger.begin(entry, answers=answers and order.trigger is not Trigger.MANUAL)
        await around.ledger.trim(job.name)
    return report


async def end_stray(entry: Entry, ledger: Ledger, *, clock: Clock, log: Log) -> None:
    """End a run of a job that is not configured any more; an artifact that it brought home stays where it is.

    Raises:
        BackupError: The ledger can't be used.
    """
    error = BackupError(
        f"the job {entry.job} is not configured any more, or exports something else now",
        code="job_removed",
        hint="nothing, if that was meant; else configure it as it was, and run it",
    )
    report = RunReport(
        entry.run_id, entry.job, entry.workspace, entry.export, Outcome.FAILED, _plain(error), entry.attempt
    )
    with events.context(run_id=entry.run_id, job=entry.job, workspace=entry.workspace, export=entry.export.value):
        log_finished(log, report)
    await ledger.note(entry.run_id, outcome=Outcome.FAILED, error_code=error.code, finished_at=clock.utc_now())


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


def _shrank(good: Counted, newest: Counted) -> Failure:
    return Failure(
        "fact_sheets_shrank",
        f"{newest.fact_sheets} fact sheets, and {good.fact_sheets} in the last good backup (run {good.run_id})",
        f"has the technical user lost rights? if this was meant: leanix-backup accept {newest.run_id} --reason …",
    )


def _plain(error: BackupError) -> Failure:
    return Failure(error.code, error.message, error.hint)
