"""Backups over all destinations, from their keys and sizes: no object is opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import anyio

from leanix_backup.errors import BackupError
from leanix_backup.model import ExportType, FailedCopy, Failure, StoredCopy
from leanix_backup.naming import ARTIFACT_SUFFIX, BackupKey, parse_key
from leanix_backup.stores import Store, StoredObject


@dataclass(frozen=True, slots=True)
class HiddenCopy:
    """A copy whose file or manifest lies under a delete marker: somebody deleted it, and its versions are still there.

    Attributes:
        destination: The destination's name.
        key: The file's key.
        version: What to read of the file; None where the file itself is not hidden.
        manifest_version: What to read of the manifest; None where the manifest itself is not hidden.
    """

    destination: str
    key: str
    version: str | None
    manifest_version: str | None


@dataclass(frozen=True, slots=True)
class Backup:
    """One run's artifact and the destinations that hold it, file and manifest both.

    `size_bytes` is the largest copy's: one that was cut short is smaller, and `verify` says which. `hidden` are
    copies that somebody deleted at a destination that keeps versions; they are not among `copies`.
    """

    key: BackupKey
    size_bytes: int
    copies: tuple[StoredCopy, ...]
    hidden: tuple[HiddenCopy, ...] = ()


@dataclass(frozen=True, slots=True)
class Half:
    """A file without its manifest, or a manifest without its file, at one destination: no backup."""

    key: BackupKey
    destination: str
    there: StoredObject


@dataclass(frozen=True, slots=True)
class Catalog:
    """What was found, the oldest first, and which destinations could not be asked.

    A destination that was read in part only has no `halves`: the other half may be where nobody could look.
    `hidden` are backups that have hidden copies and no others: nothing that coverage or retention may count on, but
    still to be brought back. Those that have both are among `backups`.
    """

    backups: tuple[Backup, ...] = ()
    errors: tuple[FailedCopy, ...] = ()
    halves: tuple[Half, ...] = ()
    hidden: tuple[Backup, ...] = ()

    def of(self, workspace: str, export: ExportType) -> tuple[Backup, ...]:
        """Pick the backups of one export of one workspace, the oldest first."""
        return tuple(found for found in self.backups if (found.key.workspace, found.key.export) == (workspace, export))


@dataclass(slots=True)
class _Found:
    """What a scan saw of one backup at one destination."""

    file: StoredObject | None = None
    manifest: StoredObject | None = None


async def read_catalog(stores: Iterable[Store], *, prefix: str = "") -> Catalog:
    """List the backups at all destinations, side by side; one that is down does not hide the others."""
    found: dict[BackupKey, list[tuple[StoredCopy | HiddenCopy, int]]] = {}
    errors: list[FailedCopy] = []
    halves: list[Half] = []

    async def ask(store: Store) -> None:
        here, error = await _scan(store, prefix)
        for key, each in here.items():
            if each.file is not None and each.manifest is not None:
                copy = _copy(store.name, each.file, each.manifest)
                found.setdefault(key, []).append((copy, each.file.size_bytes))
            elif error is None and (there := each.file or each.manifest) is not None:
                halves.append(Half(key, store.name, there))
        if error is not None:
            errors.append(FailedCopy(store.name, Failure(error.code, error.message, error.hint)))

    async with anyio.create_task_group() as group:
        for store in stores:
            group.start_soon(ask, store)
    backups = [_backup(key, copies) for key, copies in found.items()]
    backups.sort(key=lambda backup: (backup.key.taken_at, backup.key.artifact))
    halves.sort(key=lambda half: (half.key.taken_at, half.key.artifact, half.destination))
    return Catalog(
        tuple(backup for backup in backups if backup.copies),
        tuple(sorted(errors, key=lambda error: error.destination)),
        tuple(halves),
        tuple(backup for backup in backups if not backup.copies),
    )


def _copy(destination: str, file: StoredObject, manifest: StoredObject) -> StoredCopy | HiddenCopy:
    """Name a copy by its file; it is hidden where its file or its manifest is."""
    if not file.hidden and not manifest.hidden:
        return StoredCopy(destination, file.key)
    return HiddenCopy(
        destination,
        file.key,
        file.version if file.hidden else None,
        manifest.version if manifest.hidden else None,
    )


def _backup(key: BackupKey, found: Sequence[tuple[StoredCopy | HiddenCopy, int]]) -> Backup:
    """Put one backup's copies together, in the order of their destinations' names."""
    copies = sorted((copy for copy, _ in found), key=lambda copy: copy.destination)
    return Backup(
        key,
        max(size for _, size in found),
        tuple(copy for copy in copies if isinstance(copy, StoredCopy)),
        tuple(copy for copy in copies if isinstance(copy, HiddenCopy)),
    )


async def _scan(store: Store, prefix: str) -> tuple[dict[BackupKey, _Found], BackupError | None]:
    """Find what looks like backups at one destination, halves too; and what kept it from being read."""
    seen: dict[BackupKey, _Found] = {}
    failed: BackupError | None = None
    try:
        async for entry in store.scan(prefix):
            key = parse_key(entry.key)
            if key is None:
                continue
            found = seen.setdefault(key, _Found())
            if entry.key.endswith(ARTIFACT_SUFFIX):
                found.file = entry
            else:
                found.manifest = entry
    except BackupError as error:
        failed = error
    return seen, failed
