"""Which stretches of the changelog are held, which are missing, and which to ask for next. Pure; whole seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from leanix_backup.model import Asked, Stretch

_SECOND = timedelta(seconds=1)
_CLOCK_GRACE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is held of a changelog, and what is missing between the oldest held and now.

    Attributes:
        held: Stretches without a hole in them; the oldest first.
        holes: What is missing between them: only asking for it again helps.
        tail: What has passed since the newest held; None where nothing has. The next run asks for it anyway.
    """

    held: tuple[Stretch, ...]
    holes: tuple[Stretch, ...]
    tail: Stretch | None

    @property
    def missing(self) -> tuple[Stretch, ...]:
        """Holes and tail together; the oldest first."""
        return (*self.holes, self.tail) if self.tail else self.holes


def merge(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Join stretches that touch or overlap; the oldest first."""
    merged: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda each: (each.start, each.end)):
        if merged and stretch.start <= merged[-1].end:
            merged[-1] = Stretch(merged[-1].start, max(merged[-1].end, stretch.end))
        else:
            merged.append(stretch)
    return tuple(merged)


def cover(stretches: Iterable[Stretch], *, now: datetime) -> Coverage:
    """Say what a set of windows covers up to now.

    A window that claims to reach beyond now was made by a clock that was wrong: it counts for nothing, so that what it
    may not hold is asked for again.
    """
    now = now.replace(microsecond=0)
    held = merge(each for each in stretches if each.end <= now + _CLOCK_GRACE)
    holes = tuple(Stretch(left.end, right.start) for left, right in pairwise(held))
    tail = Stretch(held[-1].end, now) if held and held[-1].end < now else None
    return Coverage(held, holes, tail)


def plan_windows(
    held: Iterable[Stretch],
    *,
    now: datetime,
    overlap: timedelta,
    initial_lookback: timedelta,
    max_window: timedelta,
) -> tuple[Stretch, ...]:
    """Say which windows to ask for so that the changelog is held up to now, without a hole.

    Args:
        held: What is held already.
        now: The end of the last window.
        overlap: How far each missing stretch is begun earlier, into what is held.
        initial_lookback: How far to reach back where nothing is held.
        max_window: The longest window; a longer stretch is split.

    Returns:
        Windows, the oldest first: those of holes, and those up to now, of which there is always one.
    """
    now = now.replace(microsecond=0)
    covered = cover(held, now=now)
    wanted = [Stretch(hole.start - overlap, hole.end) for hole in covered.holes]
    if covered.tail is not None:
        wanted.append(Stretch(covered.tail.start - overlap, now))
    elif covered.held:
        wanted.append(Stretch(now - max(overlap, _SECOND), now))
    else:
        wanted.append(Stretch(now - initial_lookback, now))
    return tuple(window for stretch in wanted for window in _split(stretch, max_window))


def ask_times(window: Stretch) -> Asked:
    """Say what to send for a window where the server takes date-times."""
    return Asked(_utc(window.start), _utc(window.end))


def ask_dates(window: Stretch, *, up_to_now: bool) -> Asked:
    """Say what to send for a window where the server takes dates only.

    The start is rounded down to its day. Whether a last day is part of what comes is not known, so one more is asked
    for; a window that reaches up to now gets no end at all.
    """
    start = f"{window.start.astimezone(UTC):%Y-%m-%d}"
    return Asked(start, None if up_to_now else f"{window.end.astimezone(UTC) + timedelta(days=1):%Y-%m-%d}")


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _split(stretch: Stretch, longest: timedelta) -> list[Stretch]:
    windows: list[Stretch] = []
    start = stretch.start
    while start < stretch.end:
        end = min(start + longest, stretch.end)
        windows.append(Stretch(start, end))
        start = end
    return windows
