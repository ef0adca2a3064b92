"""To the destinations, each on its own: file first, manifest last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from leanix_backup import manifest, pacing, retention
from leanix_backup.errors import BackupError, SpoolError
from leanix_backup.events import Event
from leanix_backup.ledger import Entry, Shipment
from leanix_backup.model import FailedCopy, Failure, Outcome, StoredCopy
from leanix_backup.pruning import Scope
from leanix_backup.retries import retrying
from leanix_backup.run.keys import key_of
from leanix_backup.run.order import Surroundings
from leanix_backup.spool import Artifact
from leanix_backup.stores import Store

_DEADLINE_S = 120.0
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Shipped:
    """Where an artifact lies now, and where it does not."""

    stored: tuple[StoredCopy, ...]
    failed: tuple[FailedCopy, ...]

    @property
    def outcome(self) -> Outcome:
        """What that makes of the run."""
        if not self.failed:
            return Outcome.SUCCEEDED
        return Outcome.PARTIAL if self.stored else Outcome.FAILED


async def ship(around: Surroundings, entry: Entry, artifact: Artifact) -> Shipped:
    """Ship to every destination that does not have it yet, side by side; one that fails does not stop the others.

    The artifact stays in the spool: whoever asked drops it once every destination has it.
    """
    key = key_of(entry)
    await around.ledger.ship(Shipment(entry.run_id, store.name, key.artifact) for store in around.stores)
    done = {each.destination for each in await around.ledger.shipments(entry.run_id) if each.stored_at}
    stored = [StoredCopy(name, key.artifact) for name in done]
    failed: list[FailedCopy] = []

    async def to(store: Store) -> None:
        try:
            await ship_to(around, store, entry, artifact)
        except BackupError as error:
            failed.append(FailedCopy(store.name, Failure(error.code, error.message, error.hint)))
        else:
            stored.append(StoredCopy(store.name, key.artifact))

    async with anyio.create_task_group() as group:
        for store in around.stores:
            if store.name not in done:
                group.start_soon(to, store)
    return Shipped(
        tuple(sorted(stored, key=lambda copy: copy.destination)),
        tuple(sorted(failed, key=lambda copy: copy.destination)),
    )


async def ship_to(around: Surroundings, store: Store, entry: Entry, artifact: Artifact, *, late: bool = False) -> None:
    """Ship to one destination, and write down how that went.

    Args:
        around: What the run works with.
        store: Where to.
        entry: The run, with its manifest.
        artifact: The file in the spool.
        late: Whether the run ended without it.

    Raises:
        BackupError: It did not take it; when to try again is in the ledger.
    """
    clock, log, ledger = around.clock, around.log, around.ledger
    since, key = clock.monotonic(), key_of(entry)
    text = (entry.manifest or "").encode()
    locked = _lock_of(entry, around.scopes[store.name], now=clock.utc_now())

    async def once() -> None:
        if await ledger.has_stored(store.name):
            await store.require_made()
        for part in (key.artifact, key.manifest):
            await store.tidy(part)  # a process that was killed may have left half of it
        await store.put_file(
            key.artifact, artifact.path, sha256=artifact.sha256, size_bytes=artifact.size_bytes, retain_until=locked
        )
        await store.put_bytes(key.manifest, text, retain_until=locked)

    try:
        await retrying(
            once,
            what=f"shipping to {store.name}",
            clock=clock,
            log=log,
            deadline=clock.deadline(_DEADLINE_S),
            tries=1 if late else _TRIES,
        )
    except BackupError as error:
        shipments = await ledger.shipments(entry.run_id)
        tries = 1 + next((each.tries for each in shipments if each.destination == store.name), 0)
        wait = timedelta(seconds=pacing.shipment_wait(tries, spread=clock.uniform(-1, 1)))
        await ledger.note_shipment(
            entry.run_id, store.name, tries=tries, next_try_at=clock.utc_now() + wait, error_code=error.code
        )
        log.emit(
            Event.DESTINATION_FAILED,
            destination=store.name,
            error_code=error.code,
            error=error.message,
            hint=error.hint,
            kept_at=artifact.path,
            next_try_s=round(wait.total_seconds()),
        )
        raise
    await ledger.note_shipment(entry.run_id, store.name, stored_at=clock.utc_now(), error_code=None)
    log.emit(
        Event.BACKUP_STORED,
        destination=store.name,
        key=key.artifact,
        size_bytes=artifact.size_bytes,
        duration_s=round(clock.monotonic() - since, 3),
        late=late or None,
    )


def _lock_of(entry: Entry, scope: Scope, *, now: datetime) -> datetime | None:
    """Say until when file and manifest are to be locked: the same for both, whenever each is stored.

    None where the destination locks nothing, or the backup is so late that its lock would have ended.
    """
    if scope.lock is None or entry.manifest is None:
        return None
    until = retention.reach_ahead(manifest.decode(entry.manifest.encode()).finished_at, scope.lock, scope.zone)
    return until if until > now else None


def artifact_lost(destinations: Iterable[str]) -> SpoolError:
    """Say that the file of a run is gone from the spool before all destinations had it."""
    return SpoolError(
        f"the file is gone from the spool, or not what it was, and was not stored at {', '.join(destinations)}",
        code="artifact_lost",
        hint="is the spool on a volume that outlives a restart? The next run makes a backup for every destination",
        retryable=False,
    )
