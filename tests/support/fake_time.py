"""Time that passes only when somebody sleeps, and chance without surprise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio.lowlevel

from leanix_backup.clock import Clock, Deadline

START = datetime(2027, 3, 31, 12, 0, tzinfo=UTC)


class FakeTime:
    """A clock for tests: `clock.sleep` moves both clocks on at once; `slept` has every wait, in seconds.

    Args:
        start: What the wall clock says at first; the monotonic clock starts at 1000 and knows nothing of it.
        spread: What chance draws, from -1 to 1, wherever somebody asks for it.
    """

    def __init__(self, start: datetime = START, *, spread: float = 0.0) -> None:
        self.utc_now = start
        self.monotonic = 1000.0
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None
        self._spread = spread
        self.clock = Clock(lambda: self.utc_now, lambda: self.monotonic, self._sleep, self._uniform)

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return self.monotonic - 1000.0

    def deadline(self, seconds: float = 3600.0) -> Deadline:
        return self.clock.deadline(seconds)

    def advance(self, seconds: float) -> None:
        self.monotonic += seconds
        self.utc_now += timedelta(seconds=seconds)

    async def _sleep(self, seconds: float) -> None:
        await anyio.lowlevel.checkpoint()
        self.slept.append(seconds)
        self.advance(seconds)
        self.on_sleep()

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * (self._spread + 1) / 2
