"""What a process left behind: its ledger, its spool, its destinations; looked at without any of our own code."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MANIFEST = ".manifest.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the ledger has it; `outcome` is None while it has not ended."""

    run_id: str
    job: str
    trigger: str
    scheduled_at: str
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Copy:
    """A backup at one destination."""

    run_id: str
    export_id: str
    key: str
    sha256: str


def runs(state_dir: Path) -> list[Run]:
    """Read the runs from a copy of the ledger: reading the real one would mend what a killed process left of it."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ledger.sqlite", "ledger.sqlite-journal"):
            if (state_dir / name).exists():
                shutil.copy(state_dir / name, folder)
        path = Path(folder) / "ledger.sqlite"
        if not path.exists():
            return []
        connection = sqlite3.connect(path)
        try:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
                return []
            rows = connection.execute(
                'SELECT run_id, job, "trigger", scheduled_at, outcome FROM runs ORDER BY started_at'
            )
            return [Run(*row) for row in rows]
        finally:
            connection.close()


def spool(state_dir: Path) -> list[str]:
    """Say what lies in the spool."""
    folder = state_dir / "spool"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def set_aside(state_dir: Path) -> list[str]:
    """Say what was rejected, or could not be explained."""
    folder = state_dir / "rejected"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def copies(folder: Path) -> tuple[list[Copy], list[str]]:
    """Find the backups below a folder, and everything there that is wrong, in words."""
    found, wrong = [], []
    files = {path for path in folder.rglob("*") if path.is_file()}
    artifacts = {path for path in files if path.suffix == ".xlsx" and not path.name.startswith(".")}
    for path in sorted(artifacts):
        beside = path.with_name(path.name.removesuffix(".xlsx") + _MANIFEST)
        if beside not in files:
            wrong.append(f"{path.name} without a manifest at {folder.name}")
            continue
        files -= {path, beside}
        try:
            manifest: dict[str, Any] = json.loads(beside.read_text())
        except ValueError:
            wrong.append(f"{beside.name} is no JSON at {folder.name}")
            continue
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if manifest["file"] != {"name": path.name, "size_bytes": len(data), "sha256": digest}:
            wrong.append(f"{path.name} is not the file of its manifest at {folder.name}")
        found.append(Copy(manifest["run_id"], manifest["export"]["id"], path.relative_to(folder).as_posix(), digest))
    wrong += [f"{path.name} lies at {folder.name}" for path in sorted(files - artifacts)]
    return found, wrong
