"""What goes from a shelf, and what stays and why. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from leanix_backup import retention
from leanix_backup.model import ExportType, RetentionPolicy
from leanix_backup.pruning.scope import Scope
from leanix_backup.pruning.shelf import Shelf, Shelved
from leanix_backup.retention import Candidate, Kept, Plan
from leanix_backup.stores import StoredObject

ORPHANED = timedelta(days=1)
_MOST_ORPHANS = 10
_FOREVER = RetentionPolicy(forever=True)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to happen at one place.

    Attributes:
        plan: What stays and what goes, by the file's key.
        remove: The backups that go, the oldest first.
        orphans: Files without a manifest that go, as whatever was to become of them has ended.
        notes: What somebody should look at.
    """

    scope: Scope
    plan: Plan
    remove: tuple[Shelved, ...]
    orphans: tuple[StoredObject, ...]
    notes: tuple[str, ...]


def decide(
    scope: Scope,
    shelf: Shelf,
    *,
    now: datetime,
    latest: datetime | None = None,
    damaged: Container[str] = (),
    begun: Container[str] = (),
    owed: Container[str] = (),
    orphaned: Mapping[str, datetime] | None = None,
    waits: str = "",
) -> Decision:
    """Decide what goes.

    Args:
        scope: Whose backups, and the rules.
        shelf: What lies there.
        now: The time, by the earlier clock where two are known.
        latest: The time by the later clock; None where one is known.
        damaged: Keys of files that failed when they were read back.
        begun: Keys of files whose deletion was begun: their manifests are gone already.
        owed: Keys of files that are being stored, or will be again: their manifests are to come.
        orphaned: Since when each orphan is known to be one; None where nobody keeps count, and then only those go whose
            deletion was begun.
        waits: Why nothing may go at present; empty where it may.
    """
    candidates = [
        Candidate(
            each.key.artifact,
            each.key.taken_at,
            good=each.key.artifact not in damaged,
            locked_until=retention.reach_ahead(each.key.taken_at, scope.lock, scope.zone) if scope.lock else None,
        )
        for each in shelf.backups
    ]
    plan = retention.plan(
        candidates,
        scope.policy or _FOREVER,
        zone=scope.zone,
        now=now,
        latest=latest,
        unbroken=scope.export is ExportType.AUDIT_LOG,
    )
    notes = [*plan.notes]
    waits = waits or _doubt(scope, shelf, now)
    if shelf.hidden:
        notes.append(f"{shelf.hidden} of its backups are hidden by delete markers: see `leanix-backup list`")
    if waits:
        keep = (*plan.keep, *(Kept(each.candidate, (waits,)) for each in plan.remove))
        plan = Plan(tuple(sorted(keep, key=lambda each: (each.candidate.taken_at, each.candidate.id))), (), plan.notes)
        return Decision(scope, plan, remove=(), orphans=(), notes=tuple(notes))
    going = {each.candidate.id for each in plan.remove}
    orphans, odd = _orphans(shelf, now, begun=begun, owed=owed, since=orphaned or {})
    return Decision(
        scope,
        plan,
        remove=tuple(each for each in shelf.backups if each.key.artifact in going),
        orphans=orphans,
        notes=(*notes, *odd),
    )


def _doubt(scope: Scope, shelf: Shelf, now: datetime) -> str:
    """Say why the clock may be wrong; empty where there is no doubt."""
    ceiling = scope.policy.delete_after if scope.policy is not None else None
    if ceiling is None or not scope.jobs or not shelf.backups:
        return ""
    if retention.reach_ahead(shelf.backups[-1].key.taken_at, ceiling, scope.zone) < now:
        return f"even the newest is older than delete_after {ceiling}: is this clock right?"
    return ""


def _orphans(
    shelf: Shelf, now: datetime, *, begun: Container[str], owed: Container[str], since: Mapping[str, datetime]
) -> tuple[tuple[StoredObject, ...], list[str]]:
    """Pick the files that a crash left: of our own deletions at once, others after a day without a manifest."""
    free = [each for each in shelf.orphans if each.key not in owed]
    ours = [each for each in free if each.key in begun]
    others = [each for each in free if each.key not in begun]
    if len(others) > _MOST_ORPHANS:
        # A crash leaves one. So many manifests that are gone are somebody's mistake, and the files may be wanted.
        return tuple(ours), [
            f"{len(others)} files have no manifest, too many for a crash: they stay; see `verify --all`"
        ]
    old = [each for each in others if (seen := since.get(each.key)) is not None and seen <= now - ORPHANED]
    notes = [f"{each.key} has no manifest: no backup" for each in others if each not in old]
    return (*ours, *old), notes
