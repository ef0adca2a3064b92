"""A bucket as a store: the contract of `stores.base` over the requests of `bucket`, each in a thread.

Nothing is overwritten: a HEAD looks whether something has the name, and the request that gives it says `If-None-Match`,
so that a server which knows that refuses what came in between. Versions are known by their ids and deleted by them,
never by a key alone.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread

from leanix_backup.config import Network, S3Destination
from leanix_backup.errors import ConflictError, StoreError
from leanix_backup.naming import parse_key
from leanix_backup.stores.base import NotDeleted, StoredObject, checked_key, checked_prefix
from leanix_backup.stores.s3.body import Body, hash_stretch, mismatch, sum_of, unreadable
from leanix_backup.stores.s3.bucket import Bucket
from leanix_backup.stores.s3.listing import Entry, Folding
from leanix_backup.stores.s3.multipart import multipart, send_file
from leanix_backup.stores.s3.objects import Head, Upload, properties_of
from leanix_backup.stores.s3.removal import Removal

T = TypeVar("T")

_BLOCK_BYTES = 4 * 1024 * 1024
_SPARE_THREADS = 4  # for what goes on beside an upload: a listing, another object
_TRIES = 3  # of a name that others take and give up meanwhile
# Codes of errors after which something else is done than to give up.
_UNSUPPORTED = "s3_unsupported"
_DENIED = "destination_denied"
_LOOK_AGAIN = {"s3_busy", "s3_upload_gone"}

Properties = Mapping[str, Any]


class _Send(Protocol):
    async def __call__(self, *, if_absent: bool) -> None: ...


class S3Store:
    """Keep objects in a bucket, under the destination's prefix.

    Args:
        destination: Which bucket, and how objects are put there.
        network: Which authorities and proxies.
    """

    def __init__(self, destination: S3Destination, network: Network) -> None:
        self._destination = destination
        self._prefix = f"{destination.prefix}/" if destination.prefix else ""
        connections = destination.concurrency + _SPARE_THREADS
        self._bucket = Bucket(destination, network, connections=connections)
        self._threads = anyio.CapacityLimiter(connections)
        self._removal = Removal(self._bucket, name=destination.name, prefix=self._prefix, threads=self._threads)
        self._lists_versions = True
        self._conditions = True  # whether the server takes If-None-Match

    @property
    def name(self) -> str:
        """The destination's name in the configuration."""
        return self._destination.name

    async def put_file(
        self, key: str, source: Path, *, sha256: str, size_bytes: int, retain_until: datetime | None = None
    ) -> None:
        """Store a file, in parts where it is larger than `part_size`; a few MiB of it are in memory at once."""
        checked_key(key)
        properties = properties_of(self._destination, sha256=sha256, retain_until=retain_until)
        descriptor = await self._in_thread(_open, source, size_bytes)
        try:
            if size_bytes <= self._destination.part_size:
                send = partial(self._send_whole, descriptor, key, sha256, size_bytes, properties)
            else:
                send = partial(self._send_parts, descriptor, key, sha256, size_bytes, properties)
            await self._put(key, sha256, size_bytes, send)
        finally:
            os.close(descriptor)

    async def put_bytes(self, key: str, data: bytes, *, retain_until: datetime | None = None) -> None:
        """Store a small object with one request."""
        checked_key(key)
        sha256 = hashlib.sha256(data).hexdigest()
        properties = properties_of(self._destination, sha256=sha256, retain_until=retain_until, small=True)
        checksum = sum_of(data, self._destination.checksum)

        async def send(*, if_absent: bool) -> None:
            await self._in_thread(
                partial(self._bucket.put, self._full(key), data, checksum, properties, if_absent=if_absent)
            )

        await self._put(key, sha256, len(data), send)

    async def scan(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield what lies under a prefix, with one request for each thousand versions.

        Where the server or the policy does not give versions, keys alone are listed: then nothing is known of older
        versions, and what is hidden is not seen.
        """
        full = self._full(checked_prefix(prefix))
        folding = Folding(self._prefix)
        async for entries, goes_on_in in self._pages(full):
            for found in folding.add(entries, goes_on_in=goes_on_in):
                yield found

    async def read(self, key: str, *, version: str | None = None) -> AsyncIterator[bytes]:
        """Yield an object's bytes in blocks; that they are all of them is proved at the end."""
        body = await self._in_thread(self._bucket.get, self._full(checked_key(key)), version)
        try:
            while block := await self._in_thread(self._bucket.read, body, _BLOCK_BYTES):
                yield block
        finally:
            body.close()

    async def delete(self, objects: Iterable[StoredObject]) -> tuple[NotDeleted, ...]:
        """Remove objects with all their versions, a thousand versions with one request."""
        targets = [
            (self._full(checked_key(found.key)), version)
            for found in objects
            for version in (found.version, *found.older)
        ]
        return await self._removal.delete(targets)

    async def locked(self, found: StoredObject) -> NotDeleted | None:
        """Say whether a lock keeps any version of an object from being deleted, with one request for each version.

        None without asking where the bucket keeps no versions: then it has no locks.
        """
        return await self._removal.locked(self._full(checked_key(found.key)), (found.version, *found.older))

    async def tidy(self, key: str) -> None:
        """Abort the multipart uploads of a key that a killed put left."""
        full = self._full(checked_key(key))
        await self._abort(upload for upload in await self._uploads(full) if upload.key == full)

    async def require_made(self) -> None:
        """Ask nothing: a bucket that is not there refuses what is put into it."""

    async def tidy_all(self, *, before: datetime) -> int:
        """Abort the multipart uploads of any backup that were begun before an instant; return how many there were."""
        left = [
            upload
            for upload in await self._uploads(self._prefix)
            if parse_key(upload.key.removeprefix(self._prefix)) and upload.begun_at and upload.begun_at < before
        ]
        await self._abort(left)
        return len(left)

    async def _put(self, key: str, sha256: str, size_bytes: int, send: _Send) -> None:
        """Store something, unless it is there; once more where somebody else came in between."""
        for tries_left in reversed(range(_TRIES)):
            if await self._is_there(key, sha256, size_bytes):
                return
            conditional = self._conditions
            try:
                await send(if_absent=conditional)
            except StoreError as error:
                if error.code == _UNSUPPORTED and conditional:
                    self._conditions = False
                elif error.code not in _LOOK_AGAIN or not tries_left:
                    raise
            else:
                return

    async def _send_whole(
        self, descriptor: int, key: str, sha256: str, size_bytes: int, properties: Properties, *, if_absent: bool
    ) -> None:
        whole = hashlib.sha256()
        kind = self._destination.checksum
        stretch = await self._in_thread(partial(hash_stretch, descriptor, 0, size_bytes, kind=kind, whole=whole))
        if whole.hexdigest() != sha256:
            raise mismatch(f"what would be stored as {key} at {self.name}")
        body = Body(stretch, threading.Event())
        await self._in_thread(
            partial(self._bucket.put, self._full(key), body, stretch.sum, properties, if_absent=if_absent)
        )

    async def _send_parts(
        self, descriptor: int, key: str, sha256: str, size_bytes: int, properties: Properties, *, if_absent: bool
    ) -> None:
        where, threads = self._destination, self._threads
        async with multipart(self._bucket, self._full(key), where.checksum, properties, threads) as writer:
            found = await send_file(
                writer,
                descriptor,
                size_bytes=size_bytes,
                part_bytes=where.part_size,
                concurrency=where.concurrency,
                kind=where.checksum,
                threads=threads,
            )
            if found != sha256:
                raise mismatch(f"what was sent as {key} to {self.name}")
            await writer.complete(if_absent=if_absent)

    async def _is_there(self, key: str, sha256: str, size_bytes: int) -> bool:
        """Say whether the same content lies there already.

        Raises:
            ConflictError: Another content does.
        """
        head = await self._in_thread(self._bucket.head, self._full(key))
        if head is None:
            return False
        if head.size_bytes == size_bytes and await self._sha256(key, head) == sha256:
            return True
        raise ConflictError(
            f"{key} is there already at {self.name}, with other content",
            hint="it was left alone; look who else writes to this destination",
        )

    async def _sha256(self, key: str, head: Head) -> str:
        """Say what an object's content is: as its metadata or the server know, else by reading it."""
        if head.sha256 is not None:
            return head.sha256.lower()
        if head.checksum is not None:
            return base64.b64decode(head.checksum).hex()
        digest = hashlib.sha256()
        async for block in self.read(key):
            digest.update(block)
        return digest.hexdigest()

    async def _pages(self, full: str) -> AsyncIterator[tuple[Sequence[Entry], str | None]]:
        """List entries page by page, each with the key that may go on in the next one."""
        if self._lists_versions:
            after: tuple[str, str] | None = None
            while True:
                try:
                    entries, following = await self._in_thread(self._bucket.list_versions, full, after)
                except StoreError as error:
                    if after is not None or error.code not in (_DENIED, _UNSUPPORTED):
                        raise
                    self._lists_versions = error.code != _UNSUPPORTED
                    break
                yield entries, following[0] if following else None
                if following is None:
                    return
                after = following
        token: str | None = None
        while True:
            entries, token = await self._in_thread(self._bucket.list_keys, full, token)
            yield entries, None
            if token is None:
                return

    async def _uploads(self, prefix: str) -> list[Upload]:
        try:
            return await self._in_thread(self._bucket.uploads, prefix)
        except StoreError as error:
            if error.code == _UNSUPPORTED:  # a server that can't list them can't be tidied
                return []
            raise

    async def _abort(self, uploads: Iterable[Upload]) -> None:
        for upload in uploads:
            await self._in_thread(self._bucket.abort, upload)

    def _full(self, key: str) -> str:
        return f"{self._prefix}{key}"

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        return await anyio.to_thread.run_sync(work, *args, limiter=self._threads)


def _open(source: Path, size_bytes: int) -> int:
    """Open a file that has this size.

    Raises:
        StoreError: It can't be read; `checksum_mismatch` where it has another size.
    """
    try:
        descriptor = os.open(source, os.O_RDONLY)
    except OSError as error:
        raise unreadable(error) from error
    if os.fstat(descriptor).st_size != size_bytes:
        os.close(descriptor)
        raise mismatch("the file")
    return descriptor
