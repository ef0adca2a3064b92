"""What lies in a destination's folder, looked at without any of our own code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import openpyxl


def stored(folder: Path) -> dict[Path, dict[str, Any]]:
    """Find each workbook with its manifest, and prove that the manifest's SHA-256 and size are the file's."""
    found = {}
    for path in sorted(folder.rglob("*.xlsx")):
        manifest = json.loads(path.with_suffix("").with_suffix(".manifest.json").read_text())
        assert manifest["file"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert manifest["file"]["size_bytes"] == path.stat().st_size
        assert manifest["file"]["name"] == path.name
        found[path] = manifest
    everything = {path for path in folder.rglob("*") if path.is_file()}
    assert everything == set(found) | {path.with_suffix("").with_suffix(".manifest.json") for path in found}
    return found


def fact_sheet_ids(path: Path) -> dict[str, set[str]]:
    """Read a workbook with openpyxl: the ids on each sheet that has `id`, `type` and `displayName` keys, by sheet."""
    book = openpyxl.load_workbook(path, read_only=True)
    try:
        found = {}
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True)
            keys = list(next(rows, ()))
            if {"id", "type", "displayName"} <= set(keys):
                next(rows)
                found[sheet.title] = {str(row[keys.index("id")]) for row in rows}
        return found
    finally:
        book.close()


def leftovers(state_dir: Path) -> list[Path]:
    """Say what lies in the spool."""
    return sorted((state_dir / "spool").iterdir())
