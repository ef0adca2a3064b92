"""Open what runs need, and start runs: shared by `serve`, `backup` and `demo`."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import anyio

from leanix_backup import locks
from leanix_backup.clock import Clock
from leanix_backup.config import Config, Job
from leanix_backup.destinations import open_stores
from leanix_backup.errors import BackupError, LockedError
from leanix_backup.events import Event, Log, context, redactor
from leanix_backup.leanix import REQUEST_REFUSED, LeanixClient, TokenSource, Transport
from leanix_backup.ledger import FILE_NAME, Entry, Ledger, Shipment
from leanix_backup.model import Outcome, RunReport, Trigger
from leanix_backup.pruning import ORPHANED, scopes_of
from leanix_backup.reading import check_newest, limits_of
from leanix_backup.rebuild import open_ledger
from leanix_backup.run import (
    DatesOnly,
    Order,
    Progress,
    Surroundings,
    artifact_lost,
    fail_early,
    is_waiting,
    prune_at,
    run_backup,
    ship_to,
)
from leanix_backup.spool import Artifact, Spool
from leanix_backup.wiring.leftovers import end_strays, stranded, sweep
from leanix_backup.wiring.windows import plan_windows

_RECENT = timedelta(hours=2)  # what is younger was made for whoever asks now, however short the timeouts are


@dataclass(frozen=True, slots=True)
class Call:
    """A request to run a job now, and how.

    `fresh` is false where only what a process left unfinished is to be ended.
    """

    job: Job
    trigger: Trigger
    scheduled_at: datetime
    wait_for_lock: bool = True
    fresh: bool = True
    progress: Progress = lambda _stage, _done, _total: None


class Workshop:
    """Connections, spool and stores of one configuration; a context manager that closes them.

    Args:
        config: What to back up and where to.
        jobs: The jobs that will be run; the stores of others are not made.
        clock: Time and chance.
        log: Where events go.

    Raises:
        BackupError: The proxy's address or the CA bundle can't be used.
    """

    def __init__(self, config: Config, jobs: Iterable[Job], *, clock: Clock, log: Log) -> None:
        self._config = config
        self._clock = clock
        self._log = log
        self._stack = AsyncExitStack()
        self._tokens: dict[str, TokenSource] = {}
        self._dates_only: dict[str, DatesOnly] = {}
        self._queues: dict[str, anyio.Lock] = {}
        network = config.network
        proxy = network.proxy.read() if network.proxy else None
        if proxy:
            redactor.learn(proxy)
        self._transport = Transport(ca_bundle=network.ca_bundle, proxy=proxy, no_proxy=network.no_proxy)
        self._spool = Spool(config.spool.path, max_size_bytes=config.spool.max_size)
        self.ledger = Ledger(config.state_dir / FILE_NAME)
        used = {name for job in jobs for name in job.destinations}
        self._stores = open_stores(config, sorted(used))

    async def __aenter__(self) -> Self:
        """Make the spool's folder and open the connections.

        Raises:
            SpoolError: The spool can't be written.
            BackupError: `ledger_unusable`, `ledger_too_new`.
        """
        self._spool.prepare()
        self.ledger = await self._stack.enter_async_context(
            open_ledger(self._config, self._stores.values(), clock=self._clock, log=self._log)
        )
        await self._stack.enter_async_context(self._transport)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._stack.__aexit__(kind, error, trace)

    async def run_job(
        self, call: Call, *, ended: Callable[[RunReport], None], progress: Progress, go_on: Callable[[], bool]
    ) -> None:
        """Run a job once; for the audit log, that is a run for each window.

        What a process left unfinished of the job is ended first. For a run by hand, an export that was left and can
        still be used becomes the run.

        Args:
            call: Which job, and why.
            ended: Told of each run as it ends, and of one that is stopped.
            progress: Told how far a run is.
            go_on: Asked before each further window.

        Raises:
            LockedError: Another process holds this export of this workspace, and `call` does not wait.
        """
        job = call.job
        name = locks.export_lock(job.workspace, job.export)
        around = self._surroundings(job, progress, ended)
        # Within this process everybody waits; the file's lock is for other processes, and --no-wait is for those.
        async with self._queues.setdefault(name, anyio.Lock()):
            try:
                async with locks.hold(
                    self._config.state_dir, name, clock=self._clock, doing=f"job {job.name}", wait=call.wait_for_lock
                ):
                    await self._run_locked(call, around, ended, go_on)
            except LockedError:
                raise
            except BackupError as error:
                ended(await fail_early(_unbegun(call), error, around, answers=call.fresh))
            except Exception as error:  # noqa: BLE001 -- a mistake of ours ends this job, not the service
                mistake = BackupError(f"an unexpected {type(error).__name__}", hint="report this, with the log line")
                ended(await fail_early(_unbegun(call), mistake, around, answers=call.fresh, exc_info=error))

    async def _run_locked(
        self, call: Call, around: Surroundings, ended: Callable[[RunReport], None], go_on: Callable[[], bool]
    ) -> None:
        job, served = call.job, False
        await self._forward(job, around, hurry=call.trigger is Trigger.MANUAL)
        for left in await self.ledger.unfinished(job.workspace, job.export):
            if left.job != job.name:
                continue
            order = Order(left.run_id, job, left.trigger, left.scheduled_at, left.window, resumed=left)
            report = await run_backup(order, around)
            ended(report)
            good = call.trigger is Trigger.MANUAL and report.outcome is not Outcome.FAILED
            served = served or (good and await self._is_recent(report.run_id, job))
        if served or not call.fresh:
            return
        windows = await plan_windows(job, around.stores, around.client, clock=self._clock, log=self._log)
        for window in windows:
            if not go_on():
                return
            order = Order(
                str(uuid.uuid4()), job, call.trigger, call.scheduled_at, window, up_to_now=window is windows[-1]
            )
            report = await run_backup(order, around)
            ended(report)
            # A window that LeanIX can't give must not keep back the later ones; the next run asks for it again.
            if report.outcome is Outcome.FAILED and not _of_this_window(report):
                return

    async def forward(self, job: Job) -> None:
        """Ship what destinations refused earlier and may take now; nothing where somebody works on that export.

        Raises:
            BackupError: The ledger can't be used.
        """
        if not any(entry.job == job.name for entry, _ in await self.ledger.owed()):
            return
        lock = locks.export_lock(job.workspace, job.export)
        with suppress(LockedError):
            async with locks.hold(
                self._config.state_dir, lock, clock=self._clock, doing=f"late shipping of job {job.name}", wait=False
            ):
                await self._forward(job, self._surroundings(job, lambda _stage, _done, _total: None), hurry=False)

    async def end_strays(self) -> None:
        """End the runs that a process left of jobs that are not there any more.

        Raises:
            BackupError: The ledger can't be used.
        """
        await end_strays(self._config, self.ledger, clock=self._clock, log=self._log)

    async def sweep(self) -> None:
        """Clear from the spool what lies at every destination, and set aside what the ledger does not explain.

        Raises:
            BackupError: The ledger can't be used.
        """
        await sweep(self._spool, self.ledger, aside=self._config.state_dir / "rejected", log=self._log)

    async def _forward(self, job: Job, around: Surroundings, *, hurry: bool) -> None:
        """Ship what is owed, to those destinations whose wait is over, or to all in a hurry."""
        now = self._clock.utc_now()
        stores = {store.name: store for store in around.stores}
        for entry, shipment in await self.ledger.owed():
            store = stores.get(shipment.destination)
            waits = shipment.next_try_at is not None and shipment.next_try_at > now and not hurry
            if entry.job != job.name or store is None or waits:
                continue
            artifact = Artifact(self._spool.path_of(entry.run_id), entry.size_bytes or 0, entry.sha256 or "")
            with context(run_id=entry.run_id, job=job.name, workspace=job.workspace, export=job.export.value):
                if await self._spool.find(entry.run_id) != artifact:
                    await self._give_up(entry, shipment)
                    continue
                try:
                    await ship_to(around, store, entry, artifact, late=True)
                except BackupError:  # it is in the log, and in the ledger with the time of the next try
                    continue
                if all(each.stored_at for each in await self.ledger.shipments(entry.run_id)):
                    self._spool.drop(artifact)
                await self._prune_late(job, around, store.name, entry)

    async def read_back(self) -> None:
        """Read the newest stored backups back, log what came of it, and remember which are damaged.

        Raises:
            BackupError: The ledger can't be used.
        """
        config, marks = self._config, self.ledger.marks
        checked = await check_newest(
            self._stores.values(),
            config.verify.newest,
            limits=limits_of(config.verify),
            clock=self._clock,
            log=self._log,
            temp_folder=config.state_dir,
        )
        for each in checked:
            if each.ok:
                await marks.forget_damages(each.destination, [each.key])
            elif each.error is not None and not each.unread:
                await marks.note_damage(
                    each.destination, each.key, error_code=each.error.code, at=self._clock.utc_now()
                )

    async def tidy(self) -> None:
        """Remove what was left at the destinations of uploads that a process died in, a day ago or more."""
        before = self._clock.utc_now() - ORPHANED
        for store in self._stores.values():
            try:
                await store.tidy_all(before=before)
            except BackupError as error:
                self._log.emit(
                    Event.PRUNE_REFUSED,
                    destination=store.name,
                    error_code=error.code,
                    error=error.message,
                    hint=error.hint or None,
                )

    async def _give_up(self, entry: Entry, shipment: Shipment) -> None:
        """End a shipment of which nothing is left to ship."""
        error = artifact_lost([shipment.destination])
        self._log.emit(
            Event.DESTINATION_FAILED,
            destination=shipment.destination,
            error_code=error.code,
            error=error.message,
            hint=error.hint,
        )
        await self.ledger.unship(entry.run_id)

    async def _is_recent(self, run_id: str, job: Job) -> bool:
        """Say whether a run that was left holds what somebody would expect who asks for a backup now."""
        entry = await self.ledger.entry(run_id)
        if entry is None or entry.export_created_at is None:
            return False
        return abs(self._clock.utc_now() - entry.export_created_at) < max(2 * job.export_timeout, _RECENT)

    async def _prune_late(self, job: Job, around: Surroundings, destination: str, entry: Entry) -> None:
        waiting = await is_waiting(job, around)
        await prune_at(around, [destination], entry, waiting=waiting)

    async def warn(self) -> None:
        """Say what the configuration may not mean.

        Raises:
            BackupError: The ledger can't be used.
        """
        problems = [*self._config.warnings, *stranded(self._config, await self.ledger.owed())]
        for problem in problems:
            self._log.emit(Event.CONFIG_WARNING, path=problem.path, message=problem.message, hint=problem.hint or None)

    def _surroundings(
        self, job: Job, progress: Progress, ended: Callable[[RunReport], None] = lambda _report: None
    ) -> Surroundings:
        config = self._config
        workspace = config.workspaces[job.workspace]
        tokens = self._tokens.setdefault(
            workspace.name,
            TokenSource(
                workspace.url, workspace.api_token.read, transport=self._transport, clock=self._clock, log=self._log
            ),
        )
        return Surroundings(
            workspace=workspace,
            client=LeanixClient(
                workspace.url,
                tokens,
                transport=self._transport,
                request_timeout_s=job.request_timeout.total_seconds(),
                clock=self._clock,
                log=self._log,
            ),
            ledger=self.ledger,
            spool=self._spool,
            stores=tuple(self._stores[name] for name in job.destinations),
            scopes={
                scope.destination: scope
                for scope in scopes_of(config)
                if (scope.workspace, scope.export) == (job.workspace, job.export)
            },
            limits=limits_of(config.verify),
            rejected=config.state_dir / "rejected",
            dates_only=self._dates_only.setdefault(job.name, DatesOnly(job.audit_log.date_only)),
            stopped=ended,
            config_sha256=config.sha256,
            host=socket.gethostname(),
            clock=self._clock,
            log=self._log,
            progress=progress,
        )


def _unbegun(call: Call) -> Order:
    return Order(str(uuid.uuid4()), call.job, call.trigger, call.scheduled_at)


def _of_this_window(report: RunReport) -> bool:
    """Say whether a run failed for what was asked for, so that another window may still be had."""
    code = report.error.code if report.error else ""
    return code == REQUEST_REFUSED or code.startswith("artifact_")
