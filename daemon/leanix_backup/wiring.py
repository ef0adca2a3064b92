"""Open what runs need, and start runs: shared by `serve`, `backup` and `demo`."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from leanix_backup import coverage, locks, workbook
from leanix_backup.catalog import read_catalog
from leanix_backup.clock import Clock
from leanix_backup.config import Config, Job, LocalDestination, S3Destination
from leanix_backup.errors import BackupError, ConfigError, Problem, StoreError
from leanix_backup.events import Event, Log, redactor
from leanix_backup.leanix import LeanixClient, TokenSource, Transport
from leanix_backup.model import ExportType, Outcome, RunReport, Stretch, Trigger, Window
from leanix_backup.naming import export_prefix
from leanix_backup.run import Order, Progress, Surroundings, run_backup
from leanix_backup.spool import Spool
from leanix_backup.stores import LocalStore, Store


def open_store(name: str, destination: LocalDestination | S3Destination) -> Store:
    """Make the store of a destination; nothing is touched yet.

    Raises:
        StoreError: `destination_unsupported`.
    """
    if isinstance(destination, LocalDestination):
        return LocalStore(name, destination.path)
    raise StoreError(
        "this version can't use a destination of type s3 yet",
        code="destination_unsupported",
        hint="use a destination of type local",
        retryable=False,
    )


def _open_stores(config: Config, names: Iterable[str]) -> dict[str, Store]:
    """Make the stores that jobs need, or refuse to begin."""
    stores: dict[str, Store] = {}
    problems: list[Problem] = []
    for name in names:
        try:
            stores[name] = open_store(name, config.destinations[name])
        except StoreError as error:
            problems.append(Problem(f"destinations.{name}", error.message, error.hint))
    if problems:
        raise ConfigError(tuple(problems))
    return stores


@dataclass(frozen=True, slots=True)
class Call:
    """A request to run a job now, and how."""

    job: Job
    trigger: Trigger
    scheduled_at: datetime
    wait_for_lock: bool = True
    progress: Progress = lambda _stage, _done, _total: None


class Workshop:
    """Connections, spool and stores of one configuration; a context manager that closes them.

    Args:
        config: What to back up and where to.
        jobs: The jobs that will be run; the stores of others are not made.
        clock: Time and chance.
        log: Where events go.

    Raises:
        ConfigError: A destination is of a kind that this version can't use.
        BackupError: The proxy's address or the CA bundle can't be used.
    """

    def __init__(self, config: Config, jobs: Iterable[Job], *, clock: Clock, log: Log) -> None:
        self._config = config
        self._clock = clock
        self._log = log
        self._stack = AsyncExitStack()
        self._tokens: dict[str, TokenSource] = {}
        network = config.network
        proxy = network.proxy.read() if network.proxy else None
        if proxy:
            redactor.learn(proxy)
        self._transport = Transport(ca_bundle=network.ca_bundle, proxy=proxy, no_proxy=network.no_proxy)
        self._spool = Spool(config.spool.path, max_size_bytes=config.spool.max_size)
        used = {name for job in jobs for name in job.destinations}
        self._stores = _open_stores(config, sorted(used))

    async def __aenter__(self) -> Self:
        """Make the spool's folder and open the connections.

        Raises:
            SpoolError: The spool can't be written.
        """
        self._spool.prepare()
        await self._stack.enter_async_context(self._transport)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._stack.__aexit__(kind, error, trace)

    async def run_job(self, call: Call, *, progress: Progress, go_on: Callable[[], bool]) -> list[RunReport]:
        """Run a job once; for the audit log, that is a run for each window.

        Args:
            call: Which job, and why.
            progress: Told how far a run is.
            go_on: Asked before each further window.

        Returns:
            The report of each run. After one that failed, later windows are left for the next time, so that what is
            held stays without a hole.

        Raises:
            LockedError: Another process holds this export of this workspace, and `call` does not wait.
        """
        job = call.job
        lock = locks.export_lock(job.workspace, job.export)
        async with locks.hold(
            self._config.state_dir, lock, clock=self._clock, doing=f"job {job.name}", wait=call.wait_for_lock
        ):
            reports: list[RunReport] = []
            around = self._surroundings(call.job, progress)
            for window in await self._windows(job, around.client):
                order = Order(str(uuid.uuid4()), job, call.trigger, call.scheduled_at, window)
                reports.append(await run_backup(order, around))
                if reports[-1].outcome is Outcome.FAILED or not go_on():
                    break
            return reports

    def warn(self) -> None:
        """Say what the configuration may not mean."""
        for problem in self._config.warnings:
            self._log.emit(Event.CONFIG_WARNING, path=problem.path, message=problem.message, hint=problem.hint or None)

    def _surroundings(self, job: Job, progress: Progress) -> Surroundings:
        config = self._config
        workspace = config.workspaces[job.workspace]
        tokens = self._tokens.setdefault(
            workspace.name,
            TokenSource(
                workspace.url, workspace.api_token.read, transport=self._transport, clock=self._clock, log=self._log
            ),
        )
        limits = config.verify
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
            spool=self._spool,
            stores=tuple(self._stores[name] for name in job.destinations),
            limits=workbook.Limits(
                max_members=limits.max_members, max_unpacked=limits.max_unpacked, max_ratio=limits.max_ratio
            ),
            rejected=config.state_dir / "rejected",
            config_sha256=config.sha256,
            host=socket.gethostname(),
            clock=self._clock,
            log=self._log,
            progress=progress,
        )

    async def _windows(self, job: Job, client: LeanixClient) -> Iterable[Window | None]:
        """Plan the windows of an audit log from what is held; every other export is one run without a window."""
        if job.export is not ExportType.AUDIT_LOG:
            return (None,)
        known = await read_catalog(
            [self._stores[name] for name in job.destinations], prefix=export_prefix(job.workspace, job.export)
        )
        held = [Stretch(found.key.start, found.key.taken_at) for found in known.backups if found.key.start]
        settings = job.audit_log
        return coverage.plan_windows(
            held,
            now=await self._earlier_now(client, job),
            overlap=settings.overlap,
            initial_lookback=settings.initial_lookback,
            max_window=settings.max_window,
        )

    async def _earlier_now(self, client: LeanixClient, job: Job) -> datetime:
        """Say what time it is by the earlier of both clocks: beyond it nothing can have been logged yet."""
        now = self._clock.utc_now()
        deadline = self._clock.deadline(job.request_timeout.total_seconds())
        try:
            listed = await client.list_exports(job.export, deadline=deadline, stop=lambda _row: True, tries=1)
        except BackupError:  # the run itself will meet it, and say so
            return now
        return min(now, listed.server_time or now)
