"""The proof of one backup: its bytes, brought into a file, are those of its manifest, and a whole workbook."""

from __future__ import annotations

import errno
import functools
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import anyio

from leanix_backup.catalog import parse_manifest, read_manifest_bytes
from leanix_backup.errors import ArtifactError, BackupError, DamagedError, NotStoredError, SpoolError, StoreError
from leanix_backup.model import Content, Manifest
from leanix_backup.workbook import Limits, verify

from . import faults
from .copies import Copy, age_of

Progress = Callable[[int, int], None]  # how much is done, of how much; what it counts is nobody's concern

_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Proved:
    """What a good copy's manifest says, and the manifest as it lies there."""

    manifest: Manifest
    manifest_bytes: bytes


async def prove(
    copy: Copy,
    file: BinaryIO,
    *,
    limits: Limits,
    now: datetime,
    progress: Progress = lambda _done, _of: None,
) -> Proved:
    """Bring a backup's bytes into a file, and prove on the way and afterwards that it is what was stored.

    Args:
        copy: Which one, and where it lies.
        file: An empty file, open for writing and reading. After an error it holds whatever had come.
        limits: How large a workbook may be once unpacked.
        now: What time it is: half a backup may be one on its way.
        progress: Told how far it is, also from another thread.

    Raises:
        DamagedError: It is not what was stored; the code says in which way.
        StoreError: The destination did not answer, or broke off.
        OSError: The file can't be written or read.
    """
    store, key = copy.store, copy.key
    if copy.half is not None:
        raise faults.half(copy.half, age_of(copy.half, now))
    version, manifest_version = (
        (copy.hidden.version, copy.hidden.manifest_version) if copy.hidden is not None else (None, None)
    )
    try:
        data = await read_manifest_bytes(store, key, version=manifest_version)
        manifest = parse_manifest(store.name, key, data)
    except NotStoredError as error:
        raise faults.no_manifest(store.name) from error
    except StoreError:
        raise
    except BackupError as error:
        raise DamagedError(error.message, code=error.code, hint=error.hint) from error
    await _bring(store.read(key.artifact, version=version), store.name, file, manifest, progress)
    found = await _prove_whole(file, manifest, limits, progress)
    if differing := _differences(manifest.content, found):
        raise faults.differs(store.name, differing, manifest)
    return Proved(manifest, data)


async def _bring(
    stored: AsyncIterator[bytes], destination: str, file: BinaryIO, manifest: Manifest, progress: Progress
) -> None:
    """Write a backup's bytes into a file, and prove that they are those of the manifest."""
    digest, size, expected = hashlib.sha256(), 0, manifest.file.size_bytes
    held: list[bytes] = []

    def put() -> None:
        for block in held:
            digest.update(block)
            file.write(block)
        held.clear()

    try:
        async with _closing(stored) as blocks:
            async for block in blocks:
                size += len(block)
                if size > expected:  # whatever it is, it need not be brought here as a whole
                    raise faults.altered(destination, size, manifest)
                held.append(block)
                if sum(map(len, held)) >= _BLOCK_BYTES:
                    await anyio.to_thread.run_sync(put)
                    progress(size, 2 * expected)
    except NotStoredError as error:
        raise faults.no_file(destination) from error
    await anyio.to_thread.run_sync(put)
    await anyio.to_thread.run_sync(file.flush)
    if size < expected:
        raise faults.truncated(destination, size, manifest)
    if digest.hexdigest() != manifest.file.sha256:
        raise faults.altered(destination, size, manifest)


@asynccontextmanager
async def _closing(blocks: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """Have what reads an object end with the block, not whenever somebody collects it."""
    try:
        yield blocks
    finally:
        close = getattr(blocks, "aclose", None)
        if close is not None:
            await close()


async def _prove_whole(file: BinaryIO, manifest: Manifest, limits: Limits, progress: Progress) -> Content:
    """Prove that a file whose bytes are right is a whole workbook, and say what it holds."""
    expected, stop = manifest.file.size_bytes, threading.Event()
    work = functools.partial(
        verify,
        file,
        manifest.export.type,
        limits,
        progress=lambda done: progress(expected + done, 2 * expected),
        cancelled=stop.is_set,
    )
    try:
        # Given up on a cancellation, the thread sees `stop` within half a MiB and ends.
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    except ArtifactError as error:
        raise faults.unsound(error) from error
    except SpoolError as error:
        raise OSError(errno.EIO, "what was written can't be read") from error
    finally:
        stop.set()


def _differences(said: Content, found: Content) -> str:
    pairs: Mapping[str, tuple[object, object]] = {
        "content.empty": (said.empty, found.empty),
        "content.sheets": (said.sheets, found.sheets),
        "content.fact_sheets": (said.fact_sheets, found.fact_sheets),
    }
    return ", ".join(name for name, (one, other) in pairs.items() if one != other)
