"""The manifest as text: what lies beside every artifact (design §4). Pure.

A reader keeps what it does not know out of the way: later versions may add fields. It refuses what it can't trust:
a manifest of a newer major format, or one that lacks a field.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from leanix_backup.errors import BackupError
from leanix_backup.model import Manifest

MANIFEST_VERSION = 1
_ADAPTER = TypeAdapter(Manifest)


def encode(manifest: Manifest) -> bytes:
    """Write a manifest as JSON for people and machines, the version first."""
    fields: dict[str, Any] = _ADAPTER.dump_python(manifest, mode="json")
    version = fields.pop("manifest_version")
    return (json.dumps({"manifest_version": version, **fields}, indent=2, ensure_ascii=False) + "\n").encode()


def decode(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BackupError: `manifest_invalid` where a field is missing or of the wrong kind, `manifest_too_new` where a
            newer version wrote it. The text is never quoted.
    """
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        raise _invalid("it is not JSON") from None
    version = said.get("manifest_version") if isinstance(said, dict) else None
    if type(version) is not int or version < 1:
        raise _invalid("manifest_version: it is not there, or no version")
    if version > MANIFEST_VERSION:
        raise BackupError(
            f"a manifest of version {version} can't be read by this version, which knows {MANIFEST_VERSION}",
            code="manifest_too_new",
            hint="upgrade leanix-backup",
        )
    try:
        found = _ADAPTER.validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise _invalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    _require_said(found, said, "")
    return found


def _require_said(found: Any, said: Any, path: str) -> None:
    """Refuse what was filled in by a default, and an instant without a zone: neither is what somebody wrote."""
    if isinstance(found, datetime) and found.tzinfo is None:
        raise _invalid(f"{path}: an instant needs a zone")
    if isinstance(found, tuple):
        for index, (entry, text) in enumerate(zip(found, said, strict=True)):
            _require_said(entry, text, f"{path}.{index}")
    elif dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            inner = f"{path}.{field.name}" if path else field.name
            if field.name not in said:
                raise _invalid(f"{inner}: Field required")
            _require_said(getattr(found, field.name), said[field.name], inner)


def _invalid(reason: str) -> BackupError:
    return BackupError(
        f"the manifest can't be read: {reason}",
        code="manifest_invalid",
        hint="the file beside it may still be whole; compare its SHA-256 with the log's `run_finished`",
    )
