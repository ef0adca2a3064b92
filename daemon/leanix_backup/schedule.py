"""When: the one door to APScheduler, which only rings a bell. Whoever hears it owns the run.

APScheduler loses what a job of its raises, so no run is one of its jobs: they do nothing, and a listener tells that
they were due. What a schedule means is `cron`'s business; several rings that were missed become one, for the newest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_SUBMITTED, JobSubmissionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from leanix_backup.cron import Schedule, last_due

WAKE_EVERY_S = 30.0
_JUMP_S = 2.0


class _Trigger(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """Ask a `Schedule` when it is due next."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Say the next due time after now: what was missed in between has become the ring that is due now."""
        return self._schedule.next_after(max(previous, now) if previous else now)


class Bell:
    """Ring when a job is due. Start it inside a running event loop.

    Args:
        schedules: When each job is due, by its name.
        ring: Called in the event loop with the job's name and the time it was due (UTC); must not wait.
    """

    def __init__(self, schedules: Mapping[str, Schedule], ring: Callable[[str, datetime], None]) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._ring = ring
        self._schedules = schedules
        self._ahead = time.time() - time.monotonic()
        self._ringing = False
        for name, schedule in schedules.items():
            self._scheduler.add_job(
                _nothing,
                trigger=_Trigger(schedule),
                id=name,
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1000,
            )
        self._scheduler.add_listener(self._heard, EVENT_JOB_SUBMITTED)

    def start(self) -> None:
        """Begin to ring."""
        self._ringing = True
        self._scheduler.start()

    def wake(self) -> None:
        """Look at the wall clock anew; called every `WAKE_EVERY_S`, so that a jump of it is noticed.

        After a jump ahead what became due rings at once. After one back, every next time is worked out anew: those
        that are known belong to a clock that was wrong.
        """
        ahead = time.time() - time.monotonic()
        if ahead < self._ahead - _JUMP_S:
            for name, schedule in self._schedules.items():
                self._scheduler.reschedule_job(name, trigger=_Trigger(schedule))
        self._ahead = ahead
        self._scheduler.wakeup()

    def stop(self) -> None:
        """Ring no more, from now on."""
        if self._ringing:
            self._ringing = False
            self._scheduler.shutdown(wait=False)  # takes effect when the event loop comes to it

    def _heard(self, event: JobSubmissionEvent) -> None:
        if not self._ringing:
            return
        due = event.scheduled_run_times[-1].astimezone(UTC)
        # After a jump ahead APScheduler knows the oldest of the rings that became one; the run answers the newest.
        newest = last_due(self._schedules[event.job_id], since=due, now=datetime.now(UTC))
        self._ring(event.job_id, newest or due)


async def _nothing() -> None:
    """Be the job that APScheduler thinks it runs."""
