"""After a backup was stored: is it as large as the last, and what may go now at the destinations that took it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from leanix_backup import manifest, pruning
from leanix_backup.catalog import Backup, read_catalog, read_manifest
from leanix_backup.config import Job, Prune
from leanix_backup.errors import BackupError, StoreError
from leanix_backup.events import Event
from leanix_backup.ledger import Counted, Entry, Standing
from leanix_backup.model import ExportType
from leanix_backup.naming import export_prefix
from leanix_backup.pruning import Scope
from leanix_backup.pruning.guard import MOST_LOOKED_AT
from leanix_backup.run.order import Surroundings
from leanix_backup.stores import NOT_MADE_YET, Store

_SHRANK = "pruning waits: the newest snapshot shrank"


async def measure(job: Job, around: Surroundings, entry: Entry) -> Standing | None:
    """Measure a snapshot that was stored by the last good one, write down how its workspace stands, and log a shrink.

    Returns:
        How it stands; None where nothing measures it.

    Raises:
        BackupError: Nobody can say: a destination can't be read, or the ledger can't be used.
    """
    guard = _guard(job, around)
    if guard is None or entry.manifest is None:
        return None
    newest = Counted(entry.run_id, manifest.decode(entry.manifest.encode()).content.fact_sheet_count)
    marks = around.ledger.marks
    accepted = await marks.accepted()
    before = await marks.standing(job.workspace)
    if before is None:
        history = await _history(job, around, but=entry.run_id[:8])
        before = pruning.stand(history, guard=guard, accepted=accepted)
    standing = pruning.judge(newest, before, guard=guard, accepted=accepted)
    await marks.note_standing(job.workspace, standing)
    if standing.shrunk is not None:
        around.log.emit(
            Event.SHRINK_FOUND,
            fact_sheets=standing.shrunk.fact_sheets,
            last_good=standing.good.fact_sheets,
            last_good_run=standing.good.run_id,
        )
    return standing


async def is_waiting(job: Job, around: Surroundings) -> bool:
    """Say whether pruning waits, as the newest snapshot shrank.

    Raises:
        BackupError: The ledger can't be used.
    """
    standing = await around.ledger.marks.standing(job.workspace) if _guard(job, around) is not None else None
    return standing is not None and standing.shrunk is not None


async def prune_at(around: Surroundings, destinations: Iterable[str], entry: Entry, *, waiting: bool) -> int:
    """Prune at destinations that have just taken a backup; what goes wrong is in the log, and fails nothing.

    Args:
        around: What the run works with.
        destinations: Their names; one that is not the job's any more is left out.
        entry: The run that was stored: it knows the workspace, and LeanIX's clock.
        waiting: Whether nothing may go for now.

    Returns:
        How many backups are gone.
    """
    server_time = entry.server_time or entry.export_created_at or around.clock.utc_now()
    stores = {store.name: store for store in around.stores}
    done = 0
    for name in destinations:
        scope = around.scopes.get(name)
        if scope is None or name not in stores or scope.prune is not Prune.SERVICE or scope.policy is None:
            continue
        try:
            done += await _prune(stores[name], scope, around, entry, server_time, waits=_SHRANK if waiting else "")
        except BackupError as error:
            around.log.emit(
                Event.PRUNE_REFUSED,
                destination=name,
                error_code=error.code,
                error=error.message,
                hint=error.hint or None,
            )
    return done


async def _prune(
    store: Store, scope: Scope, around: Surroundings, entry: Entry, server_time: datetime, *, waits: str
) -> int:
    name, marks, now = store.name, around.ledger.marks, around.clock.utc_now()
    shelf = await pruning.take_stock(store, scope.workspace, scope.export)
    decision = await pruning.decide_by(
        around.ledger,
        scope,
        shelf,
        now=min(now, server_time),  # a clock that is ahead would delete too early
        latest=max(now, server_time, entry.export_created_at or now),
        waits=waits,
    )
    for note in decision.notes:
        around.log.emit(Event.PRUNE_REFUSED, level="info", destination=name, error=note)
    if not (decision.remove or decision.orphans):
        return 0
    pruned = await pruning.carry_out(
        decision, store, workspace_id=entry.workspace_id, marks=marks, clock=around.clock, log=around.log
    )
    return len(pruned.removed)


def _guard(job: Job, around: Surroundings) -> float | None:
    """Say by how much a snapshot may shrink: the strictest word of all jobs whose backups lie together."""
    if job.export is not ExportType.SNAPSHOT:
        return None
    return next((scope.guard for scope in around.scopes.values()), None)


async def _history(job: Job, around: Surroundings, *, but: str) -> list[Counted]:
    """Say how many fact sheets each backup holds, the oldest first: by the ledger, else by the manifests.

    Raises:
        BackupError: A destination can't be read: the newest may be what is missing.
    """
    known = await read_catalog(around.stores, prefix=export_prefix(job.workspace, job.export))
    for failed in known.errors:
        if failed.error.code != NOT_MADE_YET:
            raise StoreError(failed.error.message, code=failed.error.code, hint=failed.error.hint)
    backups = [each for each in known.of(job.workspace, job.export) if each.key.run8 != but][-MOST_LOOKED_AT:]
    counted = await _remembered(job, around)
    history = [counted.get(each.key.run8) or await _count(each, around.stores) for each in backups]
    return [each for each in history if each is not None]


async def _remembered(job: Job, around: Surroundings) -> dict[str, Counted]:
    """Read from the ledger how many fact sheets a job's runs found, so that no manifest need be opened for them.

    By the start of the run's id, as keys have it.
    """
    found: dict[str, Counted] = {}
    for entry in await around.ledger.history(job.name, most=MOST_LOOKED_AT):
        if entry.manifest is not None:
            content = manifest.decode(entry.manifest.encode()).content
            found[entry.run_id[:8]] = Counted(entry.run_id, content.fact_sheet_count)
    return found


async def _count(backup: Backup, stores: Iterable[Store]) -> Counted | None:
    """Read how many fact sheets a backup holds; None where no copy of its manifest can be read."""
    held_by = {copy.destination for copy in backup.copies}
    for store in stores:
        if store.name in held_by:
            try:
                found = await read_manifest(store, backup.key)
            except BackupError:  # another copy tells, or none: then it says nothing
                continue
            return Counted(found.run_id, found.content.fact_sheet_count)
    return None
