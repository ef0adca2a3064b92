"""Jobs on their way, side by side, and how they are stopped in good order (design §7).

Shared by `serve`, `backup` and `demo`. On the first signal what only waits for LeanIX stops at once; a download, a
verification or an upload may use the grace; the second signal, or the end of the grace, stops everything.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import anyio

from leanix_backup.clock import Clock
from leanix_backup.config import Job
from leanix_backup.events import Event, Log
from leanix_backup.model import RunReport, Stage
from leanix_backup.run import Progress
from leanix_backup.wiring import Call, Workshop

_SAME_SIGNAL_S = 0.2
_WAITS = (Stage.REQUESTED, Stage.EXPORTING)


@dataclass(slots=True)
class _Running:
    """One job on its way: what to cancel, and how far it is."""

    job: Job
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    stage: Stage = Stage.REQUESTED


class Crew:
    """Run jobs until told to stop.

    Args:
        workshop: What runs need; must be open.
        grace: How long a download or an upload may go on after the first signal.
        clock: Time.
        log: Where `service_stopping` goes.
        all_told: Called once, when nothing may go on any more: whoever owns the process may see that it really ends.
    """

    def __init__(
        self,
        workshop: Workshop,
        *,
        grace: timedelta,
        clock: Clock,
        log: Log,
        all_told: Callable[[], None] = lambda: None,
    ) -> None:
        self._workshop = workshop
        self._grace = grace
        self._clock = clock
        self._log = log
        self._running: list[_Running] = []
        self._stopping = anyio.Event()
        self._stopped_at = 0.0
        self._all_told: Callable[[], None] | None = all_told
        self.signal: signal.Signals | None = None

    @property
    def stopping(self) -> bool:
        """Whether no new run may start."""
        return self._stopping.is_set()

    @property
    def running(self) -> tuple[str, ...]:
        """The names of the jobs that are on their way."""
        return tuple(each.job.name for each in self._running)

    async def run(self, call: Call, *, before: float = 0.0) -> list[RunReport]:
        """Run a job and return its reports; that of a run that was stopped is among them.

        Args:
            call: What to run, and how.
            before: Seconds to wait first, outside any lock.

        Raises:
            LockedError: Another process holds this export of this workspace, and `call` does not wait.
        """
        running = _Running(call.job)
        reports: list[RunReport] = []
        if self.stopping:
            return reports
        self._running.append(running)
        try:
            with running.scope:
                await self._clock.sleep(before)
                progress = self._watching(running, call.progress)
                await self._workshop.run_job(call, ended=reports.append, progress=progress, go_on=self._go_on)
            return reports
        finally:
            self._running.remove(running)

    async def drain_when_stopped(self) -> None:
        """Wait for `stop`; then let go on what may, for the grace, and return when nothing is on its way."""
        await self._stopping.wait()
        deadline = self._clock.deadline(self._grace.total_seconds())
        while self._running:
            if deadline.passed:
                self._cancel_all()
            await anyio.sleep(0.05)
        self._cancel_all()

    def stop(self, number: signal.Signals | None = None) -> None:
        """Start nothing new and cancel what only waits; the second call cancels everything."""
        if self.stopping:
            # Some send one signal twice, to the process and to its group: that is still the first.
            if number is not self.signal or self._clock.monotonic() - self._stopped_at > _SAME_SIGNAL_S:
                self._cancel_all()
            return
        self._stopped_at = self._clock.monotonic()
        self.signal = number
        self._log.emit(
            Event.SERVICE_STOPPING,
            signal=number.name if number else None,
            running=list(self.running),
            grace_s=self._grace.total_seconds(),
        )
        self._stopping.set()
        self._cancel(lambda stage: stage in _WAITS)

    async def heed_signals(self) -> None:
        """Turn SIGTERM and SIGINT into `stop`, for as long as this is not cancelled."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                self.stop(number)

    def _go_on(self) -> bool:
        return not self.stopping

    def _watching(self, running: _Running, progress: Progress) -> Progress:
        def note(stage: Stage, done: int, total: int | None) -> None:
            running.stage = stage
            if self.stopping and stage in _WAITS:  # a new attempt would only wait
                running.scope.cancel()
            progress(stage, done, total)

        return note

    def _cancel_all(self) -> None:
        self._cancel(lambda _stage: True)
        told, self._all_told = self._all_told, None
        if told is not None:
            told()

    def _cancel(self, which: Callable[[Stage], bool]) -> None:
        for running in self._running:
            if which(running.stage):
                running.scope.cancel()
