"""Whether each policy keeps anything, fits its export, agrees with its neighbours and with the locks."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from typing import Final

from leanix_backup.config import merge
from leanix_backup.config.models import JobSection
from leanix_backup.config.places import RetentionSection, S3Section
from leanix_backup.config.report import Report
from leanix_backup.config.settings import Purpose
from leanix_backup.config.shape import Path
from leanix_backup.model import ExportType, RetentionPolicy, RetentionSpan

_SAY = 'say "forever", or a policy: {keep_daily: 14, keep_monthly: 12}'
_NOT_THINNING: Final = {"keep_within", "delete_after", "keep_min"}
_MONTHS: Final = 12
_FAR: Final = 9_000  # beyond it nothing outlives anything, and the calendar would end
# A leap year and three others: whether one span outlives another can depend on where it begins.
_STARTS: Final = tuple(datetime(year, month, 1) for year in range(2024, 2028) for month in range(1, 13))  # noqa: DTZ001 - calendar days, no instants


def check_retention(report: Report) -> None:
    """Check policies one by one, then those of each job at each of its destinations."""
    _check_policy(report, ("defaults", "retention"), report.root.defaults.retention)
    for name, section in report.root.destinations.items():
        _check_policy(report, ("destinations", name, "retention"), section.retention)
    first: dict[tuple[object, ...], tuple[str, JobSection]] = {}
    for name, job in report.root.jobs.items():
        _check_policy(report, ("jobs", name, "retention"), job.retention)
        for destination in dict.fromkeys(merge.destinations_of(report.root, job) or ()):
            if destination in report.root.destinations:
                _check_at(report, name, job, destination)
            key = (job.workspace, job.export, destination)
            if None not in key:
                _check_agreement(report, first.setdefault(key, (name, job)), (name, job), destination)


def _check_policy(report: Report, path: Path, said: object) -> None:
    if not isinstance(said, RetentionSection) or report.broken(*path):
        return
    counts = [rule for rule in type(said).model_fields if rule.startswith("keep_") and rule != "keep_min"]
    if not any(getattr(said, rule) for rule in counts) and said.delete_after is None:
        report.refuse(path, "says nothing that would be kept", _SAY)


def _check_at(report: Report, name: str, job: JobSection, destination: str) -> None:
    policy = merge.retention_of(report.root, job, destination)
    path: Path = ("jobs", name, "retention")
    at_destination: Path = ("destinations", destination, "retention")
    if any(report.broken(*broken) for broken in (path, at_destination, ("defaults", "retention"))):
        return
    if policy is None:
        if report.purpose is not Purpose.READ:
            report.miss(path, f"nothing says what is kept at {destination}", _SAY)
        return
    own = report.root.destinations[destination].retention is not None
    said_at = at_destination if own else path if job.retention is not None else ("defaults", "retention")
    if job.export is ExportType.AUDIT_LOG and (thinning := _thinning(policy)):
        where = f" (at destination {destination})" if own else ""
        message = f"an audit log must not be thinned out{where}: {', '.join(thinning)}"
        report.refuse(path, message, "keep_within, delete_after or forever leave its chain whole")
    lock = _lock(report, destination)
    if lock is not None and policy.delete_after is not None and outlives(lock, policy.delete_after):
        message = f"delete_after comes before the object lock at {destination} ends"
        report.refuse(said_at, message, "shorten object_lock.retain, or delete later")


def _check_agreement(
    report: Report, first: tuple[str, JobSection], second: tuple[str, JobSection], destination: str
) -> None:
    (first_name, first_job), (name, job) = first, second
    if merge.zone_of(report.root, first_job) != merge.zone_of(report.root, job):
        message = f"disagrees with job {first_name}: both fill the same place at {destination}"
        report.refuse(("jobs", name, "timezone"), message, "retention counts days in one zone")
    policies = [merge.retention_of(report.root, each, destination) for each in (first_job, job)]
    if None not in policies and policies[0] != policies[1]:
        message = f"disagrees with job {first_name}: both fill the same place at {destination}"
        report.refuse(("jobs", name, "retention"), message, "say the same retention for both")


def _thinning(policy: RetentionPolicy) -> list[str]:
    rules = [rule for rule in RetentionPolicy.__dataclass_fields__ if rule.startswith("keep_")]
    return [rule for rule in rules if rule not in _NOT_THINNING and getattr(policy, rule)]


def _lock(report: Report, destination: str) -> RetentionSpan | None:
    section = report.root.destinations[destination]
    return section.object_lock.retain if isinstance(section, S3Section) and section.object_lock is not None else None


def outlives(lock: RetentionSpan, delete_after: RetentionSpan) -> bool:
    """Whether a lock may still hold when deletion is due, wherever in the calendar the two begin."""
    return any(_after(start, lock) > _after(start, delete_after) for start in _STARTS)


def _after(start: datetime, span: RetentionSpan) -> datetime:
    months = start.month - 1 + span.months
    year, month = start.year + span.years + months // _MONTHS, months % _MONTHS + 1
    if year > _FAR:
        return start.replace(year=_FAR)
    day = min(start.day, monthrange(year, month)[1])
    return start.replace(year=year, month=month, day=day) + timedelta(days=span.days, hours=span.hours)
