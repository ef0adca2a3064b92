"""The manifest as text: what lies beside every artifact (design §4). Pure.

A reader keeps what it does not know out of the way: later versions may add fields. It refuses what it can't trust:
a manifest of a newer major format, or one that lacks a field.
"""

from __future__ import annotations

import json
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
        version = json.loads(data).get("manifest_version")
    except (ValueError, AttributeError) as error:
        raise _invalid("it is not JSON") from error
    if isinstance(version, int) and version > MANIFEST_VERSION:
        raise BackupError(
            f"a manifest of version {version} can't be read by this version, which knows {MANIFEST_VERSION}",
            code="manifest_too_new",
            hint="upgrade leanix-backup",
        )
    try:
        return _ADAPTER.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise _invalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _invalid(reason: str) -> BackupError:
    return BackupError(
        f"the manifest can't be read: {reason}",
        code="manifest_invalid",
        hint="the file beside it may still be whole; compare its SHA-256 with the log's `run_finished`",
    )
