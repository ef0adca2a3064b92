"""What a policy keeps, in examples: every rule by its words, and what stands above the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from leanix_backup.model import RetentionPolicy, RetentionSpan
from leanix_backup.retention import FUTURE_GRACE, Candidate, Kept, Removed, plan
from tests.unit.retention.making import BERLIN, DAY, HOUR, NOW, UTC_ZONE, kept, nightly, reasons, removed

WEEK, MONTH, YEAR = RetentionSpan(days=7), RetentionSpan(months=1), RetentionSpan(years=1)
SECOND = timedelta(seconds=1)


class TestRules:
    def test_every_backup_comes_back_with_its_reasons_the_oldest_first(self) -> None:
        policy = RetentionPolicy(keep_last=2, keep_daily=3, keep_within=RetentionSpan(hours=30))
        backups = nightly(5)
        made = plan(reversed(backups), policy, zone=UTC_ZONE, now=NOW)
        assert made.keep == (
            Kept(backups[2], ("daily 2027-03-29",)),
            Kept(backups[3], ("last 2 of 2", "within 30h", "daily 2027-03-30")),
            Kept(backups[4], ("newest", "last 1 of 2", "within 30h", "daily 2027-03-31")),
        )
        assert made.remove == tuple(Removed(each, "no rule keeps it") for each in backups[:2])
        assert made.notes == ()

    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            ("keep_hourly", "hourly 2027-01-01 00h"),
            ("keep_daily", "daily 2027-01-01"),
            ("keep_weekly", "weekly 2026-W53"),
            ("keep_monthly", "monthly 2027-01"),
            ("keep_yearly", "yearly 2027"),
        ],
    )
    def test_buckets_are_those_of_the_zone(self, rule: str, expected: str) -> None:
        backups = [Candidate("a", datetime(2026, 12, 31, 23, 30, tzinfo=UTC))]
        made = plan(backups, RetentionPolicy(**{rule: 1}), zone=BERLIN, now=NOW)  # type: ignore[arg-type] # a count
        assert reasons(made) == {"a": ("newest", expected)}

    def test_the_newest_of_each_day_stays(self) -> None:
        backups = [
            Candidate(f"{day}-{hour}", datetime(2027, 3, day, hour, tzinfo=UTC)) for day in (1, 2) for hour in range(24)
        ]
        assert kept(plan(backups, RetentionPolicy(keep_daily=1), zone=UTC_ZONE, now=NOW)) == ["2-23"]
        assert kept(plan(backups, RetentionPolicy(keep_daily=2), zone=UTC_ZONE, now=NOW)) == ["1-23", "2-23"]

    def test_an_hour_that_comes_twice_is_one(self) -> None:
        twice = [Candidate(f"{hour}", datetime(2027, 10, 31, hour, 30, tzinfo=UTC)) for hour in (0, 1, 2)]
        policy = RetentionPolicy(keep_hourly=2)
        assert kept(plan(twice, policy, zone=BERLIN, now=NOW + 300 * DAY)) == ["1", "2"]
        assert kept(plan([*twice, Candidate("x", NOW)], policy, zone=UTC_ZONE, now=NOW + 300 * DAY)) == ["1", "2"]

    def test_a_count_that_is_not_used_up_keeps_the_oldest(self) -> None:
        made = plan(nightly(10), RetentionPolicy(keep_monthly=12), zone=UTC_ZONE, now=NOW)
        assert reasons(made) == {"03-22": ("oldest monthly",), "03-31": ("newest", "monthly 2027-03")}

    def test_a_count_that_is_used_up_does_not(self) -> None:
        assert kept(plan(nightly(10), RetentionPolicy(keep_monthly=1), zone=UTC_ZONE, now=NOW)) == ["03-31"]

    def test_stretches_are_measured_from_the_newest_and_exclude_their_end(self) -> None:
        late = NOW + 400 * DAY
        policy = RetentionPolicy(keep_within=RetentionSpan(days=3))
        assert kept(plan(nightly(10), policy, zone=UTC_ZONE, now=late)) == ["03-29", "03-30", "03-31"]

    def test_a_stretch_with_a_pace(self) -> None:
        hourly = [Candidate(f"{hour}", NOW - hour * HOUR) for hour in range(60)]
        made = plan(hourly, RetentionPolicy(keep_within_daily=RetentionSpan(days=2)), zone=UTC_ZONE, now=NOW)
        assert reasons(made) == {
            "0": ("newest", "daily 2027-03-31 within 2d"),
            "13": ("daily 2027-03-30 within 2d",),
            "37": ("daily 2027-03-29 within 2d",),
        }

    def test_months_run_over_as_restic_counts_them(self) -> None:
        backups = [*nightly(60, newest=datetime(2027, 3, 31, tzinfo=UTC))]
        made = plan(backups, RetentionPolicy(keep_within=MONTH), zone=UTC_ZONE, now=NOW)
        assert kept(made)[0] == "03-04", "a month before 31 March is 31 February, which is 3 March"

    @pytest.mark.parametrize(
        "span", [RetentionSpan(years=99_999), RetentionSpan(days=699_993), RetentionSpan(years=2026, days=80)]
    )
    def test_a_stretch_beyond_the_calendar_keeps_all(self, span: RetentionSpan) -> None:
        made = plan(nightly(5), RetentionPolicy(keep_within=span), zone=ZoneInfo("Asia/Tokyo"), now=NOW)
        assert len(made.keep) == 5


class TestCeiling:
    def test_alone_it_keeps_everything_younger(self) -> None:
        made = plan(nightly(10), RetentionPolicy(delete_after=WEEK), zone=UTC_ZONE, now=NOW)
        assert kept(made) == ["03-25", "03-26", "03-27", "03-28", "03-29", "03-30", "03-31"]
        assert reasons(made)["03-25"] == ("younger than 7d",)
        assert made.remove[-1] == Removed(nightly(8)[0], "older than delete_after 7d")

    def test_it_wins_over_keep_rules(self) -> None:
        policy = RetentionPolicy(keep_last=100, keep_within=YEAR, delete_after=WEEK)
        assert len(plan(nightly(10), policy, zone=UTC_ZONE, now=NOW).keep) == 7

    def test_it_is_measured_from_now(self) -> None:
        policy = RetentionPolicy(keep_daily=30, delete_after=WEEK)
        assert kept(plan(nightly(10), policy, zone=UTC_ZONE, now=NOW + 5 * DAY)) == ["03-30", "03-31"]

    def test_the_newest_stays_whatever_its_age(self) -> None:
        made = plan(nightly(10), RetentionPolicy(keep_daily=3, delete_after=WEEK), zone=UTC_ZONE, now=NOW + 90 * DAY)
        assert reasons(made) == {"03-31": ("newest",)}
        assert made.notes == ("03-31 is older than delete_after 7d, and kept: newest",)

    def test_keep_min_wins_over_it(self) -> None:
        policy = RetentionPolicy(keep_daily=3, delete_after=WEEK, keep_min=3)
        made = plan(nightly(10), policy, zone=UTC_ZONE, now=NOW + 90 * DAY)
        assert reasons(made) == {"03-29": ("keep_min 3",), "03-30": ("keep_min 3",), "03-31": ("newest",)}

    def test_the_oldest_is_the_oldest_of_those_that_may_stay(self) -> None:
        made = plan(
            nightly(40), RetentionPolicy(keep_monthly=12, delete_after=RetentionSpan(days=20)), zone=UTC_ZONE, now=NOW
        )
        assert reasons(made) == {"03-12": ("oldest monthly",), "03-31": ("newest", "monthly 2027-03")}

    def test_to_the_second(self) -> None:
        policy = RetentionPolicy(delete_after=WEEK)
        pair = [Candidate("edge", NOW - 7 * DAY), Candidate("inside", NOW - 7 * DAY + SECOND), Candidate("new", NOW)]
        assert removed(plan(pair, policy, zone=UTC_ZONE, now=NOW)) == ["edge"]


class TestAboveTheRules:
    def test_nothing_there(self) -> None:
        assert plan([], RetentionPolicy(keep_last=1), zone=UTC_ZONE, now=NOW).keep == ()

    def test_forever(self) -> None:
        made = plan(nightly(3), RetentionPolicy(forever=True), zone=UTC_ZONE, now=NOW)
        assert reasons(made)["03-29"] == ("forever",)
        assert made.remove == ()

    def test_a_policy_that_says_nothing_removes_nothing(self) -> None:
        made = plan(nightly(3), RetentionPolicy(keep_min=1), zone=UTC_ZONE, now=NOW)
        assert reasons(made)["03-29"] == ("no rule",)

    def test_keep_min_are_always_the_newest(self) -> None:
        policy = RetentionPolicy(keep_monthly=3, keep_min=3)
        made = plan(nightly(80), policy, zone=UTC_ZONE, now=NOW)
        assert reasons(made) == {
            "01-31": ("monthly 2027-01",),
            "02-28": ("monthly 2027-02",),
            "03-29": ("keep_min 3",),
            "03-30": ("keep_min 3",),
            "03-31": ("newest", "monthly 2027-03"),
        }

    def test_a_hold_and_a_lock(self) -> None:
        old = [
            Candidate("held", NOW - 900 * DAY, held=True),
            Candidate("locked", NOW - 800 * DAY, locked_until=NOW + SECOND),
            Candidate("lock ended", NOW - 700 * DAY, locked_until=NOW),
        ]
        made = plan([*old, *nightly(3)], RetentionPolicy(keep_last=1, delete_after=YEAR), zone=UTC_ZONE, now=NOW)
        assert reasons(made) == {
            "held": ("held",),
            "locked": ("locked until 2027-03-31T12:00:01Z",),
            "03-31": ("newest", "last 1 of 1"),
        }
        assert removed(made) == ["lock ended", "03-29", "03-30"]
        assert made.notes[0] == "held is older than delete_after 1y, and kept: held"

    def test_what_is_dated_in_the_future_is_kept_and_counts_for_nothing(self) -> None:
        ahead = Candidate("ahead", NOW + 400 * DAY)
        policy = RetentionPolicy(keep_last=1, keep_within=RetentionSpan(days=2))
        made = plan([*nightly(5), ahead], policy, zone=UTC_ZONE, now=NOW)
        assert reasons(made) == {
            "03-30": ("within 2d",),
            "03-31": ("newest", "last 1 of 1", "within 2d"),
            "ahead": ("in the future",),
        }
        assert made.notes == ("ahead is dated 2028-05-04T12:00:00Z, in the future: kept, and no rule counts it",)

    def test_a_server_whose_clock_is_a_little_ahead(self) -> None:
        fresh = Candidate("fresh", NOW + FUTURE_GRACE)
        made = plan([*nightly(2), fresh], RetentionPolicy(keep_last=1), zone=UTC_ZONE, now=NOW)
        assert reasons(made) == {"fresh": ("newest", "last 1 of 1")}
        late = replace(fresh, taken_at=fresh.taken_at + SECOND)
        assert "in the future" in reasons(plan([late], RetentionPolicy(keep_last=1), zone=UTC_ZONE, now=NOW))["fresh"]

    def test_only_the_future(self) -> None:
        ahead = [Candidate("a", NOW + DAY), Candidate("b", NOW + 2 * DAY)]
        made = plan(ahead, RetentionPolicy(keep_last=1, delete_after=WEEK), zone=UTC_ZONE, now=NOW)
        assert removed(made) == []


class TestFailedVerification:
    def test_it_takes_no_place_from_a_good_one(self) -> None:
        good, bad = Candidate("good", NOW - HOUR), Candidate("bad", NOW, good=False)
        older = Candidate("older", NOW - DAY)
        for policy in (RetentionPolicy(keep_last=2), RetentionPolicy(keep_daily=2)):
            made = plan([older, good, bad], policy, zone=UTC_ZONE, now=NOW)
            assert kept(made) == ["older", "good"]
            assert made.remove == (Removed(bad, "failed its verification"),)

    def test_it_is_never_the_newest_while_there_is_a_good_one(self) -> None:
        bad = Candidate("bad", NOW, good=False)
        made = plan(
            [*nightly(1, newest=NOW - 9 * DAY), bad], RetentionPolicy(delete_after=WEEK), zone=UTC_ZONE, now=NOW
        )
        assert reasons(made)["03-22"] == ("newest",)

    def test_the_newest_bad_one_stays_where_nothing_is_good(self) -> None:
        bad = [replace(each, good=False) for each in nightly(3)]
        made = plan(bad, RetentionPolicy(keep_last=1, delete_after=WEEK), zone=UTC_ZONE, now=NOW + 90 * DAY)
        assert reasons(made) == {"03-31": ("newest",)}

    def test_it_stays_where_no_good_one_stands_for_its_time(self) -> None:
        backups = nightly(4)
        backups[1] = replace(backups[1], good=False)
        made = plan(backups, RetentionPolicy(keep_daily=3), zone=UTC_ZONE, now=NOW)
        assert reasons(made) == {
            "03-28": ("daily 2027-03-28",),
            "03-29": ("daily 2027-03-29", "failed its verification"),
            "03-30": ("daily 2027-03-30",),
            "03-31": ("newest", "daily 2027-03-31"),
        }
        assert removed(plan(backups, RetentionPolicy(keep_daily=2), zone=UTC_ZONE, now=NOW)) == ["03-28", "03-29"]

    def test_it_may_be_one_of_the_last_while_there_are_not_enough_good_ones(self) -> None:
        backups = [replace(each, good=each.id == "03-29") for each in nightly(3)]
        made = plan(backups, RetentionPolicy(keep_last=2), zone=UTC_ZONE, now=NOW)
        assert reasons(made) == {
            "03-29": ("newest", "last 1 of 2"),
            "03-31": ("last 2 of 2", "failed its verification"),
        }

    def test_it_goes_when_it_is_too_old(self) -> None:
        backups = [replace(each, good=each.id == "03-31") for each in nightly(10)]
        made = plan(backups, RetentionPolicy(delete_after=WEEK), zone=UTC_ZONE, now=NOW)
        assert len(made.keep) == 7
        assert kept(plan(backups, RetentionPolicy(keep_within=WEEK), zone=UTC_ZONE, now=NOW)) == kept(made)

    def test_keep_min_counts_good_ones(self) -> None:
        backups = [replace(each, good=each.id != "03-30") for each in nightly(5)]
        made = plan(backups, RetentionPolicy(keep_last=1, keep_min=2), zone=UTC_ZONE, now=NOW)
        assert kept(made) == ["03-29", "03-31"]


class TestUnbroken:
    def test_everything_newer_than_the_oldest_that_is_kept_stays(self) -> None:
        backups = nightly(6)
        backups[1] = replace(backups[1], locked_until=NOW + DAY)
        policy = RetentionPolicy(keep_within=RetentionSpan(days=2))
        made = plan(backups, policy, zone=UTC_ZONE, now=NOW, unbroken=True)
        assert removed(made) == ["03-26"]
        assert reasons(made)["03-28"] == ("no gap",)
        assert removed(plan(backups, policy, zone=UTC_ZONE, now=NOW)) == ["03-26", "03-28", "03-29"]

    def test_but_not_what_is_too_old(self) -> None:
        backups = nightly(10)
        backups[0] = replace(backups[0], held=True)
        made = plan(backups, RetentionPolicy(delete_after=WEEK), zone=UTC_ZONE, now=NOW, unbroken=True)
        assert removed(made) == ["03-23", "03-24"]


def test_what_only_one_of_two_clocks_calls_the_future_is_counted() -> None:
    """LeanIX's clock dates the backup; where it is ahead of ours, the backup is none of the future."""
    ahead, old = Candidate("new", NOW + timedelta(hours=7)), Candidate("old", NOW - timedelta(days=30))
    policy = RetentionPolicy(keep_within=RetentionSpan(days=1))
    assert plan([ahead, old], policy, zone=UTC_ZONE, now=NOW).remove == ()
    made = plan([ahead, old], policy, zone=UTC_ZONE, now=NOW, latest=NOW + timedelta(hours=7))
    assert [each.candidate.id for each in made.remove] == ["old"]
