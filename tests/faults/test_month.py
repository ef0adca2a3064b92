"""A few days of the simulated month, and whether its rules find what breaks them."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.month import live, table
from tests.faults.month_life import Life
from tests.faults.month_plan import JOBS, Kind, Offline, draw
from tests.faults.month_verdict import CATCH_UP, SCHEDULE, Answer, Tally, read_runs, tally
from tests.support import skipped_time

SNAPSHOT = JOBS[0]
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
START = datetime(2027, 6, 1, tzinfo=UTC)
DUE = [START + 11.5 * HOUR + step * 12 * HOUR for step in range(5)]
_DAYS, _SEED = 4, 38


@pytest.mark.skipif(skipped_time.why_not() is not None, reason=str(skipped_time.why_not()))
@pytest.mark.timeout(240)  # half a dozen processes, which take their time where others use the machine
@pytest.mark.parametrize("dates", [False, True])
def test_days_of_kills_stops_and_silence_lose_nothing(*, dates: bool) -> None:
    plan = draw(_SEED, start=datetime(2027, 3, 25, tzinfo=UTC), days=_DAYS, max_window=DAY)
    month = live(plan, dates=dates)
    assert not month.wrong, table(month)
    assert [life.signal for life in month.lives] == [signal.SIGKILL, signal.SIGTERM, signal.SIGTERM]
    assert [life.in_run for life in month.lives] == [True, True, False]
    snapshots, changelogs, _ = month.tallies
    assert snapshots.resumed > 0
    assert changelogs.resumed > 0
    assert snapshots.caught_up > 0
    assert snapshots.missed > 0
    assert month.held is not None
    assert month.held.replayed > 0
    assert len(month.held.windows) > _DAYS, "a stretch was split"


def test_a_plan_is_the_same_for_a_seed_and_has_everything_in_it() -> None:
    for seed in range(20):
        plan = draw(seed, start=START, days=30, max_window=3 * DAY)
        assert plan == draw(seed, start=START, days=30, max_window=3 * DAY)
        assert {down.kind for down in plan.downs} >= {Kind.RESTARTED, Kind.HOURS, Kind.LONG}
        assert {down.signal for down in plan.downs} == {signal.SIGKILL, signal.SIGTERM}
        assert max(each.until - each.at for each in plan.offlines) > 20 * HOUR
        assert plan.skews
        ups = [plan.start, *(down.until for down in plan.downs)]
        assert all(up < down.at < down.until < plan.end for up, down in zip(ups, plan.downs, strict=False))


def test_due_times_follow_the_zone() -> None:
    night = datetime(2027, 3, 28, tzinfo=UTC)  # Berlin's clocks go ahead
    dues = SNAPSHOT.due(night - DAY, night + DAY)
    assert [due - night for due in dues] == [-23.5 * HOUR, -11.5 * HOUR, 0.5 * HOUR, 11.5 * HOUR, 23.5 * HOUR]


class Days:
    """A service that did everything right, to be spoilt: up over two due times, down over two, up again over one."""

    def __init__(self) -> None:
        self.lives = [Life(START, DUE[1] + HOUR), Life(DUE[3] + HOUR, DUE[4] + HOUR)]
        self.offlines: list[Offline] = []
        self.backups: list[Answer] = []
        self.run(0, DUE[0])
        self.run(0, DUE[1])
        self.run(1, DUE[3], CATCH_UP, after=HOUR)
        self.run(1, DUE[4])

    def run(
        self,
        life: int,
        due: datetime,
        trigger: str = SCHEDULE,
        *,
        after: timedelta = timedelta(),
        run_id: str = "",
        event: str = "run_started",
        ends: str = "succeeded",
    ) -> None:
        """Tell of a run that ends as said, or is still going on when its process ends."""
        lines = self.lives[life].lines
        base = {"run_id": run_id or f"{life} {due}", "job": "snapshot"}
        at = due + after
        lines.append(base | {"timestamp": str(at), "event": event, "trigger": trigger, "scheduled_at": due.isoformat()})
        if ends:
            lines.append(base | {"timestamp": str(at + MINUTE), "event": "run_finished", "outcome": ends})
        if ends == "succeeded":
            self.backups.append(Answer(due, trigger))

    def undo(self, due: datetime) -> None:
        """Take a run away, as if it had never been."""
        for life in self.lives:
            ids = {line["run_id"] for line in life.lines if line.get("scheduled_at") == due.isoformat()}
            life.lines = [line for line in life.lines if line["run_id"] not in ids]
        self.backups = [answer for answer in self.backups if answer.due != due]

    def tally(self) -> Tally:
        return tally(SNAPSHOT, self.lives, read_runs(self.lives, {}).values(), self.offlines, self.backups)

    def wrong(self) -> str:
        """Say the only thing that is wrong."""
        (wrong,) = self.tally().wrong
        return wrong


@pytest.fixture
def days() -> Days:
    return Days()


def test_where_everything_went_right_nothing_is_wrong(days: Days) -> None:
    found = days.tally()
    assert found.wrong == []
    assert (found.due, found.regular, found.caught_up, found.missed) == (5, 3, 1, 1)


@pytest.mark.parametrize(("due", "trigger"), [(1, SCHEDULE), (3, CATCH_UP), (4, SCHEDULE)])
def test_a_run_that_never_was_is_found(days: Days, due: int, trigger: str) -> None:
    days.undo(DUE[due])
    assert days.wrong() == f"snapshot: nothing was begun for {DUE[due]} ({trigger})"


def test_a_second_catch_up_is_found(days: Days) -> None:
    days.run(1, DUE[2], CATCH_UP, after=13 * HOUR)
    assert "nothing asked for" in days.wrong()


def test_a_due_time_that_is_answered_twice_is_found(days: Days) -> None:
    days.run(1, DUE[4], run_id="another")
    assert "was answered 2 times" in days.wrong()


def test_a_backup_too_many_or_too_few_is_found(days: Days) -> None:
    days.backups.append(days.backups[0])
    assert "a backup too many" in days.wrong()
    days.backups = days.backups[1:-1]
    assert "there is no backup" in days.wrong()


def test_a_catch_up_shortly_before_the_next_run_is_found(days: Days) -> None:
    days.lives[1].started_at = DUE[4] - 10 * MINUTE
    assert "nothing asked for" in days.wrong()
    days.undo(DUE[3])
    found = days.tally()
    assert (found.wrong, found.caught_up, found.missed) == ([], 0, 2)


def test_a_run_may_fail_only_while_leanix_is_offline(days: Days) -> None:
    days.undo(DUE[1])
    days.run(0, DUE[1], ends="failed")
    assert "while LeanIX was there" in days.wrong()
    days.offlines = [Offline(DUE[1] - HOUR, DUE[1] + HOUR)]
    assert days.tally().wrong == []
    assert days.tally().failed == 1
    days.offlines = [Offline(DUE[0] - HOUR, DUE[1] + HOUR)]
    assert "while LeanIX was offline" in days.wrong()


def test_a_run_that_was_killed_must_be_resumed_and_end_once(days: Days) -> None:
    days.undo(DUE[1])
    days.run(0, DUE[1], run_id="killed", ends="")
    assert "never ended" in days.wrong()
    days.run(1, DUE[1], run_id="killed", event="run_resumed", after=25 * HOUR)
    assert days.tally().wrong == []
    assert days.tally().resumed == 1


def test_what_dies_at_a_due_time_may_have_begun_its_run_or_not(days: Days) -> None:
    days.lives[0].ended_at = DUE[1] + timedelta(milliseconds=20)
    assert days.tally().wrong == []
    days.undo(DUE[1])
    assert days.tally().wrong == []
    assert days.tally().missed == 2


def test_an_overlap_needs_a_run_that_was_going_on(days: Days) -> None:
    days.undo(DUE[4])
    skipped = {"event": "run_skipped", "job": "snapshot", "reason": "overlap", "run_id": "", "timestamp": str(DUE[4])}
    days.lives[1].lines.append(skipped | {"scheduled_at": DUE[4].isoformat()})
    assert "no run was going on" in days.wrong()
    days.undo(DUE[3])
    days.run(1, DUE[3], CATCH_UP, after=12 * HOUR - 30 * timedelta(seconds=1))
    assert (days.tally().wrong, days.tally().overlapped) == ([], 1)
