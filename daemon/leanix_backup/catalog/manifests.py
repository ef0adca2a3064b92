"""The manifest of one backup at one destination: read, and proved to belong to the key that it lies under."""

from __future__ import annotations

from datetime import UTC, datetime

from leanix_backup import manifest as manifests
from leanix_backup.errors import BackupError
from leanix_backup.model import Manifest
from leanix_backup.naming import ARTIFACT_SUFFIX, BackupKey
from leanix_backup.stores import Store

_MOST_MANIFEST_BYTES = 16 * 1024 * 1024


async def read_manifest(store: Store, key: BackupKey, *, version: str | None = None) -> Manifest:
    """Read a backup's manifest; a version of it where that is hidden.

    Raises:
        BackupError: It is not there or can't be read; `manifest_invalid` where it is none, `manifest_mismatch` where
            it is another backup's.
    """
    return parse_manifest(store.name, key, await read_manifest_bytes(store, key, version=version))


async def read_manifest_bytes(store: Store, key: BackupKey, *, version: str | None = None) -> bytes:
    """Read a backup's manifest as it lies there; a version of it where that is hidden.

    Raises:
        BackupError: It is not there or can't be read; `manifest_invalid` where it is too large to be one.
    """
    data = bytearray()
    async for block in store.read(key.manifest, version=version):
        data += block
        if len(data) > _MOST_MANIFEST_BYTES:
            raise BackupError(
                f"{store.name}: {key.manifest} is too large to be a manifest",
                code="manifest_invalid",
                hint="something else wrote that file; look who has access to the destination",
            )
    return bytes(data)


def parse_manifest(destination: str, key: BackupKey, data: bytes) -> Manifest:
    """Read a manifest that lies at a destination, and prove that it belongs to the key it lies under.

    Raises:
        BackupError: `manifest_invalid`, `manifest_too_new`, `manifest_mismatch`.
    """
    where = f"{destination}: {key.manifest}"
    try:
        found = manifests.decode(data)
    except BackupError as error:
        error.message = f"{where}: {error.message}"
        raise
    if differing := _disagreements(found, key):
        raise BackupError(
            f"{where} is the manifest of another backup: {differing}",
            code="manifest_mismatch",
            hint="somebody renamed, copied or edited files at the destination; compare the file's SHA-256 with the log",
        )
    return found


def _disagreements(found: Manifest, key: BackupKey) -> str:
    """Say in which fields a manifest says something else than the key that it lies under; empty for none."""
    taken_at = found.window.end if found.window else found.export.created_at
    pairs = (
        ("run_id", found.run_id.replace("-", "")[:8], key.run8),
        ("workspace.name", found.workspace.name, key.workspace),
        ("export.type", found.export.type, key.export),
        ("window.start", _second(found.window.start) if found.window else None, key.start),
        ("window.end" if found.window else "export.created_at", _second(taken_at), key.taken_at),
        ("file.name", found.file.name, f"{key.name}{ARTIFACT_SUFFIX}"),
    )
    return ", ".join(name for name, said, expected in pairs if said != expected)


def _second(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)
