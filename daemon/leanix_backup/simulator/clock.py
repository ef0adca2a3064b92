"""The simulated server's clock: it can run faster than ours, jump ahead, and be off.

World time is what the simulated workspace lives by and never goes back. Server time is world time plus `skew`: what
the server says (its `Date` header, `createdAt`, …) while its clock is off by hours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from leanix_backup.simulator.timing import Timing


class SimClock:
    """Tell world time (`start + speed * elapsed + advanced`) and server time (`+ skew`).

    Safe to use from several threads.

    Args:
        start: World time at this moment, aware; by default the wall clock's of `timing`.
        speed: Seconds of world time per second of ours.
        skew: How far the server's clock is off; may be negative.
        timing: The seconds that world time is counted by.
        monotonic: Other seconds than those of `timing`.
    """

    def __init__(
        self,
        *,
        start: datetime | None = None,
        speed: float = 1.0,
        skew: timedelta = timedelta(),
        timing: Timing | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self.timing = timing or Timing()
        self._monotonic = monotonic or self.timing.monotonic
        self._lock = threading.Lock()
        self._base = (start or self.timing.utc_now()).astimezone(UTC)
        self._since = self._monotonic()
        self._speed = _checked_speed(speed)
        self._skew = skew

    @property
    def speed(self) -> float:
        """Seconds of world time per second of ours; may be set, from now on."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        with self._lock:
            self._rebase()
            self._speed = _checked_speed(speed)

    @property
    def skew(self) -> timedelta:
        """How far the server's clock is off; may be set at any time, world time does not notice."""
        return self._skew

    @skew.setter
    def skew(self, skew: timedelta) -> None:
        self._skew = skew

    def now(self) -> datetime:
        """World time, aware, in UTC; never earlier than any told before."""
        with self._lock:
            return self._base + timedelta(seconds=(self._monotonic() - self._since) * self._speed)

    def server_now(self) -> datetime:
        """What the server's own clock shows."""
        return self.to_server(self.now())

    def to_server(self, instant: datetime) -> datetime:
        """Turn world time into what the server says."""
        return instant + self._skew

    def to_world(self, instant: datetime) -> datetime:
        """Turn what a client understood from the server back into world time."""
        return instant - self._skew

    def span(self, seconds: float) -> timedelta:
        """World time that passes in that many of our seconds at the present speed.

        The life of an export and of a token is counted in the client's seconds: in a world that runs an hour per
        second, a finished export still lives ten minutes for whoever has to fetch it. At speed zero it is as at one.
        """
        return timedelta(seconds=seconds * (self._speed or 1.0))

    def advance(self, seconds: float) -> None:
        """Jump ahead. Raises ValueError for a jump back."""
        if seconds < 0:
            raise ValueError("time only goes forward: advance by zero or more seconds")
        with self._lock:
            self._rebase()
            self._base += timedelta(seconds=seconds)

    def _rebase(self) -> None:
        moment = self._monotonic()
        self._base += timedelta(seconds=(moment - self._since) * self._speed)
        self._since = moment


def _checked_speed(speed: float) -> float:
    if speed < 0:
        raise ValueError("time only goes forward: speed is zero or more")
    return speed
