"""Whose backups are meant, and which rules apply: one workspace's export at one destination. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from leanix_backup.config import Config, Prune, S3Destination
from leanix_backup.model import ExportType, RetentionPolicy, RetentionSpan

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Scope:
    """What retention is about.

    Attributes:
        policy: None where nothing says what is kept: then everything is.
        jobs: The jobs that fill it; none where they are gone.
        prune: Who may delete there.
        lock: How long the destination locks what is stored; None where it does not.
        guard: The strictest `shrink_guard` of those jobs, as the backups of all of them lie together.
    """

    workspace: str
    export: ExportType
    destination: str
    policy: RetentionPolicy | None
    zone: ZoneInfo
    jobs: tuple[str, ...]
    prune: Prune
    lock: RetentionSpan | None = None
    guard: float | None = None


def scopes_of(config: Config) -> tuple[Scope, ...]:
    """List what the configured jobs fill, paused ones too; jobs that share a place agree on its rules."""
    found: dict[tuple[str, ExportType, str], Scope] = {}
    guards: dict[tuple[str, ExportType], float] = {}
    for job in config.jobs.values():
        if job.shrink_guard is not None and job.export is ExportType.SNAPSHOT:
            place = (job.workspace, job.export)
            guards[place] = min(job.shrink_guard, guards.get(place, job.shrink_guard))
    for job in config.jobs.values():
        for destination in job.destinations:
            where = (job.workspace, job.export, destination)
            before = found.get(where)
            found[where] = Scope(
                *where,
                policy=job.retention.get(destination),
                zone=job.zone,
                jobs=(*(before.jobs if before else ()), job.name),
                prune=config.destinations[destination].prune,
                lock=_lock(config, destination),
                guard=guards.get((job.workspace, job.export)),
            )
    return tuple(found.values())


def retired_scope(
    config: Config, workspace: str, export: ExportType, destination: str, *, delete_after: RetentionSpan | None
) -> Scope:
    """Say what applies to backups whose jobs are gone: nothing but the ceiling.

    Args:
        config: Where the destination's own retention stands, else the default one.
        workspace: The workspace's name.
        export: The export.
        destination: The destination's name.
        delete_after: The ceiling, where somebody said it now.
    """
    said = config.destinations[destination].retention or config.retention
    ceiling = delete_after or (said.delete_after if said else None)
    return Scope(
        workspace,
        export,
        destination,
        policy=RetentionPolicy(delete_after=ceiling, keep_min=said.keep_min if said else 1) if ceiling else None,
        zone=_UTC,
        jobs=(),
        prune=config.destinations[destination].prune,
        lock=_lock(config, destination),
    )


def _lock(config: Config, destination: str) -> RetentionSpan | None:
    place = config.destinations[destination]
    return place.object_lock.retain if isinstance(place, S3Destination) and place.object_lock else None
