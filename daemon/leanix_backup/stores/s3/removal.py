"""Delete versions of keys, many with one request, and find out why some stay.

Nothing is ever just hidden: what was named by a version can't be, and a delete marker that the bucket placed where
no version could be named is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import anyio.to_thread

from leanix_backup.clock import format_utc
from leanix_backup.errors import NotStoredError, StoreError
from leanix_backup.stores.base import NotDeleted
from leanix_backup.stores.s3.bucket import Bucket
from leanix_backup.stores.s3.objects import Head, Refused

T = TypeVar("T")

_BATCH = 1000  # S3's own limit
_UNVERSIONED = "null"  # the id of what came into a bucket that does not keep versions, or not yet: nothing locks it
_EVER = datetime.max.replace(tzinfo=UTC)


class Removal:
    """Deletes at one destination.

    Args:
        bucket: Where.
        name: The destination's name, for messages.
        prefix: What the bucket's keys begin with and the store's do not.
        threads: Where requests are made.
    """

    def __init__(self, bucket: Bucket, *, name: str, prefix: str, threads: anyio.CapacityLimiter) -> None:
        self._bucket = bucket
        self._name = name
        self._prefix = prefix
        self._threads = threads

    async def delete(self, targets: Sequence[tuple[str, str | None]]) -> tuple[NotDeleted, ...]:
        """Delete versions of the bucket's keys; None is a key whose versions are not known.

        Returns:
            What stays, once for each key, with the last of its locks.
        """
        stay: dict[str, NotDeleted] = {}
        for start in range(0, len(targets), _BATCH):
            refused, placed = await self._in_thread(self._bucket.delete, targets[start : start + _BATCH])
            kept = [await self._explain(each) for each in refused if not isinstance(each.error, NotStoredError)]
            kept += await self._take_back(placed)
            for each in kept:
                known = stay.get(each.key)
                if known is None or (each.locked_until or _EVER) > (known.locked_until or _EVER):
                    stay[each.key] = each
        return tuple(stay.values())

    async def locked(self, key: str, versions: Sequence[str | None]) -> NotDeleted | None:
        """Say which lock on one of the bucket's key's versions ends last; None where none is known."""
        found = [await self._lock_on(key, version) for version in versions if version not in (None, _UNVERSIONED)]
        return max(
            (each for each in found if each is not None), key=lambda each: each.locked_until or _EVER, default=None
        )

    async def _explain(self, refused: Refused) -> NotDeleted:
        """Find out whether a lock is what kept a version from being deleted."""
        lock = None
        if refused.error.code == "destination_denied":
            lock = await self._lock_on(refused.key, refused.version)
        return lock or NotDeleted(refused.key.removeprefix(self._prefix), refused.error)

    async def _lock_on(self, full: str, version: str | None) -> NotDeleted | None:
        head: Head | None = None
        with suppress(StoreError):  # who may not look is told that deleting was refused
            head = await self._in_thread(self._bucket.head, full, version)
        until = head.locked_until if head is not None else None
        if head is None or not (head.held or (until is not None and until > datetime.now(UTC))):
            return None
        until = None if head.held or until is None else until.astimezone(UTC)
        how = f"until {format_utc(until)}" if until is not None else "by a legal hold"
        key = full.removeprefix(self._prefix)
        error = StoreError(
            f"{key} is locked {how} at {self._name}",
            code="destination_locked",
            hint="it stays as it is; prune deletes it once the lock has ended",
            retryable=False,
        )
        return NotDeleted(key, error, until)

    async def _take_back(self, placed: Sequence[tuple[str, str]]) -> list[NotDeleted]:
        """Remove delete markers that the bucket placed instead of deleting; return what was not deleted."""
        if not placed:
            return []
        await self._in_thread(self._bucket.delete, placed)
        error = StoreError(
            f"{self._name} keeps versions, and deleting them needs their ids, which could not be listed",
            code="s3_versions_unlisted",
            hint=f"allow s3:ListBucketVersions for the credentials of destinations.{self._name}; see docs/s3.md",
            retryable=False,
        )
        return [
            NotDeleted(key.removeprefix(self._prefix), error)
            for key, _ in placed
            if await self._in_thread(self._bucket.head, key) is not None  # a marker over nothing hid nothing
        ]

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        return await anyio.to_thread.run_sync(work, *args, limiter=self._threads)
