"""The spool: where an artifact lies between LeanIX and its destinations. Holds artifacts and partials, nothing else.

`{run_id}.partial` while it comes, `{run_id}.xlsx` once it is whole on disk. A partial never outlives the download
that writes it. The only copy of an artifact is never dropped from here but by whoever knows that it is elsewhere.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio

from leanix_backup.errors import SpoolError
from leanix_backup.files import flush, flush_folder, flush_path, make_folders, open_new

_PARTIAL = ".partial"
_ARTIFACT = ".xlsx"
_BLOCK_BYTES = 1024 * 1024
_LEAST_FREE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Artifact:
    """A whole file in the spool: what was received, byte for byte."""

    path: Path
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Room:
    """How much is free, in bytes: on the volume, and under `spool.max_size`."""

    volume_free_bytes: int
    used_bytes: int
    max_size_bytes: int

    def holds(self, needed_bytes: int) -> bool:
        """Say whether that many bytes more fit, and a little at least: nothing is known of a first artifact."""
        fits_volume = self.volume_free_bytes >= max(needed_bytes, _LEAST_FREE_BYTES)
        return fits_volume and self.used_bytes + max(needed_bytes, 1) <= self.max_size_bytes


class Spool:
    """A folder for artifacts on their way.

    Args:
        path: The folder; made with mode 0700 where it is missing.
        max_size_bytes: How much it may hold.
    """

    def __init__(self, path: Path, *, max_size_bytes: int) -> None:
        self._path = path
        self._max_size_bytes = max_size_bytes

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            SpoolError: `spool_unwritable`.
        """
        try:
            make_folders(self._path)
        except OSError as error:
            raise _translate(error, self._path) from error
        self._require_writable()

    def _require_writable(self) -> None:
        if not os.access(self._path, os.W_OK | os.X_OK):
            raise _translate(PermissionError(errno.EACCES, "not writable"), self._path)

    def room(self) -> Room:
        """Look how much room there is now.

        Raises:
            SpoolError: `spool_unwritable`.
        """
        self._require_writable()
        try:
            used = _used_bytes(self._path)
            free = shutil.disk_usage(self._path).free
        except OSError as error:
            raise _translate(error, self._path) from error
        return Room(volume_free_bytes=free, used_bytes=used, max_size_bytes=self._max_size_bytes)

    async def receive(
        self,
        run_id: str,
        chunks: AsyncIterator[bytes],
        *,
        received: Callable[[int], None] = lambda _total: None,
    ) -> Artifact:
        """Write what comes to disk and hash it on the way, in constant memory.

        Args:
            run_id: Names the file.
            chunks: The bytes, as they come.
            received: Told how many bytes have come so far.

        Returns:
            The artifact, on disk and flushed. On any error or cancellation nothing of it is left.

        Raises:
            SpoolError: `spool_full`, `spool_unwritable`.
        """
        partial, final = self._partial_of(run_id), self.path_of(run_id)
        try:
            partial.unlink(missing_ok=True)  # of a run of this id that was killed
            room = self.room()
            most = room.max_size_bytes - room.used_bytes
            with open_new(partial) as file:
                size, digest = await _pump(chunks, file, most, received)
            # fsync belongs to the thread too: on a slow disk it takes seconds
            await anyio.to_thread.run_sync(_finish, partial, final)
        except OSError as error:
            raise _translate(error, self._path) from error
        finally:
            with suppress(OSError):  # the next start removes it, and what went wrong is on its way out
                partial.unlink(missing_ok=True)
        return Artifact(final, size, digest)

    def path_of(self, run_id: str) -> Path:
        """Say where the artifact of a run lies."""
        return self._path / f"{run_id}{_ARTIFACT}"

    async def find(self, run_id: str) -> Artifact | None:
        """Find the artifact of a run and hash it anew; None where there is none."""
        path = self.path_of(run_id)
        digest, size = hashlib.sha256(), 0
        try:
            async with await anyio.open_file(path, "rb") as file:
                while block := await file.read(_BLOCK_BYTES):
                    digest.update(block)
                    size += len(block)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _translate(error, self._path) from error
        return Artifact(path, size, digest.hexdigest())

    def run_ids(self) -> frozenset[str]:
        """Say of which runs there is anything here."""
        try:
            return frozenset(path.stem for path in self._path.iterdir())
        except OSError as error:
            raise _translate(error, self._path) from error

    def drop_partial(self, run_id: str) -> None:
        """Remove the half of a download that a killed process left."""
        try:
            self._partial_of(run_id).unlink(missing_ok=True)
        except OSError as error:
            raise _translate(error, self._path) from error

    def clear(self, run_id: str, *, aside: Path) -> Path | None:
        """Clear away what a run left that nothing explains any more.

        A partial is removed; an artifact is moved to the folder `aside`, since it may be the only copy.

        Returns:
            Where the artifact lies now; None where there was none.
        """
        path, target = self.path_of(run_id), aside / f"unexplained-{run_id}{_ARTIFACT}"
        try:
            self._partial_of(run_id).unlink(missing_ok=True)
            if not path.exists():
                return None
            make_folders(aside)
            return path.rename(target)
        except OSError as error:
            raise _translate(error, self._path) from error

    def _partial_of(self, run_id: str) -> Path:
        return self._path / f"{run_id}{_PARTIAL}"

    def drop(self, artifact: Artifact) -> None:
        """Remove an artifact that is safe elsewhere, or that is worth nothing."""
        artifact.path.unlink(missing_ok=True)

    async def keep_rejected(self, artifact: Artifact, folder: Path, job: str) -> Path:
        """Move a rejected artifact out of the spool, in the place of the job's last one.

        Returns:
            Where it lies now: in the spool still, where it could not be moved.
        """
        target = folder / f"{job}{_ARTIFACT}"
        try:
            await anyio.to_thread.run_sync(_move, artifact.path, target)
        except OSError:
            return artifact.path
        return target


async def _pump(
    chunks: AsyncIterator[bytes], file: BinaryIO, most: int, received: Callable[[int], None]
) -> tuple[int, str]:
    """Hash and write in a thread of its own while the next block is being received."""
    digest = hashlib.sha256()

    def put(block: bytes) -> None:
        digest.update(block)
        file.write(block)

    size, held, block = 0, 0, []
    loop = asyncio.get_running_loop()
    writing: asyncio.Future[None] | None = None
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool") as writer:
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise SpoolError(
                        "the file is larger than the room that is left in the spool",
                        code="spool_full",
                        hint="raise spool.max_size, or see why artifacts stay in the spool",
                    )
                block.append(chunk)
                held += len(chunk)
                if held >= _BLOCK_BYTES:
                    if writing is not None:
                        await asyncio.shield(writing)
                    writing = loop.run_in_executor(writer, put, b"".join(block))
                    block, held = [], 0
                    received(size)
            if writing is not None:
                await asyncio.shield(writing)
            writing = loop.run_in_executor(writer, put, b"".join(block))
            await asyncio.shield(writing)
        finally:
            if writing is not None and not writing.done():
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([writing])
            if writing is not None and writing.done() and not writing.cancelled():
                writing.exception()  # looked at, so that nobody warns about it: the first error is on its way out
    received(size)
    return size, digest.hexdigest()


def _used_bytes(folder: Path) -> int:
    used = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another run has just dropped its own
                used += entry.stat(follow_symlinks=False).st_size if entry.is_file() else 0
    return used


def _move(source: Path, target: Path) -> None:
    """Move a file, also to another file system; what was there is replaced only by a whole file."""
    make_folders(target.parent)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = target.with_name(f".{target.name}.partial")
        try:
            partial.unlink(missing_ok=True)
            with source.open("rb") as reader, open_new(partial) as writer:
                shutil.copyfileobj(reader, writer, _BLOCK_BYTES)
                flush(writer)
            partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)
        source.unlink()
    flush_folder(target.parent)


def _finish(partial: Path, final: Path) -> None:
    flush_path(partial)
    partial.rename(final)
    flush_folder(final.parent)


def _translate(error: OSError, path: Path) -> SpoolError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SpoolError(
            f"the volume of the spool {path} is full", code="spool_full", hint="make room there; nothing was lost"
        )
    return SpoolError(
        f"the spool {path} can't be written or read ({error.strerror or type(error).__name__})",
        code="spool_unwritable",
        hint="check that state_dir (or spool.path) is a folder of this user on a volume that is mounted read-write",
    )
