"""The two clocks and chance, handed to whoever needs them so that tests hand in others.

Wall-clock time (`utc_now`) is for schedules, names and records and is always aware and in UTC. Waits, deadlines and
durations use `monotonic`, in seconds, which does not jump.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio


@dataclass(frozen=True, slots=True)
class Clock:
    """What a run may know about time and chance.

    Attributes:
        utc_now: The wall clock, aware, in UTC.
        monotonic: Seconds since some instant; never goes back.
        sleep: Wait for a number of seconds; can be cancelled.
        uniform: A random number between two bounds.
    """

    utc_now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    uniform: Callable[[float, float], float] = random.uniform

    def deadline(self, seconds: float) -> Deadline:
        """Start a deadline that many seconds from now."""
        return Deadline(self, self.monotonic() + seconds)


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant of the monotonic clock that work must not pass."""

    clock: Clock
    at: float

    @property
    def remaining(self) -> float:
        """Seconds left; zero once it has passed."""
        return max(0.0, self.at - self.clock.monotonic())

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.remaining <= 0


def format_utc(instant: datetime) -> str:
    """Write an aware instant as ISO-8601 in UTC with `Z`; microseconds only where there are any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
