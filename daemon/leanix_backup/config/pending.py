"""What can be said in the configuration, and this version does not do yet: a warning, so that nobody relies on it.

A line is taken out here with the change that makes its setting work.
"""

from __future__ import annotations

from collections.abc import Iterator

from leanix_backup.config.settings import Config, Heartbeat
from leanix_backup.errors import Problem

_HINT = "this version accepts the setting and does not act on it yet"


def pending(config: Config) -> tuple[Problem, ...]:
    """List what the configuration asks for in vain."""
    return tuple(Problem(path, message, _HINT) for path, message in _found(config))


def _found(config: Config) -> Iterator[tuple[str, str]]:
    for job in config.jobs.values():
        if any(not policy.forever for policy in job.retention.values()):
            yield f"jobs.{job.name}.retention", "nothing is pruned: every backup stays"
        if job.shrink_guard is not None:
            yield f"jobs.{job.name}.shrink_guard", "a backup that shrank is stored like any other"
    if config.notify:
        yield "notify", "nobody is told"
    if config.heartbeat != Heartbeat() or any(job.heartbeat != Heartbeat() for job in config.jobs.values()):
        yield "heartbeat", "no URL is called"
    if config.verify.schedule is not None:
        yield "verify.schedule", "stored backups are not read back"
