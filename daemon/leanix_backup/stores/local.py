"""A folder as a store.

A new object is written beside its place under a name that begins with a dot, flushed, and then linked to its final
name: linking fails where something is there, so nothing is ever overwritten. Where spool and store share a file
system the file itself is linked and no byte is copied. File systems without hard links get a check and a rename.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

import anyio

from leanix_backup.errors import ConflictError, NotStoredError, StoreError
from leanix_backup.files import flush, open_new
from leanix_backup.stores import local_files
from leanix_backup.stores.base import NOT_MADE_YET, NotDeleted, StoredObject, checked_key, checked_prefix

T = TypeVar("T")

_BLOCK_BYTES = 4 * 1024 * 1024


class LocalStore:
    """Keep objects as files under a folder; new files get mode 0600, new folders 0700, nothing else is changed.

    Args:
        name: The destination's name.
        root: The folder; made with the first object.
    """

    def __init__(self, name: str, root: Path) -> None:
        self._name = name
        self._root = root
        self._seen: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The destination's name in the configuration."""
        return self._name

    async def put_file(
        self, key: str, source: Path, *, sha256: str, size_bytes: int, retain_until: datetime | None = None
    ) -> None:
        """Store a file; O(1) where it lies on the same file system."""
        target = self._unlocked_path(key, retain_until)
        await self._in_thread(self._require_same_root)
        if await self._in_thread(local_files.in_folder, target.parent, local_files.link, source, target):
            return
        if await self._in_thread(target.exists):
            await self._same_or_conflict(key, sha256, size_bytes)
            return
        partial = local_files.partial_of(target)
        try:
            await self._copy(source, partial, sha256)
            if not await self._in_thread(local_files.publish, partial, target):
                await self._same_or_conflict(key, sha256, size_bytes)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    async def put_bytes(self, key: str, data: bytes, *, retain_until: datetime | None = None) -> None:
        """Store a small object."""
        target = self._unlocked_path(key, retain_until)
        await self._in_thread(self._require_same_root)
        partial = local_files.partial_of(target)
        try:
            await self._in_thread(local_files.in_folder, target.parent, local_files.write_whole, partial, data)
            if not await self._in_thread(local_files.publish, partial, target):
                await self._same_or_conflict(key, hashlib.sha256(data).hexdigest(), len(data))
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    async def require_made(self) -> None:
        """Refuse to be a folder that is not there.

        Raises:
            StoreError: `destination_missing`.
        """
        if not await self._in_thread(self._root.is_dir):
            raise StoreError(
                f"{self._root} is no folder",
                code=NOT_MADE_YET,
                hint="it is made with the first backup; if there was one, a volume is not mounted",
            )

    async def scan(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield what lies under a prefix.

        Raises:
            StoreError: `destination_missing` where the store's own folder is not there: before the first backup, or
                because a volume is not mounted, which must not look like a store without backups.
        """
        start = self._root / checked_prefix(prefix)
        await self.require_made()
        self._seen = await self._in_thread(_identity, self._root)
        broken: list[OSError] = []
        walk = local_files.walk(start, self._root, broken)
        while batch := await self._in_thread(local_files.take, walk):
            for found in batch:
                yield found
        if broken:
            raise _translate(broken[0], self._name) from broken[0]

    async def read(self, key: str, *, version: str | None = None) -> AsyncIterator[bytes]:
        """Yield an object's bytes in blocks; a folder has no versions."""
        path = self._path(key)
        if version is not None:
            raise NotStoredError(f"{self._name} keeps no versions", hint="see `leanix-backup list`")
        file = await self._in_thread(local_files.open_old, path)
        try:
            while block := await self._in_thread(file.read, _BLOCK_BYTES):
                yield block
        finally:
            file.close()

    async def delete(self, objects: Iterable[StoredObject]) -> tuple[NotDeleted, ...]:
        """Remove objects and, where that leaves them empty, their folders."""
        stay: list[NotDeleted] = []
        for path, found in [(self._path(found.key), found) for found in objects]:
            try:
                await self._in_thread(local_files.remove, path, self._root)
            except StoreError as error:
                stay.append(NotDeleted(found.key, error))
        return tuple(stay)

    async def tidy(self, key: str) -> None:
        """Remove what a killed put of this key left beside its place."""
        await self._in_thread(local_files.clear_partials, self._path(key))

    async def locked(self, found: StoredObject) -> NotDeleted | None:
        """Say that a folder locks nothing."""
        checked_key(found.key)
        await anyio.lowlevel.checkpoint()
        return None

    async def tidy_all(self, *, before: datetime) -> int:
        """Remove what killed puts of any backup left before an instant; return how many there were."""
        return await self._in_thread(local_files.clear_old_partials, self._root, before)

    def _require_same_root(self) -> None:
        """Refuse to write to a folder that took the place of the one that was scanned: a volume has gone since."""
        if self._seen is not None and self._seen != (_identity(self._root) if self._root.is_dir() else None):
            raise StoreError(
                f"{self._root} is not the folder any more that it was",
                code=NOT_MADE_YET,
                hint="look whether its volume is still mounted",
            )

    async def _copy(self, source: Path, partial: Path, sha256: str) -> None:
        digest = hashlib.sha256()

        def step(reader: BinaryIO, writer: BinaryIO) -> bool:
            block = reader.read(_BLOCK_BYTES)
            digest.update(block)
            writer.write(block)
            return bool(block)

        reader = await self._in_thread(local_files.open_old, source)
        with reader:
            writer = await self._in_thread(local_files.in_folder, partial.parent, open_new, partial)
            with writer:
                while await self._in_thread(step, reader, writer):
                    pass
                await self._in_thread(flush, writer)
        if digest.hexdigest() != sha256:
            raise StoreError(
                f"what was copied to {self._name} is not what was verified",
                code="checksum_mismatch",
                hint="look at the memory and the disks of this machine; nothing was stored",
            )

    async def _same_or_conflict(self, key: str, sha256: str, size_bytes: int) -> None:
        """Accept an object that has the same content already."""
        path = self._path(key)
        if (await self._in_thread(path.stat)).st_size == size_bytes:
            digest = hashlib.sha256()
            async for block in self.read(key):
                digest.update(block)
            if digest.hexdigest() == sha256:
                # Whoever put it there may have been killed before that.
                await self._in_thread(local_files.flush_both, path)
                return
        raise ConflictError(
            f"{key} is there already at {self._name}, with other content",
            hint="it was left alone; look who else writes to this destination",
        )

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        try:
            return await anyio.to_thread.run_sync(work, *args)
        except OSError as error:
            raise _translate(error, self._name) from error

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _unlocked_path(self, key: str, retain_until: datetime | None) -> Path:
        if retain_until is not None:
            raise ValueError("a folder can't lock what lies in it")
        return self._path(key)


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _translate(error: OSError, name: str) -> StoreError:
    if isinstance(error, FileNotFoundError):
        where = f": {error.filename}" if error.filename else ""
        return NotStoredError(f"it is not at {name}{where}", hint="see `leanix-backup list`")
    known = {
        errno.ENOSPC: ("destination_full", "make room there, or keep fewer backups", True),
        errno.EDQUOT: ("destination_full", "the quota is used up: raise it, or keep fewer backups", True),
        errno.EROFS: ("destination_denied", "it is mounted read-only", False),
        errno.EACCES: ("destination_denied", "the service's user needs to write and search that folder", False),
        errno.EPERM: ("destination_denied", "the service's user needs to write and search that folder", False),
        errno.ENOTDIR: ("destination_invalid", "a part of `path` is a file, not a folder", False),
    }
    code, hint, retryable = known.get(error.errno or 0, ("destination_error", "look at the volume and its log", True))
    reason = error.strerror or type(error).__name__
    where = f" ({error.filename})" if error.filename else ""
    return StoreError(f"{name} failed: {reason}{where}", code=code, hint=hint, retryable=retryable)
