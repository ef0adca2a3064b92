"""What `startDate` and `endDate` of an AUDIT_LOG mean: pure, by the server's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from leanix_backup.model import Stretch
from leanix_backup.simulator.replies import Refused
from leanix_backup.simulator.switches import Switches
from leanix_backup.simulator.workspace import DEFAULT_WINDOW


def asked_window(start: str, end: str, now: datetime, switches: Switches) -> Stretch:
    """Read the window that a client asks for.

    A plain date as start means its midnight (UTC). As end it means the day's last microsecond where ends are
    inclusive, else its midnight. Empty: 30 days before the end; now.

    Raises:
        Refused: A date in a form that the switches don't take, an end before its start, or too long a window.
    """
    until = _read(end, switches, is_end=True) if end else now
    since = _read(start, switches, is_end=False) if start else until - DEFAULT_WINDOW
    if until < since:
        raise Refused(400, "endDate is before startDate", value=end)
    if switches.audit_max_days and until - since > timedelta(days=switches.audit_max_days):
        raise Refused(400, f"the time frame must not exceed {switches.audit_max_days:g} days", value=start)
    return Stretch(since, until)


def _read(text: str, switches: Switches, *, is_end: bool) -> datetime:
    try:
        plain = _date(text)
        moment = None if plain else datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, "not an ISO-8601 date", value=text) from None
    if switches.audit_dates == ("datetime_only" if plain else "date_only"):
        raise Refused(400, "Text could not be parsed as a date", value=text)
    if moment is not None:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if switches.audit_dates != "truncate":
            return moment
        plain = moment.date()
    midnight = datetime.combine(plain or date.min, time(), UTC)
    if is_end and switches.audit_end_inclusive:
        return midnight + timedelta(days=1) - timedelta.resolution
    return midnight


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if len(text) == len("2027-01-31") else None
