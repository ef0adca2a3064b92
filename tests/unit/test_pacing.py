"""How long to wait: bounds that hold for any elapsed time and any chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanix_backup.pacing import attempt_wait, poll_wait, retry_wait

SPREAD = st.floats(-1, 1)


class TestPollWait:
    """Design §2.2: `clamp(first, (factor - 1) times elapsed, ceiling)` ± 5 %."""

    @pytest.mark.parametrize(
        ("elapsed", "wait"), [(0, 2), (9, 2), (10, 2), (11, 2.2), (100, 20), (300, 60), (14400, 60)]
    )
    def test_of_the_defaults(self, elapsed: float, wait: float) -> None:
        assert poll_wait(elapsed, first=2, factor=1.2, ceiling=60, spread=0) == pytest.approx(wait)

    @given(st.floats(0, 1e9), st.floats(0.01, 100), st.floats(1, 10), st.floats(0.01, 1000), SPREAD)
    def test_bounds(self, elapsed: float, first: float, factor: float, ceiling: float, spread: float) -> None:
        wait = poll_wait(elapsed, first=first, factor=factor, ceiling=ceiling, spread=spread)
        assert min(first, ceiling) * 0.95 * 0.999 <= wait <= ceiling * 1.05 * 1.001

    @given(st.floats(0, 20000), SPREAD)
    def test_a_finished_export_is_found_late_by_a_part_of_its_own_duration(self, elapsed: float, spread: float) -> None:
        wait = poll_wait(elapsed, first=2, factor=1.2, ceiling=60, spread=spread)
        assert wait <= max(2, 0.2 * elapsed) * 1.05 * 1.001

    def test_never_so_rarely_that_a_finished_export_of_ten_minutes_is_missed(self) -> None:
        assert poll_wait(1e6, first=2, factor=1.2, ceiling=60, spread=1) < 120


class TestRetryWait:
    def test_it_doubles_up_to_half_a_minute(self) -> None:
        waits = [retry_wait(tries, retry_after=None, spread=1) for tries in range(1, 9)]
        assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]

    @given(st.integers(1, 1000), SPREAD, st.none() | st.floats(0, 1e6))
    def test_never_sooner_than_asked(self, tries: int, spread: float, retry_after: float | None) -> None:
        wait = retry_wait(tries, retry_after=retry_after, spread=spread)
        assert wait >= (retry_after or 0)
        assert wait >= 0.25
        assert wait <= max(30, retry_after or 0)

    @pytest.mark.parametrize("spread", [-1, 0, 1])
    def test_asked_for_less_is_no_reason_to_hurry(self, spread: float) -> None:
        assert retry_wait(6, retry_after=0.0, spread=spread) >= 8


class TestAttemptWait:
    def test_it_grows_up_to_a_minute(self) -> None:
        assert [attempt_wait(attempt, spread=0) for attempt in range(1, 6)] == [5, 15, 45, 60, 60]

    @given(st.integers(1, 100_000), SPREAD)
    def test_bounds_for_any_number(self, attempt: int, spread: float) -> None:
        assert 4 <= attempt_wait(attempt, spread=spread) <= 72
