"""Delete what was decided, in the order that never shows half a backup, and tell what stayed and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import anyio

from leanix_backup.catalog import read_manifest
from leanix_backup.clock import Clock
from leanix_backup.errors import BackupError, StoreError
from leanix_backup.events import Event, Log
from leanix_backup.ledger import Marks
from leanix_backup.naming import parse_key
from leanix_backup.pruning.decision import Decision
from leanix_backup.pruning.shelf import Shelved, take_stock
from leanix_backup.stores import NotDeleted, Store, StoredObject

_AT_ONCE = 8
_LOCKED = "destination_locked"


@dataclass(frozen=True, slots=True)
class Pruned:
    """What came of a decision: the keys of the files that are gone, and what stays although it was to go."""

    removed: tuple[str, ...]
    refused: tuple[NotDeleted, ...]

    @property
    def failed(self) -> bool:
        """Whether something stayed for another reason than a lock: a lock keeps what it is there to keep."""
        return any(each.error.code != _LOCKED for each in self.refused)


async def carry_out(
    decision: Decision, store: Store, *, workspace_id: str | None, marks: Marks | None, clock: Clock, log: Log
) -> Pruned:
    """Delete at one destination what was decided.

    Manifests go first: from then on there is no backup, whatever happens, and what is left of it is an orphan that the
    next pruning removes. A backup of which a lock keeps one half is left whole.

    Args:
        decision: What is to go.
        store: The destination.
        workspace_id: LeanIX's id of the workspace whose backups these are; None to go by the newest one's manifest.
        marks: Where the deletions are written down before they begin; None where there is no ledger.
        clock: The time.
        log: Where `backup_pruned`, `prune_refused` and `orphan_removed` go.

    Raises:
        BackupError: The destination can't be reached, or the ledger can't be used; some may be gone.
    """
    name = store.name
    ours, refused = await _ours(decision, store, workspace_id)
    if marks is not None:
        await marks.begin_removals(name, [each.key.artifact for each in ours], at=clock.utc_now())
    reasons = {each.candidate.id: each.reason for each in decision.plan.remove}
    kept = await store.delete([each.manifest for each in ours])
    refused += kept
    staying = {each.key for each in kept}
    going = [each for each in ours if each.manifest.key not in staying]
    for each in going:  # whatever comes now, these are no backups any more
        log.emit(
            Event.BACKUP_PRUNED,
            destination=name,
            key=each.key.artifact,
            taken_at=each.key.taken_at,
            reason=reasons[each.key.artifact],
        )
    orphans = await _still_orphans(decision, store)
    left = await store.delete([each.file for each in going] + orphans)
    refused += left
    remaining = {each.key for each in left}
    for orphan in orphans:
        if orphan.key not in remaining:
            log.emit(Event.ORPHAN_REMOVED, destination=name, key=orphan.key, modified_at=orphan.modified_at)
    if marks is not None:
        gone = [each.key.artifact for each in going] + [each.key for each in orphans]
        whole = [each.key.artifact for each in ours if each.manifest.key in staying]
        await marks.end_removals(name, [key for key in (*gone, *whole) if key not in remaining])
        await marks.forget_damages(name, gone)
    _tell(refused, name, log)
    return Pruned(tuple(each.key.artifact for each in going), tuple(refused))


async def _still_orphans(decision: Decision, store: Store) -> list[StoredObject]:
    """Look again at the files without a manifest: one that got its manifest meanwhile is a backup."""
    if not decision.orphans:
        return []
    shelf = await take_stock(store, decision.scope.workspace, decision.scope.export)
    still = {each.key for each in shelf.orphans}
    return [each for each in decision.orphans if each.key in still]


def _tell(refused: Sequence[NotDeleted], destination: str, log: Log) -> None:
    """Say what stays and why; what stays for one and the same reason with one line."""
    by_reason: dict[tuple[str, str], list[NotDeleted]] = {}
    for stays in refused:
        by_reason.setdefault((stays.error.code, stays.error.message), []).append(stays)
    for (code, message), alike in by_reason.items():
        log.emit(
            Event.PRUNE_REFUSED,
            level="info" if code == _LOCKED else "",
            destination=destination,
            key=alike[0].key,
            count=len(alike),
            error_code=code,
            error=message,
            hint=alike[0].error.hint or None,
            locked_until=alike[0].locked_until,
        )


async def _ours(decision: Decision, store: Store, workspace_id: str | None) -> tuple[list[Shelved], list[NotDeleted]]:
    """Pick those that we wrote, of this workspace, and that no lock keeps: each is looked at before it is deleted."""
    if not decision.remove:
        return [], []
    workspace_id = workspace_id or await _workspace_of(decision, store)
    found: dict[str, NotDeleted | None] = {}
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def look(each: Shelved) -> None:
        async with limit:
            found[each.key.artifact] = await _why_not(each, store, workspace_id)

    async with anyio.create_task_group() as group:
        for each in decision.remove:
            group.start_soon(partial(look, each))
    ours: list[Shelved] = []
    refused: list[NotDeleted] = []
    for each in decision.remove:
        stays = found[each.key.artifact]
        if stays is None:
            ours.append(each)
        else:
            refused.append(stays)
    return ours, refused


async def _workspace_of(decision: Decision, store: Store) -> str:
    """Read which workspace the newest backup that stays is of.

    Raises:
        BackupError: Its manifest can't be read: then nobody knows whose the others are.
    """
    newest = max(decision.plan.keep, key=lambda each: each.candidate.taken_at)
    key = parse_key(newest.candidate.id)
    if key is None:
        raise AssertionError("what lies on a shelf has a key")
    return (await read_manifest(store, key)).workspace.id


async def _why_not(each: Shelved, store: Store, workspace_id: str) -> NotDeleted | None:
    """Say why a backup can't be shown to be ours, or what locks a half of it; None where it may go."""
    try:
        found = await read_manifest(store, each.key)
        if found.workspace.id == workspace_id:
            return await _lock_on(each, store)
    except BackupError as error:
        return NotDeleted(each.key.artifact, error)
    mistaken = StoreError(
        f"{store.name}: {each.key.artifact} is of workspace {found.workspace.id}, not of {workspace_id}",
        code="workspace_changed",
        hint="backups of two workspaces lie under one name; give each a name of its own",
        retryable=False,
    )
    return NotDeleted(each.key.artifact, mistaken)


async def _lock_on(each: Shelved, store: Store) -> NotDeleted | None:
    """Say which lock would leave half of a backup behind if the rest of it were deleted.

    One on the manifest alone needs no look: it is refused first. One on an older version of it does, as the newer one
    would go.
    """
    lock = await store.locked(each.file)
    if lock is None and each.manifest.older:
        lock = await store.locked(each.manifest)
    return lock
