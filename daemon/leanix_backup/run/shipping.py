"""To the destinations, each on its own: file first, manifest last."""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from leanix_backup.errors import BackupError
from leanix_backup.events import Event
from leanix_backup.model import FailedCopy, Failure, Outcome, StoredCopy
from leanix_backup.naming import BackupKey
from leanix_backup.retries import retrying
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


async def ship(around: Surroundings, key: BackupKey, artifact: Artifact, manifest: bytes) -> Shipped:
    """Ship to every destination, side by side; one that fails does not stop the others.

    The artifact leaves the spool once every destination has it; until then it stays.
    """
    stored: list[StoredCopy] = []
    failed: list[FailedCopy] = []

    async def to(store: Store) -> None:
        try:
            await _ship_to(around, store, key, artifact, manifest)
        except BackupError as error:
            failed.append(FailedCopy(store.name, Failure(error.code, error.message, error.hint)))
        else:
            stored.append(StoredCopy(store.name, key.artifact))

    async with anyio.create_task_group() as group:
        for store in around.stores:
            group.start_soon(to, store)
    if not failed:
        around.spool.drop(artifact)
    return Shipped(
        tuple(sorted(stored, key=lambda copy: copy.destination)),
        tuple(sorted(failed, key=lambda copy: copy.destination)),
    )


async def _ship_to(around: Surroundings, store: Store, key: BackupKey, artifact: Artifact, manifest: bytes) -> None:
    clock, log = around.clock, around.log
    since = clock.monotonic()

    async def once() -> None:
        await store.put_file(key.artifact, artifact.path, sha256=artifact.sha256, size_bytes=artifact.size_bytes)
        await store.put_bytes(key.manifest, manifest)

    try:
        await retrying(
            once,
            what=f"shipping to {store.name}",
            clock=clock,
            log=log,
            deadline=clock.deadline(_DEADLINE_S),
            tries=_TRIES,
        )
    except BackupError as error:
        log.emit(
            Event.DESTINATION_FAILED,
            destination=store.name,
            error_code=error.code,
            error=error.message,
            hint=error.hint,
            kept_at=artifact.path,
        )
        raise
    log.emit(
        Event.BACKUP_STORED,
        destination=store.name,
        key=key.artifact,
        size_bytes=artifact.size_bytes,
        duration_s=round(clock.monotonic() - since, 3),
    )
