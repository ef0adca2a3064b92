"""What can be said in the configuration, and this version does not do yet: a warning, so that nobody relies on it.

A line is taken out here with the change that makes its setting work.
"""

from __future__ import annotations

from collections.abc import Iterator

from leanix_backup.config.settings import Config, Heartbeat, S3Destination
from leanix_backup.config.words import Prune
from leanix_backup.errors import Problem

_USUAL = "127.0.0.1:8080"
_HINT = "this version accepts the setting and does not act on it yet"


def pending(config: Config) -> tuple[Problem, ...]:
    """List what the configuration asks for in vain."""
    return tuple(Problem(path, message, _HINT) for path, message in _found(config))


def _found(config: Config) -> Iterator[tuple[str, str]]:
    yield from _of_destinations(config)
    for job in config.jobs.values():
        if any(not policy.forever for policy in job.retention.values()):
            yield f"jobs.{job.name}.retention", "nothing is pruned: every backup stays"
        if job.shrink_guard is not None:
            yield f"jobs.{job.name}.shrink_guard", "a backup that shrank is stored like any other"
    if config.http is not None and (f"{config.http.host}:{config.http.port}" != _USUAL or config.http.token):
        yield "http", "there is no status page"
    if config.notify:
        yield "notify", "nobody is told"
    if config.heartbeat != Heartbeat() or any(job.heartbeat != Heartbeat() for job in config.jobs.values()):
        yield "heartbeat", "no URL is called"
    if config.verify.schedule is not None:
        yield "verify.schedule", "stored backups are not read back"


def _of_destinations(config: Config) -> Iterator[tuple[str, str]]:
    for name, destination in config.destinations.items():
        if isinstance(destination, S3Destination):
            yield f"destinations.{name}.type", "a job that uses it is refused: this version can't write to s3"
        if destination.prune is not Prune.SERVICE:
            yield f"destinations.{name}.prune", "nothing is pruned by anybody"
