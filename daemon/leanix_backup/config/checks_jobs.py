"""What a job must say, whether what it names is there, and what it says for nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from leanix_backup import cron
from leanix_backup.config import merge
from leanix_backup.config.models import JobSection
from leanix_backup.config.nearest import did_you_mean
from leanix_backup.config.report import Report
from leanix_backup.config.settings import Purpose
from leanix_backup.config.shape import Path
from leanix_backup.model import ExportType

ARCHIVED_FOR: Final = timedelta(days=90)  # LeanIX deletes archived fact sheets after that
_LOOK_FROM: Final = datetime(2024, 1, 1, tzinfo=UTC)
_LOOK_AHEAD: Final = timedelta(days=4 * 366)


def check_jobs(report: Report) -> None:
    """Check every job on its own."""
    if not report.tree.names("jobs") and report.purpose is not Purpose.READ:
        report.miss(("jobs",), "no job is configured")
    _check_names(report, ("defaults", "destinations"), report.root.defaults.destinations)
    for name, job in report.root.jobs.items():
        path: Path = ("jobs", name)
        for key, what in (("workspace", "a workspace"), ("export", "an export"), ("schedule", "a schedule")):
            if getattr(job, key) is None:
                report.miss((*path, key), f"the job needs {what}")
        if job.workspace is not None and job.workspace not in report.tree.names("workspaces"):
            hint = _known(job.workspace, report.tree.names("workspaces"))
            report.refuse((*path, "workspace"), "there is no workspace of this name", hint)
        _check_destinations(report, path, job)
        _check_options(report, path, job)


def _check_destinations(report: Report, path: Path, job: JobSection) -> None:
    _check_names(report, (*path, "destinations"), job.destinations)
    said = merge.destinations_of(report.root, job)
    if job.destinations == ():
        report.refuse((*path, "destinations"), "names no destination", "leave it out for the defaults'")
    elif said is None and report.purpose is not Purpose.READ and not report.broken("defaults", "destinations"):
        hint = "say it here, or in defaults.destinations"
        report.miss((*path, "destinations"), "nothing says where its backups go", hint)


def _check_names(report: Report, path: Path, names: tuple[str, ...] | None) -> None:
    known = report.tree.names("destinations")
    for index, name in enumerate(names or ()):
        if name not in known:
            report.refuse((*path, index), "there is no destination of this name", _known(name, known))
        elif name in (names or ())[:index]:
            report.refuse((*path, index), "names a destination twice", "leave one of the two out")


def _known(name: str, known: list[str]) -> str:
    return did_you_mean(name, known) or (f"known are {', '.join(sorted(known))}" if known else "none is configured")


def _check_options(report: Report, path: Path, job: JobSection) -> None:
    poll, window = merge.poll_of(report.root, job), merge.audit_log_of(job)
    if poll.first > poll.ceiling:
        own = (*path, "poll") if job.poll is not None else ("defaults", "poll")
        report.refuse(own, "first is longer than ceiling", "the first wait is the shortest")
    if window.overlap >= window.max_window:
        report.refuse((*path, "audit_log"), "overlap is not shorter than max_window", "no run would get any further")
    if job.export is None:
        return
    if job.audit_log is not None and job.export is not ExportType.AUDIT_LOG:
        report.refuse((*path, "audit_log"), "is for AUDIT_LOG only", "leave it out")
    if job.shrink_guard is not None and job.export is ExportType.AUDIT_LOG:
        report.refuse((*path, "shrink_guard"), "an audit log has no fact sheets to count", "leave it out")
    if job.export is ExportType.ARCHIVE and job.schedule is not None:
        schedule = cron.parse(job.schedule, merge.zone_of(report.root, job))
        if pauses_longer_than(schedule, ARCHIVED_FOR):
            message = "runs rarer than every 90 days, after which LeanIX deletes archived fact sheets"
            report.warn((*path, "schedule"), message, "for example @weekly")


def pauses_longer_than(schedule: cron.Schedule, limit: timedelta) -> bool:
    """Say whether more than `limit` ever passes between two firings, over four years.

    A pause that long holds one of the instants that are looked at, half the limit apart; all else is passed over, as
    many jobs may fire many times a day.
    """
    if schedule.period is not None:
        return schedule.period > limit
    instant = _LOOK_FROM
    while instant < _LOOK_FROM + _LOOK_AHEAD:
        following = schedule.next_after(instant)
        if following - instant > limit / 2:
            last = cron.last_due(schedule, since=_LOOK_FROM - _LOOK_AHEAD, now=instant)
            if last is None or following - last > limit:
                return True
        instant = max(instant + limit / 2, following)
    return False
