"""Backups as they lie at a destination, made by hand: a small workbook and the manifest that belongs to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from leanix_backup import manifest as manifests
from leanix_backup.model import Asked, Content, ExportType, FileRef, Manifest, Sheet, Window
from leanix_backup.naming import BackupKey, backup_key
from tests.support import samples
from tests.unit.workbook import building

_KEYS = building.KEYS


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that nobody has stored yet."""

    key: BackupKey
    data: bytes
    manifest: Manifest

    @property
    def manifest_bytes(self) -> bytes:
        return manifests.encode(self.manifest)

    def lay(self, folder: Path) -> Path:
        """Put it into a folder, as the destination that it is; return the workbook's path."""
        path = folder / self.key.artifact
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data)
        (folder / self.key.manifest).write_bytes(self.manifest_bytes)
        return path

    def with_manifest(self, change: Callable[[dict[str, Any]], object]) -> Made:
        """Change what the manifest says, which is then no longer what it should."""
        said = json.loads(self.manifest_bytes)
        change(said)
        return replace(self, manifest=manifests.decode(json.dumps(said).encode()))


def made(
    run8: str = "deadbeef",
    *,
    export: ExportType = ExportType.SNAPSHOT,
    workspace: str = "acme",
    taken_at: datetime = samples.WHEN,
    data: bytes | None = None,
) -> Made:
    """Make a backup; of an AUDIT_LOG, `taken_at` is the end of its window, which is a day."""
    run_id = f"{run8}-0000-4000-8000-000000000000"
    sample = samples.manifest(export)
    window = None
    if export is ExportType.AUDIT_LOG:
        window = Window(taken_at - timedelta(days=1), taken_at, Asked("2027-03-30T00:00:00Z", None))
    key = backup_key(workspace, export, run_id=run_id, taken_at=taken_at, window_start=window.start if window else None)
    data = data if data is not None else workbook(f"{workspace} {run8}")
    manifest = replace(
        sample,
        run_id=run_id,
        workspace=replace(sample.workspace, name=workspace),
        export=replace(sample.export, created_at=taken_at),
        window=window,
        file=FileRef(f"{key.name}.xlsx", len(data), hashlib.sha256(data).hexdigest()),
        content=CONTENT_OF_LOG if export is ExportType.AUDIT_LOG else CONTENT,
    )
    return Made(key, data, manifest)


def workbook(name: str, rows: int = 2) -> bytes:
    """Write a workbook of some applications, packed but not compressed; no two names give the same bytes."""
    lines = [_KEYS, building.LABELS, *((f"id-{i}", "Application", name, name) for i in range(rows))]
    parts = building.parts_of({"Application": building.table(lines)})
    return building.make_zip(building.Part(part, data, stored=True) for part, data in parts.items())


CONTENT = Content(empty=False, sheets=(Sheet("Application", 2, _KEYS),), fact_sheets={"Application": 2})
CONTENT_OF_LOG = replace(CONTENT, fact_sheets={})
