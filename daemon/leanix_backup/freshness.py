"""Whether a job is safe: how old its last success may be. Pure; time comes in as an argument."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from leanix_backup.cron import Schedule


class State(StrEnum):
    """How a job stands."""

    OK = "ok"
    OVERDUE = "overdue"
    FAILING = "failing"  # the last run failed, but it is not overdue yet
    PAUSED = "paused"
    NEVER = "never"  # no success yet, and it is not overdue either


def overdue_at(schedule: Schedule, last_success: datetime, *, grace: timedelta) -> datetime:
    """Say from when on a job is overdue: its second due time since the last success, and then `grace`.

    One due time may be missed without a word: the run may take long, or fail once.
    """
    return schedule.next_after(schedule.next_after(last_success)) + grace


def judge(
    *,
    enabled: bool,
    schedule: Schedule,
    last_success: datetime | None,
    known_since: datetime | None,
    last_failed: bool,
    now: datetime,
    grace: timedelta,
    max_age: timedelta | None,
) -> State:
    """Say how a job stands.

    Args:
        enabled: Whether it runs at all.
        schedule: When it is due.
        last_success: When its newest backup was taken; None where there is none.
        known_since: Since when it is expected to run; counts where there was no success.
        last_failed: Whether its last run stored nothing.
        now: The time.
        grace: How long a run may take: `export_timeout`.
        max_age: How old the last success may be, whatever the schedule says; None to go by the schedule.
    """
    if not enabled:
        return State.PAUSED
    since = last_success or known_since
    if since is not None:
        limit = overdue_at(schedule, since, grace=grace) if max_age is None else since + max_age
        if limit < now:
            return State.OVERDUE
    if last_failed:
        return State.FAILING
    return State.OK if last_success else State.NEVER
