"""Which stretches of the changelog are held, and which to ask for next. Pure; whole seconds throughout."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from leanix_backup.model import Stretch, Window

_SHORTEST = timedelta(seconds=1)


def merge(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Join stretches that touch or overlap; the oldest first."""
    merged: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda each: (each.start, each.end)):
        if merged and stretch.start <= merged[-1].end:
            merged[-1] = Stretch(merged[-1].start, max(merged[-1].end, stretch.end))
        else:
            merged.append(stretch)
    return tuple(merged)


def plan_windows(
    held: Iterable[Stretch],
    *,
    now: datetime,
    overlap: timedelta,
    initial_lookback: timedelta,
    max_window: timedelta,
) -> tuple[Window, ...]:
    """Say which windows to ask for so that the changelog is held up to now.

    Args:
        held: What is held already; what claims to reach beyond now counts up to now.
        now: The end of the last window.
        overlap: How far each plan reaches back into what is held.
        initial_lookback: How far to reach back where nothing is held.
        max_window: The longest window; a longer stretch is split.

    Returns:
        Windows without a hole between them, the oldest first, at least one.
    """
    now = now.replace(microsecond=0)
    joined = merge(held)
    start = min(joined[-1].end, now) - overlap if joined else now - initial_lookback
    start = min(start.replace(microsecond=0), now - _SHORTEST)
    windows: list[Window] = []
    while start < now:
        end = min(start + max_window, now)
        windows.append(Window(start, end, asked=Stretch(start, end)))
        start = end
    return tuple(windows)
