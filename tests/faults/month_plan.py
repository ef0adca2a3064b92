"""What happens in a simulated month, drawn from a seed before it begins. Pure; all instants are UTC."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

_BERLIN = ZoneInfo("Europe/Berlin")
_SUNDAY = 6
_MANY_DAYS = 10


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the month; its due times are worked out here from `hours` and `weekday`, not from its `schedule`."""

    name: str
    export: str
    schedule: str
    zone: ZoneInfo
    hours: tuple[time, ...]
    weekday: int | None = None

    def due(self, after: datetime, until: datetime) -> list[datetime]:
        """List the instants at which it is due, after one instant up to and with another."""
        found = []
        day = after.astimezone(self.zone).date()
        while day <= until.astimezone(self.zone).date():
            if self.weekday in (None, day.weekday()):
                found += [datetime.combine(day, hour, self.zone).astimezone(UTC) for hour in self.hours]
            day += timedelta(days=1)
        return [instant for instant in found if after < instant <= until]


JOBS = (
    Job("snapshot", "SNAPSHOT", "30 1,13 * * *", _BERLIN, (time(1, 30), time(13, 30))),
    Job("audit_log", "AUDIT_LOG", "0 3 * * *", ZoneInfo("UTC"), (time(3, 0),)),
    Job("archive", "ARCHIVE", "0 5 * * 0", ZoneInfo("UTC"), (time(5, 0),), _SUNDAY),
)


class Kind(StrEnum):
    """What befalls the service; the words are those of the table."""

    RESTARTED = "down for a moment"
    HOURS = "down for hours"
    DAYS = "down for days"
    LONG = "down for longer than a window"


@dataclass(frozen=True, slots=True)
class Down:
    """The service is ended by a signal and started again at `until`."""

    at: datetime
    until: datetime
    kind: Kind
    signal: signal.Signals


@dataclass(frozen=True, slots=True)
class Offline:
    """LeanIX refuses connections."""

    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Skewed:
    """The clock of LeanIX is off."""

    at: datetime
    until: datetime
    by: timedelta


@dataclass(frozen=True, slots=True)
class Plan:
    """A month: it begins when the service is first started and ends when it is stopped for good."""

    seed: int
    start: datetime
    end: datetime
    max_window: timedelta
    downs: tuple[Down, ...]
    offlines: tuple[Offline, ...]
    skews: tuple[Skewed, ...]


@dataclass(slots=True)
class _Chance:
    """The draws of one month; nothing happens in the first hours, nor in the last day and a half."""

    seed: int
    start: datetime
    end: datetime
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(f"month {self.seed}")

    @property
    def first(self) -> datetime:
        return self.start + timedelta(hours=6)

    @property
    def last(self) -> datetime:
        return self.end - timedelta(hours=36)

    def between(self, low: timedelta, high: timedelta) -> timedelta:
        return timedelta(seconds=self.random.uniform(low.total_seconds(), high.total_seconds()))

    def aimed(self, at: datetime, *, often: float) -> datetime:
        """Move an instant into the next run, more or less `often`: shortly after a job was due."""
        if self.random.random() >= often:
            return at
        due = min(instant for job in JOBS[:2] for instant in job.due(at, at + timedelta(days=2)))
        return due + self.between(timedelta(), timedelta(seconds=240))

    def near_due(self, at: datetime) -> datetime:
        """Move an instant to shortly before a job is due: there a missed run may not be worth catching up."""
        job = self.random.choice(JOBS[:2])
        return job.due(at, at + timedelta(days=2))[0] - self.between(timedelta(minutes=2), timedelta(minutes=58))


def draw(seed: int, *, start: datetime, days: int, max_window: timedelta) -> Plan:
    """Draw a month, or as many days; at least four, so that something can happen in it."""
    chance = _Chance(seed, start, start + timedelta(days=days, hours=6))
    return Plan(
        seed,
        chance.start,
        chance.end,
        max_window,
        tuple(_downs(chance, max_window, days)),
        tuple(_offlines(chance, days)),
        tuple(_skews(chance, days)),
    )


def _downs(chance: _Chance, max_window: timedelta, days: int) -> Iterator[Down]:
    mean_gap_s = timedelta(hours=12 if days >= _MANY_DAYS else 8).total_seconds()
    weights = [10, 7, 2 if days >= _MANY_DAYS else 0]
    had_long = False
    at = chance.first
    while True:
        at += timedelta(seconds=chance.random.expovariate(1 / mean_gap_s))
        at = chance.aimed(at, often=0.6)
        if at > chance.last:
            return
        kind = chance.random.choices([Kind.RESTARTED, Kind.HOURS, Kind.DAYS], weights)[0]
        if not had_long and at > chance.first + (chance.last - chance.first) / 3:
            kind = Kind.LONG
        until = at + _length(kind, chance, max_window)
        if kind is Kind.HOURS and chance.random.random() < 1 / 3:
            until = max(until, chance.near_due(until))
        if until > chance.last:
            continue
        had_long = had_long or kind is Kind.LONG
        yield Down(at, until, kind, chance.random.choice((signal.SIGKILL, signal.SIGTERM)))
        at = until
        if chance.random.random() < 1 / 6:  # again while it is still busy with what it found
            at += chance.between(timedelta(seconds=0.1), timedelta(seconds=20))
            until = at + timedelta(seconds=5)
            yield Down(at, until, Kind.RESTARTED, signal.SIGKILL)
            at = until
        at += timedelta(minutes=1)


def _length(kind: Kind, chance: _Chance, max_window: timedelta) -> timedelta:
    low, high = {
        Kind.RESTARTED: (timedelta(seconds=1), timedelta(minutes=2)),
        Kind.HOURS: (timedelta(minutes=30), timedelta(hours=10)),
        Kind.DAYS: (timedelta(days=1), timedelta(days=2)),
        Kind.LONG: (max_window * 1.1, max_window * 1.5),
    }[kind]
    return chance.between(low, high)


def _offlines(chance: _Chance, days: int) -> Iterator[Offline]:
    count = max(1, days // 4)
    day = chance.random.randrange(count) if days >= _MANY_DAYS else None  # which one lasts a day
    for number, at in enumerate(_parts(chance, count)):
        long = number == day
        low, high = (timedelta(hours=22), timedelta(hours=28)) if long else (timedelta(hours=1), timedelta(hours=6))
        at = chance.aimed(at, often=1) if chance.random.random() < 1 / 2 else chance.near_due(at)  # noqa: PLW2901 -- the same instant, moved
        yield Offline(at, min(at + chance.between(low, high), chance.last))


def _skews(chance: _Chance, days: int) -> Iterator[Skewed]:
    for at in _parts(chance, max(1, days // 8)):
        by = chance.between(timedelta(minutes=1), timedelta(minutes=9)) * chance.random.choice((-1, 1))
        yield Skewed(at, at + chance.between(timedelta(hours=3), timedelta(hours=14)), by)


def _parts(chance: _Chance, count: int) -> Iterator[datetime]:
    """Draw an instant in each of so many parts of the month, in the first half of it so that they stay apart."""
    part = (chance.last - chance.first) / count
    for number in range(count):
        yield chance.first + part * (number + chance.random.random() / 2)
