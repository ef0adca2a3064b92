"""What is said of objects: what a new one gets besides its bytes, and what the server tells of one. Data alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from leanix_backup.config import S3Destination
from leanix_backup.errors import StoreError

SHA256_FIELD: Final = "sha256"  # of an object's own metadata: the SHA-256 of the whole, in hex


@dataclass(frozen=True, slots=True)
class Head:
    """What a HEAD tells of an object.

    Attributes:
        size_bytes: Its size.
        sha256: What its metadata says of its SHA-256, in hex, or None.
        checksum: Its SHA-256 in base64 where the server knows that of the whole, or None.
        locked_until: Until when it is locked, or None.
        held: Whether a lock without an end (a legal hold) is on it.
    """

    size_bytes: int
    sha256: str | None
    checksum: str | None
    locked_until: datetime | None
    held: bool


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that was begun; `begun_at` as the server lists it."""

    key: str
    id: str
    begun_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """What a delete of many says of one that it did not delete; `error` is as the server said it."""

    key: str
    version: str | None
    error: StoreError


def properties_of(
    destination: S3Destination, *, sha256: str, retain_until: datetime | None, small: bool = False
) -> dict[str, Any]:
    """Say what a new object gets besides its bytes.

    A small one, which is a manifest, stays in the bucket's own storage class: it must be readable at any time, and
    other classes charge for 128 KiB at least.

    Raises:
        ValueError: A lock is asked for, and the destination has no `object_lock`: our own mistake.
    """
    said: dict[str, Any] = {"Metadata": {SHA256_FIELD: sha256}, "ContentType": "application/octet-stream"}
    if destination.server_side_encryption is not None:
        said["ServerSideEncryption"] = destination.server_side_encryption.value
    if destination.kms_key_id is not None:
        said["SSEKMSKeyId"] = destination.kms_key_id
    if destination.storage_class is not None and not small:
        said["StorageClass"] = destination.storage_class
    if destination.tags:
        said["Tagging"] = urlencode(destination.tags)
    if retain_until is not None:
        if destination.object_lock is None:
            raise ValueError(f"{destination.name} has no object_lock")
        said["ObjectLockMode"] = destination.object_lock.mode.value.upper()
        said["ObjectLockRetainUntilDate"] = _whole_second(retain_until)
    return said


def _whole_second(instant: datetime) -> datetime:
    """Write an instant as every server takes it: in UTC, which botocore leaves to us, and never a moment too early."""
    found = instant.astimezone(UTC)
    return found.replace(microsecond=0) + timedelta(seconds=1 if found.microsecond else 0)
