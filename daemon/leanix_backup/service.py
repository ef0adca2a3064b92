"""The life of `serve`: whatever is due runs, side by side over workspaces, until a signal ends it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

import anyio
from anyio.abc import TaskGroup

from leanix_backup import __version__, locks
from leanix_backup.clock import Clock
from leanix_backup.config import Config
from leanix_backup.crew import Crew
from leanix_backup.errors import BackupError
from leanix_backup.events import Event, Log, context
from leanix_backup.model import RunReport, Trigger
from leanix_backup.schedule import WAKE_EVERY_S, Bell
from leanix_backup.wiring import Call, Workshop

_MOST_RINGS = 10_000


class Service:
    """Run every job when it is due.

    Args:
        config: What to back up, when and where to.
        clock: Time and chance.
        log: Where events go.
        reported: Told of each run that ended.
    """

    def __init__(
        self, config: Config, *, clock: Clock, log: Log, reported: Callable[[RunReport], None] = lambda _report: None
    ) -> None:
        self._config = config
        self._clock = clock
        self._log = log
        self._reported = reported
        self._jobs = {name: job for name, job in config.jobs.items() if job.enabled}
        self._workshop = Workshop(config, self._jobs.values(), clock=clock, log=log)
        self._crew = Crew(self._workshop, grace=config.shutdown_grace, clock=clock, log=log)

    def stop(self) -> None:
        """Ask the service to end, as a signal would."""
        self._crew.stop()

    async def serve(self) -> None:
        """Run until a signal, or `stop`, ends it.

        Raises:
            LockedError: Another `serve` uses this `state_dir`.
            SpoolError: The spool can't be written.
        """
        since = self._clock.monotonic()
        async with (
            locks.hold(self._config.state_dir, locks.SERVE, clock=self._clock, doing="serve", wait=False),
            self._workshop,
        ):
            self._workshop.warn()
            await self._live()
        self._log.emit(Event.SERVICE_STOPPED, duration_s=round(self._clock.monotonic() - since, 3))

    async def _live(self) -> None:
        jobs = self._jobs
        # The bell must never wait for a reader, so the stream between them has room for a very long while.
        ring, heard = anyio.create_memory_object_stream[tuple[str, datetime]](_MOST_RINGS)
        bell = Bell({name: job.schedule for name, job in jobs.items()}, lambda name, due: ring.send_nowait((name, due)))
        with ring, heard:
            async with anyio.create_task_group() as runs, anyio.create_task_group() as chores:
                chores.start_soon(self._crew.heed_signals)
                chores.start_soon(self._keep_awake, bell)
                bell.start()
                self._log.emit(Event.SERVICE_STARTED, version=__version__, jobs=sorted(jobs), pid=os.getpid())
                chores.start_soon(self._answer, heard, runs)
                await self._crew.drain_when_stopped()
                bell.stop()
                chores.cancel_scope.cancel()

    async def _answer(self, heard: anyio.abc.ObjectReceiveStream[tuple[str, datetime]], runs: TaskGroup) -> None:
        async for name, due in heard:
            if not self._crew.stopping:
                runs.start_soon(self._run_due, name, due)

    async def _run_due(self, name: str, due: datetime) -> None:
        job = self._jobs[name]
        with context(job=name, workspace=job.workspace, export=job.export.value):
            if name in self._crew.running:
                self._log.emit(Event.RUN_SKIPPED, reason="overlap", scheduled_at=due)
                return
            try:
                reports = await self._crew.run(
                    Call(job, Trigger.SCHEDULE, due),
                    before=self._clock.uniform(0.0, job.jitter.total_seconds()),
                )
            except BackupError as error:  # the lock's folder, say: this run is lost, the service goes on
                self._log.emit(
                    Event.RUN_SKIPPED, reason=error.code, scheduled_at=due, error=error.message, hint=error.hint
                )
                return
        for report in reports:
            self._reported(report)

    async def _keep_awake(self, bell: Bell) -> None:
        while True:
            await self._clock.sleep(WAKE_EVERY_S)
            bell.wake()
