from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leanix_backup.simulator.replies import Refused
from leanix_backup.simulator.switches import Switches
from leanix_backup.simulator.windows import asked_window

NOW = datetime(2027, 2, 10, 12, 30, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_nothing_asked_is_the_last_thirty_days() -> None:
    window = asked_window("", "", NOW, Switches())
    assert (window.start, window.end) == (NOW - timedelta(days=30), NOW)


def test_date_times_are_taken_as_they_are() -> None:
    window = asked_window("2027-02-01T10:00:00Z", "2027-02-02T10:00:00+02:00", NOW, Switches())
    assert (window.start, window.end) == (at("2027-02-01T10:00"), at("2027-02-02T08:00"))


def test_a_plain_end_date_is_that_whole_day_where_ends_are_inclusive() -> None:
    window = asked_window("2027-02-01", "2027-02-03", NOW, Switches(audit_dates="date_only"))
    assert (window.start, window.end) == (at("2027-02-01"), at("2027-02-03T23:59:59.999999"))
    exclusive = asked_window("2027-02-01", "2027-02-03", NOW, Switches(audit_end_inclusive=False))
    assert exclusive.end == at("2027-02-03")


def test_truncation_widens_to_days() -> None:
    window = asked_window("2027-02-01T10:00:00Z", "2027-02-02T10:00:00Z", NOW, Switches(audit_dates="truncate"))
    assert (window.start, window.end) == (at("2027-02-01"), at("2027-02-02T23:59:59.999999"))


@pytest.mark.parametrize(
    ("start", "end", "switches"),
    [
        ("2027-02-01T10:00:00Z", "", Switches(audit_dates="date_only")),
        ("2027-02-01", "", Switches(audit_dates="datetime_only")),
        ("yesterday", "", Switches()),
        ("2027-02-02", "2027-01-01", Switches()),
        ("2027-01-01", "2027-02-02", Switches(audit_max_days=30)),
    ],
)
def test_what_leanix_might_refuse_is_refused(start: str, end: str, switches: Switches) -> None:
    with pytest.raises(Refused) as caught:
        asked_window(start, end, NOW, switches)
    assert caught.value.status == 400
