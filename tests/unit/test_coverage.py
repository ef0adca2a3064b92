"""Stretches of the changelog: joined without losing any, and asked for without a hole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from leanix_backup.coverage import ask_dates, ask_times, cover, merge, plan_windows
from leanix_backup.model import Asked, Stretch

NOW = datetime(2027, 3, 31, 12, 0, tzinfo=UTC)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


def days(start: float, end: float) -> Stretch:
    """Make a stretch from and to a number of days before now."""
    return Stretch(NOW - start * DAY, NOW - end * DAY)


def plan(
    *held: Stretch,
    now: datetime = NOW,
    overlap: timedelta = DAY,
    lookback: timedelta = 30 * DAY,
    longest: timedelta = 30 * DAY,
) -> tuple[Stretch, ...]:
    return plan_windows(held, now=now, overlap=overlap, initial_lookback=lookback, max_window=longest)


STRETCHES = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 60)).map(
        lambda pair: Stretch(NOW - (pair[0] + pair[1]) * DAY, NOW - pair[0] * DAY)
    ),
    max_size=12,
)


class TestMerge:
    def test_touching_and_overlapping_are_joined(self) -> None:
        assert merge([days(2, 1), days(4, 3), days(3, 2)]) == (days(4, 1),)
        assert merge([days(9, 1), days(5, 4)]) == (days(9, 1),)

    def test_a_hole_of_a_second_stays_a_hole(self) -> None:
        first, second = days(4, 2), Stretch(NOW - 2 * DAY + SECOND, NOW)
        assert merge([second, first]) == (first, second)

    def test_of_nothing(self) -> None:
        assert merge([]) == ()

    @given(STRETCHES)
    def test_covers_exactly_what_was_covered(self, held: list[Stretch]) -> None:
        merged = merge(held)
        assert all(left.end < right.start for left, right in pairwise(merged))
        for days_ago in range(461):
            instant = NOW - days_ago * DAY
            assert any(each.start <= instant <= each.end for each in held) == any(
                each.start <= instant <= each.end for each in merged
            )

    @given(STRETCHES, st.randoms())
    def test_whatever_the_order(self, held: list[Stretch], random: object) -> None:
        shuffled = list(held)
        random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis' Random has no type of its own
        assert merge(shuffled) == merge(held)


class TestPlan:
    def test_the_first_time_looks_back(self) -> None:
        assert plan() == (Stretch(NOW - 30 * DAY, NOW),)

    def test_then_it_overlaps_what_is_held(self) -> None:
        assert [(each.start, each.end) for each in plan(days(30, 2))] == [(NOW - 3 * DAY, NOW)]

    def test_a_long_stretch_is_split_without_a_hole(self) -> None:
        windows = plan(days(100, 70))
        assert [(NOW - each.start, NOW - each.end) for each in windows] == [
            (71 * DAY, 41 * DAY),
            (41 * DAY, 11 * DAY),
            (11 * DAY, 0 * DAY),
        ]

    def test_the_newest_end_counts_not_the_newest_start(self) -> None:
        assert plan(days(90, 5), days(20, 10))[0].start == NOW - 6 * DAY

    def test_what_claims_to_reach_beyond_now_counts_for_nothing(self) -> None:
        windows = plan(days(20, 5), Stretch(NOW - 2 * DAY, NOW + 400 * DAY))
        assert windows == (Stretch(NOW - 6 * DAY, NOW),)
        assert plan(Stretch(NOW - DAY, NOW + 400 * DAY)) == plan()

    def test_a_hole_is_asked_for_too_and_first(self) -> None:
        assert plan(days(50, 40), days(30, 1)) == (Stretch(NOW - 41 * DAY, NOW - 30 * DAY), Stretch(NOW - 2 * DAY, NOW))

    def test_a_long_hole_is_split(self) -> None:
        windows = plan(days(100, 90), days(10, 0), longest=30 * DAY)
        assert [(NOW - each.start, NOW - each.end) for each in windows] == [
            (91 * DAY, 61 * DAY),
            (61 * DAY, 31 * DAY),
            (31 * DAY, 10 * DAY),
            (1 * DAY, 0 * DAY),
        ]

    def test_twice_in_one_second_without_an_overlap_asks_for_something_all_the_same(self) -> None:
        windows = plan(days(1, 0), overlap=timedelta())
        assert len(windows) == 1
        assert windows[0].start < windows[0].end == NOW

    @given(
        STRETCHES,
        st.integers(0, 10**6),
        st.integers(0, 40),
        st.integers(1, 40),
        st.integers(1, 24 * 90),
    )
    def test_always_up_to_now_without_a_hole(
        self, held: list[Stretch], micro: int, overlap: int, longest: int, lookback: int
    ) -> None:
        now = NOW + timedelta(microseconds=micro)
        whole = now.replace(microsecond=0)
        windows = plan(*held, now=now, overlap=overlap * HOUR, longest=longest * DAY, lookback=lookback * HOUR)
        assert windows
        assert windows[-1].end == whole
        assert all(timedelta() < each.end - each.start <= longest * DAY for each in windows)
        assert all(each.start.microsecond == each.end.microsecond == 0 for each in windows)
        after = cover([*held, *windows], now=now)
        assert (after.holes, after.tail) == ((), None), "whoever gets them all has no hole left"
        if held:
            newest = max(each.end for each in held)
            assert windows[-1].start <= whole
            assert min(each.start for each in windows) <= min(newest, whole)


class TestCover:
    def test_holes_and_tail(self) -> None:
        found = cover([days(9, 7), days(5, 3)], now=NOW)
        assert found.held == (days(9, 7), days(5, 3))
        assert found.holes == (days(7, 5),)
        assert found.tail == days(3, 0)
        assert found.missing == (days(7, 5), days(3, 0))

    def test_of_nothing(self) -> None:
        assert cover([], now=NOW).missing == ()

    def test_a_clock_that_is_a_little_ahead_is_none_that_is_wrong(self) -> None:
        found = cover([Stretch(NOW - DAY, NOW + SECOND)], now=NOW)
        assert (found.holes, found.tail) == ((), None)


class TestAsk:
    def test_times(self) -> None:
        assert ask_times(days(1, 0)) == Asked("2027-03-30T12:00:00Z", "2027-03-31T12:00:00Z")

    def test_dates_ask_for_whole_days_and_one_more(self) -> None:
        assert ask_dates(days(3, 1), up_to_now=False) == Asked("2027-03-28", "2027-03-31")

    def test_dates_up_to_now_have_no_end(self) -> None:
        assert ask_dates(days(3, 0), up_to_now=True) == Asked("2027-03-28", None)
