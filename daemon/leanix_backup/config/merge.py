"""What counts for a job: its own word, else the default's. Pure; used by the checks and by the resolving alike."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from zoneinfo import ZoneInfo

from leanix_backup.config.models import AuditLogSection, HeartbeatSection, JobSection, PollSection, Root
from leanix_backup.config.places import Forever, RetentionSection
from leanix_backup.config.secret import Secret
from leanix_backup.model import RetentionPolicy


def zone_of(root: Root, job: JobSection) -> ZoneInfo:
    """The zone of a job's schedule and of its retention's days."""
    return job.timezone or root.defaults.timezone


def destinations_of(root: Root, job: JobSection) -> tuple[str, ...] | None:
    """Where a job's backups go, or None where nothing says it."""
    return job.destinations if job.destinations is not None else root.defaults.destinations


def own_retention_of(root: Root, job: JobSection) -> RetentionSection | Forever | None:
    """What a job keeps wherever a destination says nothing of its own."""
    return job.retention if job.retention is not None else root.defaults.retention


def retention_of(root: Root, job: JobSection, destination: str) -> RetentionPolicy | None:
    """What is kept of a job at one destination: the destination's word first; None where nothing says it."""
    section = root.destinations.get(destination)
    said = section.retention if section is not None and section.retention is not None else own_retention_of(root, job)
    return policy(said)


def policy(said: RetentionSection | Forever | None) -> RetentionPolicy | None:
    """Turn a policy as it was said into the one that retention reads."""
    if said is None:
        return None
    if isinstance(said, Forever):
        return RetentionPolicy(forever=True)
    rules = {rule.name: getattr(said, rule.name) for rule in fields(RetentionPolicy) if rule.name != "forever"}
    return RetentionPolicy(**{name: value for name, value in rules.items() if value is not None})


def poll_of(root: Root, job: JobSection) -> PollSection:
    """How a job polls: its own words one by one, else the defaults'."""
    own = job.poll.model_dump(exclude_none=True) if job.poll is not None else {}
    return root.defaults.poll.model_copy(update=own)


def audit_log_of(job: JobSection) -> AuditLogSection:
    """Which stretch a run of a job asks for."""
    return job.audit_log or AuditLogSection()


def secret_of(literal: Secret | None, file: Path | None) -> Secret | None:
    """Join a secret and its `_file` form, of which at most one was said."""
    return Secret(path=file) if file is not None else literal


def heartbeat_of(root: Root, job: JobSection | None) -> HeartbeatSection:
    """Which URLs are called around a job's runs: its own one by one, else the global ones."""
    said: dict[str, object] = {}
    for key in ("start", "success", "failure"):
        for section in (root.heartbeat, job.heartbeat if job is not None else None):
            literal, file = getattr(section, key, None), getattr(section, f"{key}_file", None)
            if literal is not None or file is not None:
                said |= {key: literal, f"{key}_file": file}
    return HeartbeatSection.model_construct(**said)  # type: ignore[arg-type]  # values of the same model's own fields
