"""A store that keeps its objects in memory: the contract of `stores.base`, and nothing that a disk does besides."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import anyio
import anyio.lowlevel

from leanix_backup.errors import ConflictError, NotStoredError, StoreError
from leanix_backup.stores import NotDeleted, StoredObject
from leanix_backup.stores.base import checked_key, checked_prefix

_BLOCK_BYTES = 64 * 1024


@dataclass(slots=True)
class _Version:
    """One version of a key; without data it is a delete marker."""

    id: str
    data: bytes | None
    modified_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    locked_until: datetime | None = None


class MemoryStore:
    """Objects in a dictionary. `down` makes every call fail, as a destination does that is not there.

    A `versioned` one also keeps what `hide` puts under a delete marker, and locks what is put with `retain_until`.
    """

    def __init__(self, name: str = "memory", *, versioned: bool = False) -> None:
        self._name = name
        self._versioned = versioned
        self._ids = count(1)
        self._objects: dict[str, list[_Version]] = {}  # the newest last
        self.down: StoreError | None = None

    @property
    def name(self) -> str:
        return self._name

    async def put_file(
        self, key: str, source: Path, *, sha256: str, size_bytes: int, retain_until: datetime | None = None
    ) -> None:
        checked_key(key)
        self._require_up()
        data, digest = bytearray(), hashlib.sha256()
        try:
            async with await anyio.open_file(source, "rb") as file:
                while block := await file.read(_BLOCK_BYTES):
                    digest.update(block)
                    data += block
        except OSError as error:
            raise StoreError(f"{source.name} can't be read", code="destination_error") from error
        if digest.hexdigest() != sha256 or len(data) != size_bytes:
            raise StoreError("what was copied is not what was verified", code="checksum_mismatch", hint="copy it again")
        self._put(key, bytes(data), retain_until)

    async def put_bytes(self, key: str, data: bytes, *, retain_until: datetime | None = None) -> None:
        checked_key(key)
        self._require_up()
        await anyio.lowlevel.checkpoint()
        self._put(key, data, retain_until)

    async def scan(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        checked_prefix(prefix)
        self._require_up()
        for key, versions in list(self._objects.items()):
            await anyio.lowlevel.checkpoint()
            newest = next((each for each in reversed(versions) if each.data is not None), None)
            if key.startswith(prefix) and newest is not None and newest.data is not None:
                ids = [each.id for each in reversed(versions) if each is not newest]
                yield StoredObject(
                    key,
                    len(newest.data),
                    newest.modified_at,
                    newest.id if self._versioned else None,
                    tuple(ids),
                    hidden=versions[-1].data is None,
                )

    async def read(self, key: str, *, version: str | None = None) -> AsyncIterator[bytes]:
        checked_key(key)
        self._require_up()
        found = next((each for each in self._objects.get(key, [])[::-1] if version in (None, each.id)), None)
        if found is None or found.data is None:
            raise NotStoredError(f"it is not at {self._name}", hint="see `leanix-backup list`")
        for start in range(0, len(found.data), _BLOCK_BYTES):
            await anyio.lowlevel.checkpoint()
            yield found.data[start : start + _BLOCK_BYTES]

    async def delete(self, objects: Iterable[StoredObject]) -> tuple[NotDeleted, ...]:
        objects = list(objects)
        for each in objects:
            checked_key(each.key)
        self._require_up()
        await anyio.lowlevel.checkpoint()
        stay: list[NotDeleted] = []
        for each in objects:
            gone = {*each.older, each.version}
            kept = []
            for version in self._objects.pop(each.key, []):
                if self._versioned and version.id not in gone:
                    kept.append(version)
                elif version.locked_until and version.locked_until > datetime.now(UTC):
                    kept.append(version)
                    error = StoreError("it is locked", code="destination_locked", hint="wait", retryable=False)
                    stay.append(NotDeleted(each.key, error, version.locked_until))
            if kept:
                self._objects[each.key] = kept
        return tuple(stay)

    async def locked(self, found: StoredObject) -> NotDeleted | None:
        checked_key(found.key)
        self._require_up()
        await anyio.lowlevel.checkpoint()
        said = {*found.older, found.version}
        locks = [each.locked_until for each in self._objects.get(found.key, []) if each.id in said]
        until = max((each for each in locks if each is not None and each > datetime.now(UTC)), default=None)
        if until is None:
            return None
        return NotDeleted(found.key, StoreError("it is locked", code="destination_locked", retryable=False), until)

    def hide(self, key: str) -> None:
        """Do what somebody else's delete does in a bucket that keeps versions."""
        assert self._versioned
        self._objects[key].append(_Version(f"v{next(self._ids)}", None))

    def age(self, by: timedelta) -> None:
        """Have everything lie there that much longer."""
        for versions in self._objects.values():
            for each in versions:
                each.modified_at -= by

    def count(self, key: str) -> int:
        """Count what there is of a key, delete markers too."""
        return len(self._objects.get(key, []))

    async def tidy(self, key: str) -> None:
        checked_key(key)
        self._require_up()
        await anyio.lowlevel.checkpoint()

    async def require_made(self) -> None:
        self._require_up()

    async def tidy_all(self, *, before: datetime) -> int:
        self._require_up()
        await anyio.lowlevel.checkpoint()
        assert before.tzinfo is not None
        return 0

    def _put(self, key: str, data: bytes, retain_until: datetime | None) -> None:
        if retain_until is not None and not self._versioned:
            raise ValueError("only one that keeps versions can lock")
        there = self._objects.setdefault(key, [])
        if not there or there[-1].data is None:
            there.append(_Version(f"v{next(self._ids)}", data, locked_until=retain_until))
        elif there[-1].data != data:
            raise ConflictError(f"{key} is there already, with other content", hint="it was left alone")

    def _require_up(self) -> None:
        if self.down is not None:
            raise self.down
