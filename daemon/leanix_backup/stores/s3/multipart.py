"""A large file in parts: begin, send parts as they are there, complete once the whole is proved, or abort.

The writer knows nothing of where parts come from, so that they can be sent while a file is still growing. `send_file`
sends one that is whole.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from leanix_backup.config.words import Checksum
from leanix_backup.errors import BackupError, StoreError
from leanix_backup.stores.s3.body import Body, Stretch, Sum, algorithm_of, hash_stretch
from leanix_backup.stores.s3.bucket import Bucket
from leanix_backup.stores.s3.objects import Upload

T = TypeVar("T")

_MOST_PARTS = 10_000
_ABORT_S = 30.0


class MultipartWriter:
    """One multipart upload; see `multipart`, which makes it.

    Parts may be sent in any order and side by side.
    """

    def __init__(self, bucket: Bucket, upload: Upload, threads: anyio.CapacityLimiter) -> None:
        self._bucket = bucket
        self._upload = upload
        self._threads = threads
        self._parts: dict[int, tuple[str, Sum]] = {}
        self.completed = False

    async def send(self, number: int, stretch: Stretch, stop: threading.Event) -> None:
        """Send a part; numbers count from 1. `stop` breaks it off.

        Raises:
            StoreError: `checksum_mismatch` where what arrived is not what was hashed.
        """
        try:
            etag = await self._in_thread(
                partial(self._bucket.put_part, self._upload, number, Body(stretch, stop), stretch.sum)
            )
        except CancelledError:  # we broke it off ourselves
            await anyio.lowlevel.checkpoint()
            raise StoreError("the upload was broken off", hint="another part of it failed") from None
        self._parts[number] = (etag, stretch.sum)

    async def complete(self, *, if_absent: bool) -> None:
        """Make the object of the parts; from here on it is there.

        A cancellation comes too late for this: it either takes effect before or finds the object complete.
        """
        parts = [self._parts[number] for number in sorted(self._parts)]
        with anyio.CancelScope(shield=True):
            await self._in_thread(partial(self._bucket.complete, self._upload, parts, if_absent=if_absent))
        self.completed = True

    async def abort(self) -> None:
        """Throw away what was sent. What can't be reached now is left to `tidy`."""
        with anyio.move_on_after(_ABORT_S, shield=True), suppress(BackupError):
            await anyio.to_thread.run_sync(
                self._bucket.abort, self._upload, limiter=self._threads, abandon_on_cancel=True
            )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._threads)


@asynccontextmanager
async def multipart(
    bucket: Bucket, key: str, kind: Checksum, properties: Mapping[str, Any], threads: anyio.CapacityLimiter
) -> AsyncIterator[MultipartWriter]:
    """Begin a multipart upload; when the block ends without `complete`, however it ends, it is aborted."""
    with anyio.CancelScope(shield=True):  # its id must not be lost on the way back
        upload = await anyio.to_thread.run_sync(
            partial(bucket.begin, key, algorithm_of(kind), properties), limiter=threads
        )
    writer = MultipartWriter(bucket, upload, threads)
    try:
        yield writer
    finally:
        if not writer.completed:
            await writer.abort()


async def send_file(
    writer: MultipartWriter,
    descriptor: int,
    *,
    size_bytes: int,
    part_bytes: int,
    concurrency: int,
    kind: Checksum,
    threads: anyio.CapacityLimiter,
) -> str:
    """Send a file in parts, `concurrency` of them at once, while it is hashed in order.

    After an error or a cancellation no part is under way any more.

    Args:
        writer: Where to.
        descriptor: The file, open for reading.
        size_bytes: How much of it.
        part_bytes: The size of a part; larger ones are sent where there would be too many.
        concurrency: How many at once.
        kind: Which checksum each part gets.
        threads: Where blocking work goes.

    Returns:
        The SHA-256 of what was hashed, in hex; parts that are not that were refused by the server.

    Raises:
        StoreError: A part was refused; the file can't be read, or is shorter than `size_bytes`.
    """
    part_bytes = max(part_bytes, -(-size_bytes // _MOST_PARTS))
    whole, stop, slots = hashlib.sha256(), threading.Event(), anyio.Semaphore(concurrency)
    failed: list[BackupError] = []

    async def send(number: int, stretch: Stretch) -> None:
        try:
            await writer.send(number, stretch, stop)
        except BackupError as error:
            failed.append(error)
            group.cancel_scope.cancel()
        finally:
            slots.release()

    async def watch() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stop.set()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            for number, offset in enumerate(range(0, size_bytes, part_bytes), start=1):
                await slots.acquire()
                wanted = min(part_bytes, size_bytes - offset)
                work = partial(hash_stretch, descriptor, offset, wanted, kind=kind, whole=whole)
                group.start_soon(send, number, await anyio.to_thread.run_sync(work, limiter=threads))
            for _ in range(concurrency):
                await slots.acquire()
        except BackupError as error:  # a task group would wrap it
            failed.append(error)
        group.cancel_scope.cancel()
    if failed:
        raise failed[0]
    return whole.hexdigest()
