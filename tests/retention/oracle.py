"""`python -m tests.retention.oracle`: the same random policies and times to the real restic and to ours.

For each zone a repository is filled with sets of times that are hard to get right: nightly runs with gaps, quarters of
an hour over both changes of the clocks, the seconds around midnights, month's, year's and ISO weeks' ends, leap days,
a single backup, backups dated in the future. Then each policy is laid over all sets of a zone at once.
"""

# ruff: noqa: T201 -- it prints what came out

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

from leanix_backup.model import RetentionPolicy, RetentionSpan
from leanix_backup.retention import Candidate, plan
from tests.retention.restic import Repository, options, why_not

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "America/Santiago",  # the clocks change at midnight
    "Asia/Kathmandu",
    "Pacific/Apia",  # had no 30 December 2011
    "Africa/Casablanca",  # goes back for Ramadan
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FUTURE = datetime(2090, 1, 1, tzinfo=UTC)
PACES = ("hourly", "daily", "weekly", "monthly", "yearly")
_FIRST = datetime(2011, 1, 1, tzinfo=UTC)
_SECONDS = int((datetime(2024, 6, 1, tzinfo=UTC) - _FIRST).total_seconds())
_MOST_AT_ONCE = 160
_ROUND = (RetentionSpan(days=1), RetentionSpan(days=30), RetentionSpan(months=1), RetentionSpan(years=1))


@dataclass(frozen=True, slots=True)
class Difference:
    """A set of times that the two did not decide the same way."""

    zone: str
    policy: RetentionPolicy
    host: str
    ours_only: tuple[datetime, ...]
    restic_only: tuple[datetime, ...]

    def __str__(self) -> str:
        ours, restic = (", ".join(map(str, only[:5])) or "none" for only in (self.ours_only, self.restic_only))
        rules = " ".join(options(self.policy))
        return f"{self.zone}, {self.host}, {rules}: kept by ours only: {ours}; by restic only: {restic}"


@dataclass(slots=True)
class Tally:
    """How many policies and sets of times were compared, how many of those lost something, and what differed."""

    policies: int = 0
    sets: int = 0
    thinned: int = 0
    differences: list[Difference] | None = None


def compare(folder: Path, *, policies: int, seed: int, zones: Sequence[str] = ZONES) -> Tally:
    """Lay random policies over random sets of times, by restic and by ours."""
    chance = random.Random(seed)
    tally = Tally(differences=[])
    for number, name in enumerate(zones):
        zone = _zone(name)
        sets = dict(_sets(chance, zone))
        repository = Repository(folder / str(number))
        repository.make()
        for host, times in sets.items():
            repository.add(host, times, zone)
        for _ in range(policies // len(zones) + (number < policies % len(zones))):
            _judge(repository, zone, random_policy(chance), sets, tally)
    return tally


def _judge(
    repository: Repository, zone: ZoneInfo, policy: RetentionPolicy, sets: Mapping[str, set[datetime]], tally: Tally
) -> None:
    # A count is where we differ on purpose: restic lets what is dated in the future use it up.
    counted = any(getattr(policy, f"keep_{pace}") for pace in ("last", *PACES))
    hosts = [host for host in sets if not (counted and host == "future")]
    judged = repository.kept(policy, hosts, zone)
    tally.policies += 1
    for host in hosts:
        made = plan([Candidate(time.isoformat(), time) for time in sets[host]], policy, zone=zone, now=NOW)
        ours = {each.candidate.taken_at for each in made.keep if each.candidate.taken_at < FUTURE}
        restic = {time.astimezone(UTC) for time in judged[host] if time < FUTURE}
        tally.sets += 1
        tally.thinned += bool(made.remove)
        if ours != restic and tally.differences is not None:
            difference = Difference(zone.key, policy, host, tuple(sorted(ours - restic)), tuple(sorted(restic - ours)))
            tally.differences.append(difference)


def random_policy(chance: random.Random) -> RetentionPolicy:
    """Make a policy of one to four keep rules."""
    rules: dict[str, int | RetentionSpan] = {}
    for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
        pace = chance.choice(("last", *PACES))
        if chance.random() < 0.5:
            rules[f"keep_{pace}"] = chance.choice((1, 2, 3, 5, 8, 14, 40, 400))
        else:
            rules["keep_within" if pace == "last" else f"keep_within_{pace}"] = random_span(chance)
    return RetentionPolicy(**rules)  # type: ignore[arg-type] # the names say which are counts


def random_span(chance: random.Random) -> RetentionSpan:
    """Make a stretch of one to four units, or a round one."""
    if chance.random() < 0.4:
        return chance.choice(_ROUND)
    span = RetentionSpan(
        years=chance.choice((0, 0, 0, 1, 3)),
        months=chance.choice((0, 0, 1, 2, 6, 13)),
        days=chance.choice((0, 0, 1, 2, 7, 30)),
        hours=chance.choice((0, 0, 1, 5, 30)),
    )
    return span if span != RetentionSpan() else RetentionSpan(days=1)


def _sets(chance: random.Random, zone: ZoneInfo) -> Iterator[tuple[str, set[datetime]]]:
    """Make sets of times, each under the name of a host."""
    yield "single", {_any(chance)}
    yield "few", {_any(chance) for _ in range(3)}
    yield "years", {_any(chance) for _ in range(100)}
    changes = _changes(zone)
    for number, change in enumerate(chance.sample(changes, min(3, len(changes)))):
        start = change - timedelta(minutes=15 * chance.randrange(20, 100))
        yield f"change{number}", {start + timedelta(minutes=15 * step) for step in range(_MOST_AT_ONCE)}
        # A newest one from which a round stretch reaches back into the hour that was skipped, or came twice.
        around = {change + timedelta(minutes=5 * step) for step in range(-24, 24)}
        wall = _wall(change, zone) + timedelta(minutes=chance.choice((-75, -45, -30, -15, 0, 15, 30, 45)))
        for name, newest in _round_later(wall):
            yield f"reach{number}-{name}", around | {newest.replace(tzinfo=zone).astimezone(UTC)}
    nightly = _wall(_any(chance), zone).replace(hour=2, minute=30) - timedelta(days=200)
    nights = [nightly + timedelta(days=day) for day in range(_MOST_AT_ONCE) if chance.random() < 0.8]
    yield "nightly", {night.replace(tzinfo=zone).astimezone(UTC) for night in nights}
    edges = {datetime(year, month, 1) for year in (2019, 2020, 2021, 2024) for month in (1, 3, 5, 12)}  # noqa: DTZ001 - walls
    steps = (-86_400, -3600, -1, 0, 1, 3600, 259_200)
    yield (
        "edges",
        {(wall + timedelta(seconds=step)).replace(tzinfo=zone).astimezone(UTC) for wall in edges for step in steps},
    )
    yield "future", {_any(chance) for _ in range(30)} | {FUTURE + timedelta(days=day) for day in range(3)}


def _round_later(wall: datetime) -> Iterator[tuple[str, datetime]]:
    yield "day", wall + timedelta(days=1)
    yield "30-days", wall + timedelta(days=30)
    if wall.month < 12 and wall.day <= 28:
        yield "month", wall.replace(month=wall.month + 1)
    if (wall.month, wall.day) != (2, 29):
        yield "year", wall.replace(year=wall.year + 1)


def _any(chance: random.Random) -> datetime:
    return _FIRST + timedelta(seconds=chance.randrange(_SECONDS))


def _wall(time: datetime, zone: ZoneInfo) -> datetime:
    return time.astimezone(zone).replace(tzinfo=None, second=0)


def _changes(zone: ZoneInfo) -> list[datetime]:
    """Find when the zone's clocks changed, to the hour."""
    hours = (_FIRST + timedelta(hours=hour) for hour in range(_SECONDS // 3600))
    found: list[datetime] = []
    offset = _FIRST.astimezone(zone).utcoffset()
    for hour in hours:
        if (now := hour.astimezone(zone).utcoffset()) != offset:
            found.append(hour)
            offset = now
    return found


def _zone(name: str) -> ZoneInfo:
    """Read a zone from the same file that restic is given."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def main(arguments: list[str]) -> int:
    """Compare, print what came out, and return 1 where anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.retention.oracle", description=__doc__)
    parser.add_argument("--policies", type=int, default=600, help="how many random policies")
    parser.add_argument("--seed", type=int, default=None, help="the same seed makes the same policies and times")
    asked = parser.parse_args(arguments)
    if reason := why_not():
        print(f"nothing was compared: {reason}", file=sys.stderr)
        return 2
    seed = random.SystemRandom().randrange(2**32) if asked.seed is None else asked.seed
    with tempfile.TemporaryDirectory(prefix="leanix-backup-restic-") as folder:
        tally = compare(Path(folder), policies=asked.policies, seed=seed)
    for difference in (tally.differences or ())[:10]:
        print(difference)
    print(
        f"{tally.policies} policies over {tally.sets} sets of times in {len(ZONES)} zones (seed {seed}), "
        f"{tally.thinned} of them thinned out: {len(tally.differences or ())} differences to restic"
    )
    return int(bool(tally.differences))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
