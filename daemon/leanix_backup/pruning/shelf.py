"""What lies at a destination of one workspace's export, with all that a deletion has to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from leanix_backup.model import ExportType
from leanix_backup.naming import ARTIFACT_SUFFIX, BackupKey, export_prefix, parse_key
from leanix_backup.stores import Store, StoredObject


@dataclass(frozen=True, slots=True)
class Shelved:
    """One backup: its file and its manifest."""

    key: BackupKey
    file: StoredObject
    manifest: StoredObject


@dataclass(frozen=True, slots=True)
class Shelf:
    """Everything of one workspace's export at one destination, the oldest first.

    Attributes:
        backups: What is whole and to be seen.
        orphans: Files without a manifest: no backups.
        hidden: How many backups somebody deleted in a store that keeps versions, so that they are only hidden.
    """

    backups: tuple[Shelved, ...]
    orphans: tuple[StoredObject, ...]
    hidden: int = 0


async def take_stock(store: Store, workspace: str, export: ExportType) -> Shelf:
    """List what lies there; nothing is opened.

    Raises:
        BackupError: The destination can't be read, or not to its end: who knows what is there.
    """
    files: dict[BackupKey, StoredObject] = {}
    manifests: dict[BackupKey, StoredObject] = {}
    async for found in store.scan(export_prefix(workspace, export)):
        if (key := parse_key(found.key)) is not None:
            (files if found.key.endswith(ARTIFACT_SUFFIX) else manifests)[key] = found
    pairs = [Shelved(key, file, manifests[key]) for key, file in files.items() if key in manifests]
    seen = [pair for pair in pairs if not pair.file.hidden and not pair.manifest.hidden]
    return Shelf(
        backups=tuple(sorted(seen, key=lambda pair: (pair.key.taken_at, pair.key.artifact))),
        orphans=tuple(file for key, file in sorted(files.items(), key=_by_key) if key not in manifests),
        hidden=len(pairs) - len(seen),
    )


def _by_key(item: tuple[BackupKey, StoredObject]) -> str:
    return item[0].artifact
