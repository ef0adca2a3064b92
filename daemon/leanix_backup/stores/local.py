"""A folder as a store.

A new object is written beside its place under a name that begins with a dot, flushed, and then linked to its final
name: linking fails where something is there, so nothing is ever overwritten. Where spool and store share a file
system the file itself is linked and no byte is copied. File systems without hard links get a check and a rename.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

import anyio

from leanix_backup.errors import ConflictError, NotStoredError, StoreError
from leanix_backup.files import flush, flush_folder, flush_path, make_folders, open_new
from leanix_backup.stores.base import NOT_MADE_YET, StoredObject, checked_key, checked_prefix, could_be_in_key

T = TypeVar("T")

_BLOCK_BYTES = 4 * 1024 * 1024
_SCAN_BATCH = 500
_FOLDER_TRIES = 10
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


class LocalStore:
    """Keep objects as files under a folder; new files get mode 0600, new folders 0700, nothing else is changed.

    Args:
        name: The destination's name.
        root: The folder; made with the first object.
    """

    def __init__(self, name: str, root: Path) -> None:
        self._name = name
        self._root = root

    @property
    def name(self) -> str:
        """The destination's name in the configuration."""
        return self._name

    async def put_file(self, key: str, source: Path, *, sha256: str, size_bytes: int) -> None:
        """Store a file; O(1) where it lies on the same file system."""
        target = self._path(key)
        if await self._in_thread(_in_folder, target.parent, _link, source, target):
            return
        if await self._in_thread(target.exists):
            await self._same_or_conflict(key, sha256, size_bytes)
            return
        partial = _partial_of(target)
        try:
            await self._copy(source, partial, sha256)
            if not await self._in_thread(_publish, partial, target):
                await self._same_or_conflict(key, sha256, size_bytes)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    async def put_bytes(self, key: str, data: bytes) -> None:
        """Store a small object."""
        target = self._path(key)
        partial = _partial_of(target)
        try:
            await self._in_thread(_in_folder, target.parent, _write_whole, partial, data)
            if not await self._in_thread(_publish, partial, target):
                await self._same_or_conflict(key, hashlib.sha256(data).hexdigest(), len(data))
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    async def scan(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield what lies under a prefix.

        Raises:
            StoreError: `destination_missing` where the store's own folder is not there: before the first backup, or
                because a volume is not mounted, which must not look like a store without backups.
        """
        start = self._root / checked_prefix(prefix)
        if not await self._in_thread(self._root.is_dir):
            raise StoreError(
                f"{self._root} is no folder",
                code=NOT_MADE_YET,
                hint="it is made with the first backup; if there was one, a volume is not mounted",
            )
        broken: list[OSError] = []
        walk = _walk(start, self._root, broken)
        while batch := await self._in_thread(_take, walk):
            for found in batch:
                yield found
        if broken:
            raise _translate(broken[0], self._name) from broken[0]

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes in blocks."""
        path = self._path(key)
        file = await self._in_thread(_open_old, path)
        try:
            while block := await self._in_thread(file.read, _BLOCK_BYTES):
                yield block
        finally:
            file.close()

    async def delete(self, key: str) -> None:
        """Remove an object and, where that leaves them empty, its folders."""
        path = self._path(key)
        await self._in_thread(_unlink, path, self._root)

    async def tidy(self, key: str) -> None:
        """Remove what a killed put of this key left beside its place."""
        await self._in_thread(_clear_partials, self._path(key))

    async def _copy(self, source: Path, partial: Path, sha256: str) -> None:
        digest = hashlib.sha256()

        def step(reader: BinaryIO, writer: BinaryIO) -> bool:
            block = reader.read(_BLOCK_BYTES)
            digest.update(block)
            writer.write(block)
            return bool(block)

        reader = await self._in_thread(_open_old, source)
        with reader:
            writer = await self._in_thread(_in_folder, partial.parent, open_new, partial)
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
                await self._in_thread(_flush_both, path)  # whoever put it there may have been killed before that
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


def _in_folder(folder: Path, work: Callable[..., T], *args: object) -> T:
    """Do something in a folder that is made first; a delete may take it away again as long as it is empty."""
    for _ in range(_FOLDER_TRIES):
        with suppress(FileNotFoundError):
            make_folders(folder)
            return work(*args)
    make_folders(folder)
    return work(*args)


def _flush_both(path: Path) -> None:
    flush_path(path)
    flush_folder(path.parent)


def _partial_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")


def _clear_partials(target: Path) -> None:
    for left in target.parent.glob(f".{target.name}.*.partial"):
        left.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> bool:
    """Link a whole file to its final name; False where that can't be done, or something is there."""
    flush_path(source)
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    flush_folder(target.parent)
    return True


def _publish(partial: Path, target: Path) -> bool:
    """Give a whole file its final name; False where something has it."""
    try:
        os.link(partial, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            return False
        partial.rename(target)
    flush_folder(target.parent)
    return True


def _write_whole(path: Path, data: bytes) -> None:
    with open_new(path) as file:
        file.write(data)
        flush(file)


def _open_old(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (IsADirectoryError, NotADirectoryError) as error:  # a part of keys, or below one: no object
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error


def _walk(
    start: Path, root: Path, broken: list[OSError], above: frozenset[int] = frozenset()
) -> Iterator[StoredObject]:
    """Go through a folder; what can't be read is noted in `broken`, and the rest still comes.

    What has a name that no key has is not looked into: a volume's own `lost+found` is nobody's backup.
    """
    try:
        here = start.stat().st_ino
        if here in above:  # a link that leads back up
            return
        entries = list(os.scandir(start))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        broken.append(error)
        return
    for entry in entries:
        if not could_be_in_key(entry.name):  # a partial, or not ours
            continue
        try:
            if entry.is_dir():
                yield from _walk(Path(entry.path), root, broken, above | {here})
            elif entry.is_file():
                yield StoredObject(Path(entry.path).relative_to(root).as_posix(), entry.stat().st_size)
        except OSError:  # gone meanwhile, or a link that leads nowhere: no object
            continue


def _take(walk: Iterator[StoredObject]) -> list[StoredObject]:
    return list(itertools.islice(walk, _SCAN_BATCH))


def _unlink(path: Path, root: Path) -> None:
    with suppress(IsADirectoryError, NotADirectoryError):  # a part of keys, or below one: no object
        path.unlink(missing_ok=True)
    folder = path.parent
    with suppress(OSError):
        flush_folder(folder)
        while folder != root and root in folder.parents:
            folder.rmdir()
            folder = folder.parent


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
