"""How far back a stretch reaches: calendar arithmetic on the wall clock of a zone, the way restic does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from leanix_backup.model import RetentionSpan

EVER: Final = datetime.min.replace(tzinfo=UTC)
NEVER: Final = datetime.max.replace(tzinfo=UTC)
_MONTHS: Final = 12


def reach_back(instant: datetime, span: RetentionSpan, zone: ZoneInfo) -> datetime:
    """Say what lies a stretch before an instant, in UTC; `EVER` where the calendar has no such day.

    Years and months are taken off first, then days, all on the wall clock of the zone; hours come last and are real
    ones. A day that its month does not have runs over into the next: a month before 31 March is "31 February", which
    is 3 March.
    """
    return _reach(instant, span, zone, -1) or EVER


def reach_ahead(instant: datetime, span: RetentionSpan, zone: ZoneInfo) -> datetime:
    """Say what lies a stretch after an instant, counted in the same way; `NEVER` where the calendar ends before."""
    return _reach(instant, span, zone, 1) or NEVER


def _reach(instant: datetime, span: RetentionSpan, zone: ZoneInfo, sign: int) -> datetime | None:
    try:
        wall = instant.astimezone(zone).replace(tzinfo=None)
        months = (wall.year + sign * span.years) * _MONTHS + wall.month - 1 + sign * span.months
        first = wall.replace(year=months // _MONTHS, month=months % _MONTHS + 1, day=1)
        moment = _moment(first + timedelta(days=wall.day - 1 + sign * span.days), zone)
        return moment + sign * timedelta(hours=span.hours)
    except (ValueError, OverflowError):
        return None


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Find the instant at which a wall shows a time, in UTC.

    Around a change of the clocks restic's language reads a wall time with the offset that UTC would have at that time,
    corrected once. The same is done here: a backup that lies in that hour is then kept or not as restic would.
    """
    as_utc = wall.replace(tzinfo=UTC)
    guess = as_utc - _offset(as_utc, zone)
    return as_utc - _offset(guess, zone)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()
