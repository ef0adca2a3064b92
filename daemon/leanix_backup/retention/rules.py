"""The keep rules, as restic's `forget` reads them: which of a list of times they hold, and by which words.

All of them walk the list from the newest to the oldest. A counted rule keeps the newest of each hour, day, week, month
or year until its count is used up; a rule with a stretch does so for what is younger than that. Where a rule gets to
the oldest of the list with something left, it keeps that too, so that history grows to the length that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from leanix_backup.model import RetentionPolicy, RetentionSpan
from leanix_backup.retention.spans import reach_back


@dataclass(frozen=True, slots=True)
class _Pace:
    """Hours, days, …: which of them a wall time is in, as a number and in words."""

    name: str
    bucket: Callable[[datetime], int]
    label: str


# ISO weeks begin on Mondays, and so did the calendar that ordinals count from.
_PACES: Final = (
    _Pace("hourly", lambda wall: wall.toordinal() * 24 + wall.hour, "%Y-%m-%d %Hh"),
    _Pace("daily", lambda wall: wall.toordinal(), "%Y-%m-%d"),
    _Pace("weekly", lambda wall: (wall.toordinal() - 1) // 7, "%G-W%V"),
    _Pace("monthly", lambda wall: wall.year * 12 + wall.month, "%Y-%m"),
    _Pace("yearly", lambda wall: wall.year, "%Y"),
)


def has_rules(policy: RetentionPolicy) -> bool:
    """Tell whether a policy says what to keep, and not only what to delete."""
    return any(counts_of(policy)) or any(spans_of(policy))


def depends_on_the_way(policy: RetentionPolicy) -> bool:
    """Tell whether what stays depends on how often pruning ran, and not only on what there was and when.

    It does where "the oldest" of a rule can become another one: by `delete_after`, or as it leaves a rule's stretch.
    """
    return any(spans_of(policy)[1:]) or (policy.delete_after is not None and any(counts_of(policy)))


def spans_of(policy: RetentionPolicy) -> list[RetentionSpan | None]:
    """List the stretches of a policy: that of `keep_within` first, then those with a pace."""
    return [policy.keep_within, *(getattr(policy, f"keep_within_{pace.name}") for pace in _PACES)]


def counts_of(policy: RetentionPolicy) -> tuple[int, ...]:
    """List the counts of a policy, in the order of `buckets_of`."""
    return (policy.keep_last, *(getattr(policy, f"keep_{pace.name}") for pace in _PACES))


def buckets_of(wall: datetime, number: int) -> tuple[int, ...]:
    """Say in which bucket of each counted rule a time is; `number` is its place among all."""
    return (number, *(pace.bucket(wall) for pace in _PACES))


def held(
    times: Sequence[datetime], policy: RetentionPolicy, *, zone: ZoneInfo, newest: datetime
) -> dict[int, list[str]]:
    """Say which times the keep rules hold, by their place in the list, each with its reasons.

    Args:
        times: The newest first.
        policy: The rules; `keep_min`, `delete_after` and `forever` are not looked at.
        zone: Whose hours, days, weeks, months and years count.
        newest: Where stretches are measured from.
    """
    reasons: dict[int, list[str]] = {}
    for place in range(min(policy.keep_last, len(times))):
        reasons.setdefault(place, []).append(f"last {place + 1} of {policy.keep_last}")
    if policy.keep_within is not None:
        for place in range(_reach(times, policy.keep_within, zone, newest)):
            reasons.setdefault(place, []).append(f"within {policy.keep_within}")
    walls = [time.astimezone(zone) for time in times]
    for pace in _PACES:
        count: int = getattr(policy, f"keep_{pace.name}")
        for place, reason in _walk(walls, pace, len(walls), count):
            reasons.setdefault(place, []).append(reason)
    for pace in _PACES:
        span: RetentionSpan | None = getattr(policy, f"keep_within_{pace.name}")
        if span is not None:
            reach = _reach(times, span, zone, newest)
            for place, reason in _walk(walls, pace, reach, reach):
                reasons.setdefault(place, []).append(f"{reason} within {span}")
    return reasons


def _reach(times: Sequence[datetime], span: RetentionSpan, zone: ZoneInfo, newest: datetime) -> int:
    """Count how many of the newest are younger than a stretch."""
    edge = reach_back(newest, span, zone)
    low, high = 0, len(times)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if times[middle] > edge else (low, middle)
    return low


def _walk(walls: Sequence[datetime], pace: _Pace, reach: int, count: int) -> list[tuple[int, str]]:
    """Keep the newest of each bucket among the first `reach`, `count` times at most, and the oldest of all."""
    found: list[tuple[int, str]] = []
    last = None
    for place in range(reach):
        if len(found) == count:
            break
        bucket = pace.bucket(walls[place])
        if bucket != last:
            found.append((place, f"{pace.name} {walls[place].strftime(pace.label)}"))
        elif place == len(walls) - 1:
            found.append((place, f"oldest {pace.name}"))
        last = bucket
    return found
