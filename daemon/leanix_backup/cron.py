"""When a schedule fires: five cron fields as Debian's cron reads them, `@daily` and its like, `@every 6h`.

Pure: the instant comes in as an argument, the next firing goes out in UTC. cronsim finds the matching minutes of an
endless day without zones; what daylight saving does to them is decided here, by Debian's two rules:

- A schedule whose minute or hour begins with `*` follows the clock on the wall: it fires whenever the wall shows a
  matching minute, so `*/15 * * * *` and `0 * * * *` keep their pace through both nights, and `30 */2 * * *` fires
  twice where 02:30 comes twice.
- Any other schedule fires once for each matching minute: at the first of two, and, where the minute does not exist,
  at the moment the clock jumps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST: Final = timedelta(days=36_500)
DURATION_PATTERN: Final = r"^(?=[0-9])([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$"
NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_FIVE: Final = "minute, hour, day of month, month, day of week: 30 2 * * *"
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_TERM: Final = re.compile(
    r"(?:(?P<all>\*)|(?P<first>[0-9]{1,4}|[a-z]{3})(?:-(?P<last>[0-9]{1,4}|[a-z]{3}))?)(?:/(?P<step>[0-9]{1,4}))?"
)
_ELSEWHERE: Final = re.compile(r"[LW#?]|\bH\b", re.IGNORECASE)
_EVEN_YEAR: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall clock without a zone, to look for a first match


_STEPS = (("seconds", 5), ("minutes", 2), ("hours", 2), ("days", 2), ("days", 60), ("days", 800), ("days", 20_000))
# How far back to look for what was due last: short first, so that a busy schedule is not walked through from afar.
_REACHES = tuple(timedelta(**{unit: count}) for unit, count in _STEPS)


class ScheduleError(ValueError):
    """A schedule that can't be used, in one sentence, with a hint; neither quotes more than a number of it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is due; made by `parse`.

    Attributes:
        text: The schedule as it was written.
        zone: The zone whose wall clock the five fields read; `@every` does not look at it.
        fields: The five fields, or empty for `@every`.
        period: The period of `@every`, or None.
    """

    text: str
    zone: ZoneInfo
    fields: str
    period: timedelta | None = None

    def next_after(self, instant: datetime) -> datetime:
        """Find the first firing strictly after an aware instant, in UTC.

        Raises ScheduleError where there is none within fifty years; `parse` has refused schedules that never fire.
        """
        instant = instant.astimezone(UTC)
        if self.period is not None:
            return EPOCH + self.period * ((instant - EPOCH) // self.period + 1)
        if self.follows_wall:
            return self._next_on_the_wall(instant)
        wall = _wall(instant, self.zone)
        while True:
            wall = _next_match(self.fields, wall)
            moment = _first_moment(wall, self.zone)
            if moment > instant:
                return moment

    @property
    def follows_wall(self) -> bool:
        """Whether the minute or the hour begins with `*`, so that it fires whenever the wall shows a match."""
        minute, hour = self.fields.split()[:2] if self.fields else ("*", "*")
        return minute.startswith("*") or hour.startswith("*")

    @property
    def describe(self) -> str:
        """Say in words when it fires."""
        if self.period is not None:
            return f"Every {format_duration(self.period)}, counted from 1970-01-01 00:00 UTC"
        return f"{CronSim(self.fields, _EVEN_YEAR).explain()} ({self.zone.key})"

    def _next_on_the_wall(self, instant: datetime) -> datetime:
        start, wall = instant, _wall(instant, self.zone)
        while True:
            offset = _offset(start, self.zone)
            candidate = (_next_match(self.fields, wall) - offset).replace(tzinfo=UTC)
            change = _next_change(start, candidate, self.zone)
            if change is None:
                return candidate
            # From the change on another offset counts; its own first minute may match, too.
            start, wall = change, _wall(change, self.zone) - timedelta(seconds=1)


def parse(text: str, zone: ZoneInfo) -> Schedule:
    """Read a schedule.

    Raises ScheduleError where it is empty, has not exactly five fields, uses what only other crons know (`L`, `W`,
    `#`, `?`), or never fires.
    """
    words = text.split()
    if not words:
        raise ScheduleError("the schedule is empty", _FIVE)
    if words[0].startswith("@"):
        return _parse_nickname(text, words, zone)
    if len(words) != len(_FIELDS):
        seconds = "; there are no seconds here" if len(words) == len(_FIELDS) + 1 else ""
        raise ScheduleError(f"a schedule has five fields, this one has {len(words)}", _FIVE + seconds)
    lowered = [word.lower() for word in words]
    for field, word in zip(_FIELDS, lowered, strict=True):
        _check_field(field, word)
    fields = " ".join(lowered)
    try:
        _next_match(fields, _EVEN_YEAR)
    except CronSimError:
        raise ScheduleError("the schedule never fires", "no month that it names has such a day") from None
    return Schedule(text=text.strip(), zone=zone, fields=fields)


def parse_duration(text: str) -> timedelta:
    """Read `30s`, `5m`, `4h`, `7d` or a sequence of them, as `1h30m`; ValueError says what is wrong."""
    match = re.fullmatch(DURATION_PATTERN, text)
    if match is None:
        raise ValueError("must be a duration: a number and s, m, h or d")
    days, hours, minutes, seconds = (int(group[:-1]) if group else 0 for group in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total > LONGEST.total_seconds():
        raise ValueError("is longer than a hundred years")
    return timedelta(seconds=total)


def format_duration(duration: timedelta) -> str:
    """Write a duration as `parse_duration` reads it, in the largest unit that leaves no rest."""
    seconds = int(duration.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def last_due(schedule: Schedule, *, since: datetime, now: datetime) -> datetime | None:
    """Say when a schedule was due last, after `since` and up to `now`; None where it was not."""
    for reach in _REACHES:
        start = max(since, now - reach)
        due = schedule.next_after(start)
        if due <= now:
            while (later := schedule.next_after(due)) <= now:
                due = later
            return due
        if start == since:
            return None
    return None


def dst_note(schedule: Schedule, instant: datetime) -> str | None:
    """Say what a change of the clocks did to a firing, or None where it did nothing."""
    if schedule.period is not None:
        return None
    wall = _wall(instant.astimezone(UTC), schedule.zone)
    due = _next_match(schedule.fields, wall - timedelta(seconds=1))
    if due != wall:
        due = _skipped_match(schedule, instant.astimezone(UTC), wall)
        return f"{due:%H:%M} does not exist on {due:%Y-%m-%d}, runs {wall:%H:%M}"
    first, second = (wall.replace(tzinfo=schedule.zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset() or not _exists(wall, schedule.zone):
        return None
    this = instant.astimezone(schedule.zone)
    times = "runs both times" if schedule.follows_wall else "runs the first time"
    return f"{wall:%H:%M} comes twice on {wall:%Y-%m-%d}, {times} ({this.tzname()})"


def _parse_nickname(text: str, words: list[str], zone: ZoneInfo) -> Schedule:
    name = words[0].lower()
    if name == "@every":
        return _parse_every(text, words, zone)
    if name == "@reboot":
        raise ScheduleError("@reboot is no schedule here", "`catch_up: true` makes up at start for what was missed")
    if len(words) > 1:
        raise ScheduleError("nothing may follow the schedule's name", "for example @daily alone")
    if name not in NICKNAMES:
        near = get_close_matches(name, [*NICKNAMES, "@every"], n=1)
        known = "did you mean " + near[0] + "?" if near else "known are " + ", ".join([*NICKNAMES, "@every 6h"])
        raise ScheduleError("there is no schedule of this name", known)
    return Schedule(text=text.strip(), zone=zone, fields=NICKNAMES[name])


def _parse_every(text: str, words: list[str], zone: ZoneInfo) -> Schedule:
    try:
        period = parse_duration("".join(words[1:]))
    except ValueError as error:
        raise ScheduleError(f"after @every: {error}", "for example @every 6h") from None
    if not period:
        raise ScheduleError("after @every: must be longer than zero", "for example @every 6h")
    return Schedule(text=text.strip(), zone=zone, fields="", period=period)


def _check_field(field: _Field, word: str) -> None:
    for term in word.split(","):
        match = _TERM.fullmatch(term)
        names = (match["first"], match["last"]) if match else ()
        if match is None or any(name and name.isalpha() and name not in field.names for name in names):
            hint = "L, W, #, ? and H are other crons' words" if _ELSEWHERE.search(term) else _FIVE
            raise ScheduleError(f"the {field.name} can't be read", hint)
        numbers = [_number(field, name) for name in names if name]
        for number in numbers:
            if not field.low <= number <= field.high:
                raise ScheduleError(f"the {field.name} goes from {field.low} to {field.high}, not to {number}", _FIVE)
        if len(numbers) > 1 and numbers[0] > numbers[1]:
            sunday = (
                "Sunday at the end of a range is 7" if field.names is _DAYS else "write it as two ranges: 22-23,0-5"
            )
            raise ScheduleError(f"the {field.name} has a range that runs backwards", sunday)
        _check_step(field, match, numbers)


def _check_step(field: _Field, match: re.Match[str], numbers: list[int]) -> None:
    if match["step"] is None:
        return
    if int(match["step"]) == 0:
        raise ScheduleError(f"the {field.name} has a step of 0", "a step is at least 1")
    if len(numbers) == 1:
        # Crons disagree on `5/15`: some read it as `5` alone.
        raise ScheduleError(f"the {field.name} has a step after a single value", f"write {numbers[0]}-{field.high}/…")


def _number(field: _Field, name: str) -> int:
    return field.names.index(name) + (field.names is _MONTHS) if name.isalpha() else int(name)


def _next_match(fields: str, wall: datetime) -> datetime:
    """Find the first minute strictly after a wall time that the fields match, on a wall that never changes."""
    try:
        return next(CronSim(fields, wall))
    except StopIteration:
        raise ScheduleError("the schedule never fires", "no month that it names has such a day") from None


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def _exists(wall: datetime, zone: ZoneInfo) -> bool:
    return _wall(wall.replace(tzinfo=zone).astimezone(UTC), zone) == wall


def _first_moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Find the instant when a wall time is first shown, or, where the clock jumps over it, the jump."""
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if _exists(wall, zone):
        return moment
    # Read with the offset from before the jump, a skipped minute lies behind the jump by what it missed.
    return _next_change(moment - timedelta(days=2), moment, zone) or moment


def _skipped_match(schedule: Schedule, instant: datetime, wall: datetime) -> datetime:
    """Find the last minute that the clock jumped over and whose run fell on this instant."""
    before = _wall(instant - timedelta(seconds=1), schedule.zone)
    due = _next_match(schedule.fields, before)
    while (following := _next_match(schedule.fields, due)) < wall:
        due = following
    return due


def _next_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """Find the first instant in (start, end] at which the zone's offset is another than at `start`, to the second."""
    offset, low = _offset(start, zone), start
    while low < end:
        high = min(low + timedelta(days=1), end)
        if _offset(high, zone) != offset:
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
            return high.replace(microsecond=0)
        low = high
    return None
