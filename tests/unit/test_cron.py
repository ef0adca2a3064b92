"""cron: firings against a minute-by-minute wall clock, daylight saving, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanix_backup.cron import Schedule, ScheduleError, dst_note, format_duration, parse, parse_duration

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
# A whole hour, half an hour, at midnight, and the same in the south.
CHANGES = (
    (BERLIN, datetime(2027, 3, 28, 1, tzinfo=UTC)),
    (BERLIN, datetime(2027, 10, 31, 1, tzinfo=UTC)),
    (ZoneInfo("Australia/Lord_Howe"), datetime(2027, 4, 3, 15, tzinfo=UTC)),
    (ZoneInfo("Australia/Lord_Howe"), datetime(2027, 10, 2, 15, 30, tzinfo=UTC)),
    (ZoneInfo("Africa/Cairo"), datetime(2027, 4, 29, 22, tzinfo=UTC)),
    (ZoneInfo("America/Santiago"), datetime(2027, 4, 4, 3, tzinfo=UTC)),
)


def firings(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    instant = start
    while (instant := schedule.next_after(instant)) <= end:
        found.append(instant)
    return found


def local(found: list[datetime], zone: ZoneInfo) -> list[str]:
    return [f"{instant.astimezone(zone):%m-%d %H:%M %a}" for instant in found]


def test_sunday_is_sunday() -> None:
    found = firings(
        parse("0 3 * * 0", UTC_ZONE), datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 31, 23, tzinfo=UTC)
    )
    assert local(found, UTC_ZONE) == [f"01-{day:02d} 03:00 Sun" for day in (3, 10, 17, 24, 31)]


@pytest.mark.parametrize("day", ["7", "0", "sun", "SUN", "7-7", "0,7"])
def test_sunday_has_many_names(day: str) -> None:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    assert parse(f"0 3 * * {day}", UTC_ZONE).next_after(start) == datetime(2027, 1, 3, 3, tzinfo=UTC)


def test_day_of_month_or_weekday() -> None:
    found = firings(parse("0 3 1 * 1", UTC_ZONE), datetime(2027, 3, 25, tzinfo=UTC), datetime(2027, 4, 13, tzinfo=UTC))
    assert local(found, UTC_ZONE) == ["03-29 03:00 Mon", "04-01 03:00 Thu", "04-05 03:00 Mon", "04-12 03:00 Mon"]


def test_a_star_with_a_step_makes_it_and() -> None:
    # Debian's cron looks at the first character only: `*/2` begins with a star, so both must match.
    found = firings(parse("0 3 */2 * 1", UTC_ZONE), datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 3, 31, tzinfo=UTC))
    assert local(found, UTC_ZONE) == ["03-01 03:00 Mon", "03-15 03:00 Mon", "03-29 03:00 Mon"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 * jan-feb *", "2027-01-02T00:00:00+00:00"),
        ("15,45 6-8/2 * * mon-fri", "2027-01-01T06:15:00+00:00"),
        ("*/20 * * * *", "2027-01-01T00:20:00+00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00:00+00:00"),
        ("@hourly", "2027-01-01T01:00:00+00:00"),
        ("@daily", "2027-01-02T00:00:00+00:00"),
        ("@midnight", "2027-01-02T00:00:00+00:00"),
        ("@weekly", "2027-01-03T00:00:00+00:00"),
        ("@monthly", "2027-02-01T00:00:00+00:00"),
        ("@yearly", "2028-01-01T00:00:00+00:00"),
        ("@annually", "2028-01-01T00:00:00+00:00"),
        ("@every 6h", "2027-01-01T06:00:00+00:00"),
        ("@every 1h30m", "2027-01-01T01:30:00+00:00"),
        ("\t30  2 * * * ", "2027-01-01T02:30:00+00:00"),
    ],
)
def test_next(text: str, expected: str) -> None:
    assert parse(text, UTC_ZONE).next_after(datetime(2027, 1, 1, tzinfo=UTC)).isoformat() == expected


def test_every_is_aligned_to_the_epoch_whatever_the_zone() -> None:
    schedule = parse("@every 7h", BERLIN)
    found = schedule.next_after(datetime(2027, 3, 28, 0, 59, 59, 999_999, tzinfo=UTC))
    assert found.timestamp() % (7 * 3600) == 0
    assert schedule.next_after(found) - found == timedelta(hours=7)


def test_strictly_after() -> None:
    schedule = parse("30 2 * * *", UTC_ZONE)
    due = datetime(2027, 1, 1, 2, 30, tzinfo=UTC)
    assert schedule.next_after(due - timedelta(microseconds=1)) == due
    assert schedule.next_after(due) == due + timedelta(days=1)
    assert schedule.next_after(due + timedelta(microseconds=1)) == due + timedelta(days=1)


def test_any_aware_instant_is_taken_and_utc_given() -> None:
    found = parse("30 2 * * *", BERLIN).next_after(datetime(2027, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")))
    assert (found.tzinfo, found.isoformat()) == (UTC, "2027-01-01T01:30:00+00:00")


@pytest.mark.parametrize(
    ("night", "instant"), [("2027-03-28", "2027-03-28T01:00:00+00:00"), ("2027-10-31", "2027-10-31T00:30:00+00:00")]
)
def test_half_past_two_once_on_each_night_of_change(night: str, instant: str) -> None:
    start = datetime.fromisoformat(night).replace(tzinfo=BERLIN)
    found = firings(parse("30 2 * * *", BERLIN), start.astimezone(UTC), start.astimezone(UTC) + timedelta(hours=22))
    assert [each.isoformat() for each in found] == [instant]


@pytest.mark.parametrize(("text", "pace"), [("*/15 * * * *", 15), ("0 * * * *", 60), ("@hourly", 60)])
@pytest.mark.parametrize(("zone", "change"), [change for change in CHANGES if change[0] is BERLIN])
def test_what_follows_the_wall_keeps_its_pace(text: str, pace: int, zone: ZoneInfo, change: datetime) -> None:
    found = firings(parse(text, zone), change - timedelta(hours=4), change + timedelta(hours=4))
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=pace)}


def _matches(text: str, wall: datetime) -> bool:
    """Read minute and hour by the simplest means there are, to compare with."""

    def values(field: str, size: int) -> set[int]:
        found: set[int] = set()
        for term in field.split(","):
            body, _, step = term.partition("/")
            low, _, high = body.partition("-")
            span = range(size) if body == "*" else range(int(low), int(high or low) + 1)
            found |= set(span[:: int(step or 1)])
        return found

    minute, hour = text.split()[:2]
    return wall.minute in values(minute, 60) and wall.hour in values(hour, 24)


_minute = st.sampled_from(["*", "*/15", "*/7", "0", "30", "0,30", "15-45/15"])
_hour = st.sampled_from(["*", "*/2", "*/3", "0", "2", "1-3", "0,2,23", "0-23/2"])


@settings(max_examples=60, deadline=None)
@given(minute=_minute, hour=_hour, change=st.sampled_from(CHANGES))
def test_as_debians_cron_would_fire(minute: str, hour: str, change: tuple[ZoneInfo, datetime]) -> None:
    text, (zone, moment) = f"{minute} {hour} * * *", change
    start, end = moment - timedelta(hours=6), moment + timedelta(hours=6)
    minutes = [start + timedelta(minutes=count) for count in range(1, 12 * 60 + 1)]
    walls = [(instant, instant.astimezone(zone).replace(tzinfo=None)) for instant in minutes]
    if minute.startswith("*") or hour.startswith("*"):
        expected = [instant for instant, wall in walls if _matches(text, wall)]
    else:
        # The clock is followed forward only: skipped minutes are made up at the jump, repeated ones don't count.
        expected, reached = [], start.astimezone(zone).replace(tzinfo=None)
        for instant, wall in walls:
            passed = [
                reached + timedelta(minutes=1 + count) for count in range((wall - reached) // timedelta(minutes=1))
            ]
            if any(_matches(text, each) for each in passed):
                expected.append(instant)
            reached = max(reached, wall)
    assert firings(parse(text, zone), start, end) == expected


def test_dst_notes() -> None:
    schedule = parse("30 2 * * *", BERLIN)
    spring = schedule.next_after(datetime(2027, 3, 27, 12, tzinfo=UTC))
    autumn = schedule.next_after(datetime(2027, 10, 30, 12, tzinfo=UTC))
    assert dst_note(schedule, spring) == "02:30 does not exist on 2027-03-28, runs 03:00"
    assert dst_note(schedule, autumn) == "02:30 comes twice on 2027-10-31, runs the first time (CEST)"
    assert dst_note(schedule, schedule.next_after(spring)) is None
    assert dst_note(parse("@every 1h", BERLIN), spring) is None
    quarters = parse("*/15 2 * * *", BERLIN)
    assert dst_note(quarters, autumn) == "02:30 comes twice on 2027-10-31, runs both times (CEST)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("* * * *", "has 4"),
        ("0 3 * * * *", "has 6"),
        ("30 2 * * * root", "has 6"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 2,4 *", "never fires"),
        ("0 0 31 4,6,9,11 */2", "never fires"),
        ("0 0 L * *", "day of month can't be read"),
        ("0 0 LW * *", "day of month can't be read"),
        ("0 0 15W * *", "day of month can't be read"),
        ("0 0 * * 5L", "day of week can't be read"),
        ("0 0 * * mon#2", "day of week can't be read"),
        ("0 0 ? * *", "day of month can't be read"),
        ("H 0 * * *", "minute can't be read"),
        ("60 * * * *", "minute goes from 0 to 59"),
        ("0 24 * * *", "hour goes from 0 to 23"),
        ("0 0 0 * *", "day of month goes from 1 to 31"),
        ("0 0 * 13 *", "month goes from 1 to 12"),
        ("0 0 * * 8", "day of week goes from 0 to 7"),
        ("jan * * * *", "minute can't be read"),
        ("0 0 * mon *", "month can't be read"),
        ("*/0 * * * *", "step of 0"),
        ("5/15 * * * *", "step after a single value"),
        ("0 22-5 * * *", "runs backwards"),
        ("0 0 * * fri-sun", "runs backwards"),
        ("1,,2 * * * *", "minute can't be read"),
        ("\u0661 * * * *", "minute can't be read"),
        ("@reboot", "no schedule here"),
        ("@dayly", "no schedule of this name"),
        ("@daily 3", "nothing may follow"),
        ("@every", "must be a duration"),
        ("@every 0s", "longer than zero"),
        ("@every 6", "must be a duration"),
        ("@every 90000000d", "hundred years"),
    ],
)
def test_refused(text: str, words: str) -> None:
    with pytest.raises(ScheduleError, match=words) as refused:
        parse(text, UTC_ZONE)
    assert refused.value.hint or words == "hundred years"


def test_a_misspelt_name_gets_the_nearest() -> None:
    with pytest.raises(ScheduleError) as refused:
        parse("@dayly", UTC_ZONE)
    assert refused.value.hint == "did you mean @daily?"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("30 2 * * *", "At 02:30 every day (Europe/Berlin)"),
        ("@every 90m", "Every 90m, counted from 1970-01-01 00:00 UTC"),
    ],
)
def test_describe(text: str, words: str) -> None:
    assert parse(text, BERLIN).describe == words


@given(st.integers(0, 10_000_000))
def test_durations_are_written_as_they_are_read(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration
