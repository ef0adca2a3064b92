"""What can happen to a backup at its destination, done to one in a folder; each by the code that must name it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.backups import made


def alter(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def lose(path: Path) -> None:
    path.unlink()


def lose_manifest(path: Path) -> None:
    manifest_of(path).unlink()


def take_anothers_manifest(path: Path) -> None:
    manifest_of(path).write_bytes(made("0badcafe").manifest_bytes)


def break_manifest(path: Path) -> None:
    manifest_of(path).write_text("{")


def say_another_size(path: Path) -> None:
    said = json.loads(manifest_of(path).read_text())
    said["file"]["size_bytes"] += 1
    manifest_of(path).write_text(json.dumps(said))


def say_other_content(path: Path) -> None:
    said = json.loads(manifest_of(path).read_text())
    said["content"]["fact_sheets"]["Application"] += 1
    manifest_of(path).write_text(json.dumps(said))


def manifest_of(path: Path) -> Path:
    return path.with_suffix(".manifest.json")


WAYS: dict[str, Callable[[Path], None]] = {
    "backup_altered": alter,
    "backup_truncated": cut,
    "file_missing": lose,
    "manifest_missing": lose_manifest,
    "manifest_mismatch": take_anothers_manifest,
    "manifest_invalid": break_manifest,
    "backup_truncated, by its manifest": say_another_size,
    "content_differs": say_other_content,
}
