"""Backups and policies for the tests of retention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from leanix_backup.model import RetentionPolicy, RetentionSpan
from leanix_backup.retention import Candidate, Plan

UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
NOW = datetime(2027, 3, 31, 12, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PACES = ("hourly", "daily", "weekly", "monthly", "yearly")
ZONES = st.sampled_from((UTC_ZONE, BERLIN, ZoneInfo("America/Santiago"), ZoneInfo("Asia/Kathmandu")))

SPANS = st.builds(
    RetentionSpan,
    years=st.sampled_from((0, 0, 1)),
    months=st.integers(0, 8),
    days=st.integers(0, 20),
    hours=st.integers(1, 30),
)
COUNTS = st.sampled_from((0, 0, 1, 2, 3, 5, 10, 30))
COUNTED = {f"keep_{pace}": COUNTS for pace in ("last", *PACES)}
WITHIN = {rule: st.none() | SPANS for rule in ("keep_within", *(f"keep_within_{pace}" for pace in PACES))}
OTHERS = {"keep_min": st.integers(1, 6), "delete_after": st.none() | SPANS}
POLICIES = st.builds(RetentionPolicy, **COUNTED, **WITHIN, **OTHERS) | st.just(RetentionPolicy(forever=True))


@st.composite
def candidates(draw: st.DrawFn, *, plain: bool = False) -> list[Candidate]:
    """Draw backups of two years; unless `plain`, some that failed, are locked, held, or dated in the future."""
    hours = draw(st.lists(st.integers(0, 17_000), max_size=40, unique=True))
    found = [Candidate(f"{number}", NOW - hour * HOUR) for number, hour in enumerate(hours)]
    if plain:
        return found
    odd = st.builds(
        Candidate,
        st.just("odd"),
        st.integers(-9_000, 17_000).map(lambda hour: NOW - hour * HOUR),
        good=st.booleans(),
        locked_until=st.none() | st.integers(-100, 100).map(lambda hour: NOW + hour * HOUR),
        held=st.booleans(),
    )
    drawn = draw(st.lists(odd, max_size=12))
    return found + [
        Candidate(f"odd{number}", each.taken_at, each.good, each.locked_until, each.held)
        for number, each in enumerate(drawn)
    ]


def nightly(count: int, *, newest: datetime = NOW) -> list[Candidate]:
    """Make one backup a day, the oldest first, each known by its day."""
    days = [newest - number * DAY for number in range(count)]
    return [Candidate(f"{day:%m-%d}", day) for day in reversed(days)]


def kept(made: Plan) -> list[str]:
    return [each.candidate.id for each in made.keep]


def removed(made: Plan) -> list[str]:
    return [each.candidate.id for each in made.remove]


def reasons(made: Plan) -> dict[str, tuple[str, ...]]:
    return {each.candidate.id: each.reasons for each in made.keep}
