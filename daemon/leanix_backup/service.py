"""The life of `serve`: whatever is due runs, side by side over workspaces, until a signal ends it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

import anyio
from anyio.abc import TaskGroup

from leanix_backup import __version__, locks
from leanix_backup.clock import Clock
from leanix_backup.config import Config, Job
from leanix_backup.crew import Crew
from leanix_backup.cron import Schedule, last_due
from leanix_backup.errors import BackupError
from leanix_backup.events import Event, Log, context
from leanix_backup.model import RunReport, Trigger
from leanix_backup.observe.beating import beating
from leanix_backup.schedule import WAKE_EVERY_S, Bell
from leanix_backup.wiring import Call, Workshop

_MOST_RINGS = 10_000
_FORWARD_EVERY_S = 15.0
_TIDY_EVERY_S = 12 * 3600.0
_NEAR = timedelta(minutes=30)
_FAR_AHEAD = timedelta(hours=1)
_VERIFY = "verify.schedule"  # rings beside the jobs, whose names have no dots


class Service:
    """Run every job when it is due.

    Args:
        config: What to back up, when and where to.
        clock: Time and chance.
        log: Where events go.
        reported: Told of each run that ended.
        all_told: Called once, when it was told to end and nothing may go on any more.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        log: Log,
        reported: Callable[[RunReport], None] = lambda _report: None,
        all_told: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._log = log
        self._reported = reported
        self._jobs = {name: job for name, job in config.jobs.items() if job.enabled}
        self._workshop = Workshop(config, self._jobs.values(), clock=clock, log=log)
        self._reading = False
        self._crew = Crew(self._workshop, grace=config.shutdown_grace, clock=clock, log=log, all_told=all_told)

    @property
    def signalled(self) -> bool:
        """Whether it was a signal that ended it."""
        return self._crew.signal is not None

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
            beating(self._config.state_dir, self._clock),
            self._workshop,
        ):
            await self._workshop.warn()
            await self._live()
        self._log.emit(Event.SERVICE_STOPPED, duration_s=round(self._clock.monotonic() - since, 3))

    async def _live(self) -> None:
        """Run what is due until told to stop.

        Raises:
            BackupError: The ledger can't be used.
        """
        jobs = self._jobs
        # The bell must never wait for a reader, so the stream between them has room for a very long while.
        ring, heard = anyio.create_memory_object_stream[tuple[str, datetime]](_MOST_RINGS)
        schedules = {name: job.schedule for name, job in jobs.items()}
        if self._config.verify.schedule is not None:
            schedules[_VERIFY] = self._config.verify.schedule
        bell = Bell(schedules, lambda name, due: ring.send_nowait((name, due)))
        with ring, heard:
            failure: BackupError | None = None
            async with anyio.create_task_group() as runs, anyio.create_task_group() as chores:
                chores.start_soon(self._crew.heed_signals)
                try:
                    await self._remember_new_jobs()
                    await self._workshop.end_strays()
                    await self._workshop.sweep()
                except BackupError as error:  # raised below, where it is not one of a group's
                    failure = error
                    self._crew.stop()
                chores.start_soon(self._keep_awake, bell)
                bell.start()
                now = self._clock.utc_now()  # what is due from here on is the bell's
                if failure is None:
                    self._log.emit(Event.SERVICE_STARTED, version=__version__, jobs=sorted(jobs), pid=os.getpid())
                for name in jobs if failure is None else ():
                    runs.start_soon(self._take_up, name, now)
                chores.start_soon(self._answer, heard, runs, chores)
                chores.start_soon(self._forward)
                chores.start_soon(self._tidy)
                await self._crew.drain_when_stopped()
                bell.stop()
                chores.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _answer(
        self, heard: anyio.abc.ObjectReceiveStream[tuple[str, datetime]], runs: TaskGroup, chores: TaskGroup
    ) -> None:
        async for name, due in heard:
            if name == _VERIFY:
                chores.start_soon(self._read_back)
            elif not self._crew.stopping:
                runs.start_soon(self._run_due, name, due)

    async def _read_back(self) -> None:
        """Read stored backups back, unless that is going on; a stop ends it, as nothing is lost by that."""
        if self._reading:
            return
        self._reading = True
        try:
            await self._workshop.read_back()
        except BackupError as error:  # the ledger's volume, say: what was found is in the log
            self._log.emit(Event.BACKUP_NOT_CHECKED, error_code=error.code, error=error.message, hint=error.hint)
        finally:
            self._reading = False

    async def _run_due(self, name: str, due: datetime) -> None:
        """Run a job that rang, unless it is on its way, or that time was answered already."""
        job = self._jobs[name]
        reports: list[RunReport] = []
        with self._on_behalf_of(job, due):
            if name in self._crew.running:
                self._log.emit(Event.RUN_SKIPPED, reason="overlap", scheduled_at=due)
                await self._workshop.ledger.answer(name, due)
                return
            answered = await self._workshop.ledger.last_due(name)
            if answered is not None and due <= answered:  # the clock was set back, or the run was caught up
                await self._mind_the_clock(name)
                return
            before = self._clock.uniform(0.0, job.jitter.total_seconds())
            reports = await self._crew.run(Call(job, Trigger.SCHEDULE, due), before=before)
        self._report(reports)

    async def _remember_new_jobs(self) -> None:
        """Write down from when on a job's due times count: what was due before it was there was not missed."""
        for name in self._jobs:
            if await self._workshop.ledger.last_due(name) is None:
                await self._workshop.ledger.answer(name, self._clock.utc_now())
            await self._mind_the_clock(name)

    async def _mind_the_clock(self, name: str) -> None:
        """Forget a due time that was answered by a clock that was far ahead: it would silence the job until then."""
        now, answered = self._clock.utc_now(), await self._workshop.ledger.last_due(name)
        if answered is not None and answered > now + _FAR_AHEAD:
            job = self._jobs[name]
            with context(job=job.name, workspace=job.workspace, export=job.export.value):
                self._log.emit(Event.CLOCK_SET_BACK, known_due_at=answered)
            await self._workshop.ledger.reset_due(name, now)

    async def _take_up(self, name: str, now: datetime) -> None:
        """Go on with what a process left of a job, and catch up what was due while none was there."""
        job, ledger = self._jobs[name], self._workshop.ledger
        reports: list[RunReport] = []
        with self._on_behalf_of(job, now):
            answered = await ledger.last_due(name)
            missed = last_due(job.schedule, since=answered, now=now) if answered and job.catch_up else None
            if missed is not None and _is_near(job.schedule, now):
                missed = None
            left = await ledger.unfinished(job.workspace, job.export)
            if missed is not None or any(entry.job == name for entry in left):
                call = Call(job, Trigger.CATCH_UP, missed or now, fresh=missed is not None)
                reports = await self._crew.run(call)
        self._report(reports)

    @contextmanager
    def _on_behalf_of(self, job: Job, due: datetime) -> Iterator[None]:
        """Have lines say which job they are about; what can't even begin is said, and the service goes on."""
        with context(job=job.name, workspace=job.workspace, export=job.export.value):
            try:
                yield
            except BackupError as error:  # the ledger's volume, say
                self._log.emit(
                    Event.RUN_SKIPPED, reason=error.code, scheduled_at=due, error=error.message, hint=error.hint
                )

    def _report(self, reports: Sequence[RunReport]) -> None:
        for report in reports:
            self._reported(report)

    async def _forward(self) -> None:
        """Ship late what destinations refused."""
        while True:
            for job in self._jobs.values():
                with suppress(BackupError):  # whatever keeps it from being shipped keeps runs from going well, too
                    await self._workshop.forward(job)
            await self._clock.sleep(_FORWARD_EVERY_S)

    async def _tidy(self) -> None:
        """Remove now and then what was left at the destinations of uploads that a process died in."""
        while True:
            await self._workshop.tidy()
            await self._clock.sleep(_TIDY_EVERY_S)

    async def _keep_awake(self, bell: Bell) -> None:
        while True:
            await self._clock.sleep(WAKE_EVERY_S)
            bell.wake()


def _is_near(schedule: Schedule, now: datetime) -> bool:
    """Say whether the next regular run comes so soon that catching up would only double it."""
    following = schedule.next_after(now)
    interval = schedule.next_after(following) - following
    return following - now < min(_NEAR, interval / 2)
