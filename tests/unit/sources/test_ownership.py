"""Which row is ours (design §2.1), as a pure decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanix_backup.errors import LeanixError
from leanix_backup.leanix import ExportRow
from leanix_backup.model import ExportType
from leanix_backup.sources.ownership import CLOCK_GRACE, Intent, find_ours, is_old, not_found, under_way

ASKED = datetime(2027, 3, 31, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def intent(*seen: str, user_id: str | None = "us", server_time: datetime | None = ASKED) -> Intent:
    return Intent(ExportType.SNAPSHOT, frozenset(seen), server_time, user_id)


def row(
    row_id: str,
    *users: str,
    kind: str = "SNAPSHOT",
    status: str = "STARTED",
    after: float | None = 1.0,
) -> ExportRow:
    created = None if after is None else ASKED + after * SECOND
    return ExportRow(row_id, kind, status, created, frozenset(users))


class TestNamed:
    @pytest.mark.parametrize("waited_out", [True, False])
    def test_a_new_row_of_ours_is_ours_at_once(self, *, waited_out: bool) -> None:
        ours = row("e2", "us")
        assert (
            find_ours([row("e3", "them", after=9), ours, row("e1", "us")], intent("e1"), waited_out=waited_out) is ours
        )

    def test_one_that_names_us_in_one_of_two_ways_is_ours(self) -> None:
        ours = row("e2", "us", "us-by-another-id")
        assert find_ours([ours], intent(), waited_out=False) is ours

    @pytest.mark.parametrize(
        "status", ["STARTED", "COMPLETED", "ERROR", "CANCELED", "DELETED", "DOWNLOADED", "THINKING"]
    )
    def test_whatever_became_of_it(self, status: str) -> None:
        ours = row("e2", "us", status=status)
        assert find_ours([ours], intent(), waited_out=False) is ours

    @pytest.mark.parametrize("waited_out", [True, False])
    def test_somebody_elses_newer_completed_one_is_never_ours(self, *, waited_out: bool) -> None:
        rows = [row("e9", "them", status="COMPLETED", after=50)]
        assert find_ours(rows, intent(), waited_out=waited_out) is None

    def test_two_of_ours_are_a_doubt(self) -> None:
        with pytest.raises(LeanixError) as caught:
            find_ours([row("e2", "us"), row("e3", "us")], intent(), waited_out=False)
        assert caught.value.code == "export_ambiguous"
        assert "e2" in caught.value.message
        assert "e3" in caught.value.message
        assert not caught.value.retryable

    def test_a_named_row_beats_a_nameless_one(self) -> None:
        ours = row("e2", "us")
        assert find_ours([row("e3"), ours], intent(), waited_out=True) is ours


class TestNameless:
    def test_one_is_ours_only_after_the_wait(self) -> None:
        only = row("e2")
        assert find_ours([only], intent(), waited_out=False) is None
        assert find_ours([only], intent(), waited_out=True) is only

    def test_two_are_a_doubt_after_the_wait(self) -> None:
        rows = [row("e2"), row("e3")]
        assert find_ours(rows, intent(), waited_out=False) is None
        with pytest.raises(LeanixError) as caught:
            find_ours(rows, intent(), waited_out=True)
        assert caught.value.code == "export_ambiguous"

    def test_a_row_of_somebody_else_is_no_candidate_beside_it(self) -> None:
        only = row("e2")
        assert find_ours([row("e3", "them"), only], intent(), waited_out=True) is only

    def test_where_we_do_not_know_who_we_are_a_row_that_names_somebody_is_not_taken(self) -> None:
        nobody = intent(user_id=None)
        assert find_ours([row("e2", "them")], nobody, waited_out=False) is None
        assert find_ours([row("e2", "them")], nobody, waited_out=True) is None, "it may be anybody's"
        assert "user_id" in not_found([row("e2", "them")], nobody).hint
        only = row("e3")
        assert find_ours([row("e2", "them"), only], nobody, waited_out=True) is only


class TestSeveralRequests:
    """A request that nobody answered may have worked, and so may the next one."""

    def test_of_as_many_rows_as_requests_the_newest_is_taken(self) -> None:
        rows = [row("e2", "us", after=1), row("e3", "us", after=200)]
        twice = replace(intent(), posts=2)
        assert find_ours(rows, twice, waited_out=False) is rows[1]
        assert find_ours(rows[:1], twice, waited_out=False) is rows[0]
        assert find_ours([], twice, waited_out=True) is None
        bare = [row("e2", after=1), row("e3", after=None)]
        assert find_ours(bare, twice, waited_out=False) is None
        assert find_ours(bare, twice, waited_out=True) is bare[0]

    def test_one_more_than_that_is_a_doubt(self) -> None:
        rows = [row("e2", "us"), row("e3", "us"), row("e4", "us")]
        with pytest.raises(LeanixError) as caught:
            find_ours(rows, replace(intent(), posts=2), waited_out=True)
        assert caught.value.code == "export_ambiguous"


class TestUnderWay:
    @pytest.mark.parametrize("status", ["COMPLETED", "ERROR", "CANCELED", "DELETED", "DOWNLOADED"])
    def test_what_has_ended_is_not(self, status: str) -> None:
        assert under_way([row("e1", status=status)], ExportType.SNAPSHOT, server_time=ASKED) == ()

    def test_what_goes_on_is_whoever_started_it_but_for_another_kind(self) -> None:
        going = [row("e1", "them"), row("e2", "us", status="THINKING"), row("e3", after=None)]
        found = under_way([*going, row("e4", kind="ARCHIVE")], ExportType.SNAPSHOT, server_time=ASKED)
        assert found == tuple(going)

    def test_what_is_stuck_for_a_day_is_not_waited_for(self) -> None:
        old = row("e1", after=-86401)
        assert under_way([old], ExportType.SNAPSHOT, server_time=ASKED) == ()
        assert under_way([old], ExportType.SNAPSHOT, server_time=None) == (old,)


class TestNew:
    def test_what_was_there_before_is_not_whatever_its_time(self) -> None:
        assert find_ours([row("e1", "us", after=100)], intent("e1"), waited_out=True) is None

    def test_another_type_is_not(self) -> None:
        assert find_ours([row("e2", "us", kind="ARCHIVE")], intent(), waited_out=True) is None

    @pytest.mark.parametrize(("after", "ours"), [(-5.001, False), (-5, True), (-4.9, True), (0, True), (7200, True)])
    def test_five_seconds_of_grace(self, after: float, *, ours: bool) -> None:
        assert timedelta(seconds=5) == CLOCK_GRACE
        found = find_ours([row("e2", "us", after=after)], intent(), waited_out=True)
        assert (found is not None) == ours

    def test_without_a_time_of_the_row_or_of_the_server_the_ids_decide(self) -> None:
        assert find_ours([row("e2", "us", after=None)], intent(), waited_out=False) is not None
        assert find_ours([row("e2", "us", after=-99999)], intent(server_time=None), waited_out=False) is not None
        assert find_ours([row("e1", "us", after=None)], intent("e1", server_time=None), waited_out=False) is None


class TestNotFound:
    def test_says_the_ids_of_new_rows_that_are_somebody_elses(self) -> None:
        error = not_found([row("e7", "them"), row("e1", "us")], intent("e1"))
        assert error.code == "export_not_found"
        assert "e7" in error.message
        assert "user_id" in error.hint
        assert "them" not in f"{error.message}{error.hint}"

    def test_says_how_many_there_were_where_nothing_is_new(self) -> None:
        error = not_found([row("e1", "us")], intent("e1", "e0"))
        assert error.code == "export_not_found"
        assert "2" in error.message

    def test_of_many_it_names_some(self) -> None:
        error = not_found([row(f"e{number}", "them") for number in range(5000)], intent())
        assert len(error.message) < 400


def test_a_row_that_was_there_before_is_where_reading_may_stop() -> None:
    assert is_old(row("e1"), intent("e1"))
    assert not is_old(row("e2"), intent("e1"))


ROWS = st.lists(
    st.builds(
        ExportRow,
        id=st.sampled_from([f"e{number}" for number in range(8)]),
        type=st.sampled_from(["SNAPSHOT", "SNAPSHOT", "ARCHIVE"]),
        status=st.sampled_from(["STARTED", "COMPLETED", "ERROR"]),
        created_at=st.none() | st.integers(-20, 20).map(lambda seconds: ASKED + seconds * SECOND),
        user_ids=st.frozensets(st.sampled_from(["us", "them", "others"]), max_size=2),
    ),
    max_size=6,
    unique_by=lambda each: each.id,
)


@given(
    rows=ROWS,
    seen=st.frozensets(st.sampled_from(["e0", "e1", "e2"])),
    waited_out=st.booleans(),
    known=st.booleans(),
)
def test_never_a_row_that_could_be_somebody_elses(
    *,
    rows: list[ExportRow],
    seen: frozenset[str],
    waited_out: bool,
    known: bool,
) -> None:
    wanted = intent(*seen, user_id="us" if known else None)
    try:
        found = find_ours(rows, wanted, waited_out=waited_out)
    except LeanixError as error:
        assert error.code == "export_ambiguous"  # noqa: PT017 -- a doubt is a right answer too
        return
    if found is None:
        return
    assert found.type == "SNAPSHOT"
    assert found.id not in seen
    assert found.created_at is None or found.created_at >= ASKED - CLOCK_GRACE
    if known:
        assert "us" in found.user_ids or not found.user_ids
    if not known or not found.user_ids:
        assert waited_out
