"""What can be said in the configuration, and this version does not do yet: a warning, so that nobody relies on it.

A line is taken out here with the change that makes its setting work.
"""

from __future__ import annotations

from collections.abc import Iterator

from leanix_backup.config.settings import Config, Heartbeat
from leanix_backup.errors import Problem

_USUAL = "127.0.0.1:8080"
_HINT = "this version accepts the setting and does not act on it yet"


def pending(config: Config) -> tuple[Problem, ...]:
    """List what the configuration asks for in vain."""
    return tuple(Problem(path, message, _HINT) for path, message in _found(config))


def _found(config: Config) -> Iterator[tuple[str, str]]:
    if config.http is not None and (f"{config.http.host}:{config.http.port}" != _USUAL or config.http.token):
        yield "http", "there is no status page"
    if config.notify:
        yield "notify", "nobody is told"
    if config.heartbeat != Heartbeat() or any(job.heartbeat != Heartbeat() for job in config.jobs.values()):
        yield "heartbeat", "no URL is called"
