"""Every way in which a stored backup is not what was stored, in words for the person on call. Pure."""

from __future__ import annotations

from datetime import timedelta

from leanix_backup.catalog import Half
from leanix_backup.errors import ArtifactError, DamagedError
from leanix_backup.model import Manifest
from leanix_backup.naming import ARTIFACT_SUFFIX

BEING_STORED = timedelta(days=1)  # how long a half may be a backup on its way, or one that is being removed


def no_manifest(destination: str) -> DamagedError:
    """Say that there is a file, and nothing that says what it is."""
    return DamagedError(
        f"there is no manifest beside the file at {destination}, so it is no backup",
        code="manifest_missing",
        hint="another destination may have both; the log's `run_finished` says the file's SHA-256",
    )


def no_file(destination: str) -> DamagedError:
    """Say that there is a manifest, and not what it is about."""
    return DamagedError(
        f"the file is not at {destination}, only its manifest is",
        code="file_missing",
        hint="who removed it? another destination may have it",
    )


def half(found: Half, age: timedelta) -> DamagedError:
    """Say which half is missing, and whether it may just be on its way."""
    there = found.there.key
    error = no_manifest(found.destination) if there.endswith(ARTIFACT_SUFFIX) else no_file(found.destination)
    if age < BEING_STORED:
        error.hint = f"it is there for less than a day, and may be being stored or removed just now; else: {error.hint}"
    return error


def hidden(destination: str) -> DamagedError:
    """Say that somebody deleted it, and that it is still there all the same."""
    return DamagedError(
        f"it is whole, and hidden by a delete marker at {destination}: somebody deleted it",
        code="backup_hidden",
        hint="`fetch` still brings it back; it comes to light again when the marker's own version is deleted there",
    )


def truncated(destination: str, size_bytes: int, manifest: Manifest) -> DamagedError:
    """Say that the end is missing."""
    return DamagedError(
        f"the file at {destination} has {size_bytes} bytes of the {manifest.file.size_bytes} that its manifest says",
        code="backup_truncated",
        hint="it was cut off after it was stored: look at that destination's disk; another one may have it whole",
    )


def altered(destination: str, size_bytes: int, manifest: Manifest) -> DamagedError:
    """Say that bytes are not those that were stored."""
    expected = manifest.file.size_bytes
    what = f"more than the {expected} bytes" if size_bytes > expected else "other bytes than those"
    return DamagedError(
        f"the file at {destination} has {what} that its manifest says",
        code="backup_altered",
        hint="it was changed after it was stored: look who may write there, and at the disk; another destination may "
        "have it as it was",
    )


def unsound(error: ArtifactError) -> DamagedError:
    """Say that the bytes are right, and no workbook; the codes are those of what comes from LeanIX."""
    hint = error.hint if error.code == "artifact_bomb" else "file and manifest were made like this: who made them?"
    return DamagedError(
        f"its bytes are those that the manifest says, and yet: {error.message}", code=error.code, hint=hint
    )


def differs(destination: str, fields: str, manifest: Manifest) -> DamagedError:
    """Say that the manifest's summary is not what the workbook holds."""
    return DamagedError(
        f"the workbook at {destination} holds something else than its manifest says: {fields}",
        code="content_differs",
        hint=f"its bytes are those that {manifest.tool.name} {manifest.tool.version} wrote down; was the manifest "
        "edited? compare it with the log's `artifact_verified`",
    )
