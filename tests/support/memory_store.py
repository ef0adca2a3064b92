"""A store that keeps its objects in memory: the contract of `stores.base`, and nothing that a disk does besides."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel

from leanix_backup.errors import ConflictError, NotStoredError, StoreError
from leanix_backup.stores import StoredObject
from leanix_backup.stores.base import checked_key, checked_prefix

_BLOCK_BYTES = 64 * 1024


class MemoryStore:
    """Objects in a dictionary. `down` makes every call fail, as a destination does that is not there."""

    def __init__(self, name: str = "memory") -> None:
        self._name = name
        self._objects: dict[str, bytes] = {}
        self.down: StoreError | None = None

    @property
    def name(self) -> str:
        return self._name

    async def put_file(self, key: str, source: Path, *, sha256: str, size_bytes: int) -> None:
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
        self._put(key, bytes(data))

    async def put_bytes(self, key: str, data: bytes) -> None:
        checked_key(key)
        self._require_up()
        await anyio.lowlevel.checkpoint()
        self._put(key, data)

    async def scan(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        checked_prefix(prefix)
        self._require_up()
        for key, data in list(self._objects.items()):
            await anyio.lowlevel.checkpoint()
            if key.startswith(prefix):
                yield StoredObject(key, len(data))

    async def read(self, key: str) -> AsyncIterator[bytes]:
        checked_key(key)
        self._require_up()
        if key not in self._objects:
            raise NotStoredError(f"it is not at {self._name}", hint="see `leanix-backup list`")
        data = self._objects[key]
        for start in range(0, len(data), _BLOCK_BYTES):
            await anyio.lowlevel.checkpoint()
            yield data[start : start + _BLOCK_BYTES]

    async def delete(self, key: str) -> None:
        checked_key(key)
        self._require_up()
        await anyio.lowlevel.checkpoint()
        self._objects.pop(key, None)

    async def tidy(self, key: str) -> None:
        checked_key(key)
        self._require_up()
        await anyio.lowlevel.checkpoint()

    def _put(self, key: str, data: bytes) -> None:
        if self._objects.setdefault(key, data) != data:
            raise ConflictError(f"{key} is there already, with other content", hint="it was left alone")

    def _require_up(self) -> None:
        if self.down is not None:
            raise self.down
