"""Stores that keep versions and lock them: what was hidden is known, what was deleted is gone, what is locked stays."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from leanix_backup.config import Network, ObjectLock
from leanix_backup.config.words import LockMode
from leanix_backup.errors import ConflictError, NotStoredError, StoreError
from leanix_backup.model import RetentionSpan
from leanix_backup.stores import Store, StoredObject
from leanix_backup.stores.s3 import S3Store
from tests.contract.support import KEY, MANIFEST, MIB, SMALL_PARTS, put, read, remove
from tests.support.memory_store import MemoryStore
from tests.support.seaweed import SeaweedFS

UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
LOCK = ObjectLock(LockMode.COMPLIANCE, RetentionSpan(days=2))


class Kept(Protocol):
    """A store that keeps versions, and what others can do there."""

    store: Store

    def hide(self, key: str) -> None: ...

    def count(self, key: str) -> int:
        """Count what there is of a key, delete markers too."""
        ...


class InMemory:
    def __init__(self) -> None:
        self.memory = MemoryStore("m", versioned=True)
        self.store: Store = self.memory

    def hide(self, key: str) -> None:
        self.memory.hide(key)

    def count(self, key: str) -> int:
        return self.memory.count(key)


class InBucket:
    def __init__(self, server: SeaweedFS) -> None:
        self.client = server.client()
        self.bucket, self.prefix = server.place(locked=True)
        destination = server.destination(self.bucket, prefix=self.prefix, part_size=SMALL_PARTS, object_lock=LOCK)
        self.store: Store = S3Store(destination, Network())

    def hide(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}")

    def write(self, key: str, data: bytes) -> None:
        """Write as somebody does who overwrites."""
        self.client.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}", Body=data)

    def count(self, key: str) -> int:
        page = self.client.list_object_versions(Bucket=self.bucket, Prefix=f"{self.prefix}/{key}")
        return len([*page.get("Versions", []), *page.get("DeleteMarkers", [])])


@pytest.fixture(params=["memory", "s3"])
def kept(request: pytest.FixtureRequest) -> Kept:
    return InMemory() if request.param == "memory" else InBucket(request.getfixturevalue("server"))


@pytest.fixture
def bucket(server: SeaweedFS) -> InBucket:
    return InBucket(server)


async def found(store: Store) -> dict[str, StoredObject]:
    return {each.key: each async for each in store.scan()}


class TestHidden:
    async def test_it_is_seen_as_such_and_read_by_its_version(self, kept: Kept) -> None:
        await kept.store.put_bytes(KEY, b"data")
        await kept.store.put_bytes(MANIFEST, b"{}")
        (before,) = [each for each in (await found(kept.store)).values() if each.key == KEY]
        kept.hide(KEY)
        seen = await found(kept.store)
        assert (seen[KEY].hidden, seen[KEY].version, seen[KEY].size_bytes) == (True, before.version, 4)
        assert len(seen[KEY].older) == 1
        assert not seen[MANIFEST].hidden
        with pytest.raises(NotStoredError):
            await read(kept.store, KEY)
        assert await read(kept.store, KEY, version=before.version) == b"data"

    async def test_deleted_it_is_gone_with_its_marker(self, kept: Kept) -> None:
        await kept.store.put_bytes(KEY, b"data")
        kept.hide(KEY)
        assert await kept.store.delete((await found(kept.store)).values()) == ()
        assert kept.count(KEY) == 0

    async def test_put_again_it_can_be_read_again(self, kept: Kept) -> None:
        await kept.store.put_bytes(KEY, b"data")
        kept.hide(KEY)
        await kept.store.put_bytes(KEY, b"data")
        assert await read(kept.store, KEY) == b"data"
        assert not (await found(kept.store))[KEY].hidden

    async def test_a_marker_over_nothing_is_no_object(self, bucket: InBucket) -> None:
        bucket.hide(KEY)
        assert bucket.count(KEY) == 1
        assert await found(bucket.store) == {}


class TestVersions:
    async def test_the_same_again_adds_none(self, kept: Kept, source: Callable[[bytes], Path]) -> None:
        large = source(os.urandom(6 * MIB))
        for _ in range(2):
            await put(kept.store, KEY, large)
            await kept.store.put_bytes(MANIFEST, b"{}")
        for attempt in (kept.store.put_bytes(KEY, b"x"), put(kept.store, MANIFEST, large)):
            with pytest.raises(ConflictError):
                await attempt
        assert (kept.count(KEY), kept.count(MANIFEST)) == (1, 1)

    async def test_one_that_never_was_can_not_be_read(self, kept: Kept) -> None:
        await kept.store.put_bytes(KEY, b"x")
        for version in ("0badcafe0badcafe0badcafe0badcafe", "nonsense"):
            with pytest.raises(NotStoredError):
                await read(kept.store, KEY, version=version)

    async def test_what_somebody_overwrote_is_deleted_with_all_of_them(self, bucket: InBucket) -> None:
        for data in (b"1", b"22", b"333"):
            bucket.write(KEY, data)
        bucket.hide(KEY)
        bucket.write(KEY, b"4444")
        (seen,) = (await found(bucket.store)).values()
        assert (seen.size_bytes, len(seen.older), seen.hidden) == (4, 4, False)
        assert await bucket.store.delete([seen]) == ()
        assert bucket.count(KEY) == 0

    async def test_deleting_by_a_key_alone_hides_nothing(self, bucket: InBucket) -> None:
        """As where the policy keeps versions from being listed: nothing is deleted, and it says so."""
        await bucket.store.put_bytes(KEY, b"x")
        nameless = StoredObject(KEY, 1, UNTIL)
        (stays,) = await bucket.store.delete([nameless])
        assert (stays.key, stays.error.code) == (KEY, "s3_versions_unlisted")
        assert "s3:ListBucketVersions" in stays.error.hint
        assert bucket.count(KEY) == 1
        assert await read(bucket.store, KEY) == b"x"


class TestLocked:
    async def test_it_stays_and_says_until_when_and_nothing_hides_it(
        self, kept: Kept, source: Callable[[bytes], Path]
    ) -> None:
        path = source(os.urandom(6 * MIB))
        await put(kept.store, KEY, path, retain_until=UNTIL)
        await kept.store.put_bytes(MANIFEST, b"{}", retain_until=UNTIL)
        await kept.store.put_bytes("acme/other", b"not locked")
        stay = await kept.store.delete((await found(kept.store)).values())
        assert sorted((each.key, each.locked_until) for each in stay) == sorted([(KEY, UNTIL), (MANIFEST, UNTIL)])
        assert {(each.error.code, each.error.retryable) for each in stay} == {("destination_locked", False)}
        seen = await found(kept.store)
        beforehand = [await kept.store.locked(seen[key]) for key in (KEY, MANIFEST)]
        assert [each and (each.key, each.locked_until) for each in beforehand] == [(KEY, UNTIL), (MANIFEST, UNTIL)]
        assert (kept.count(KEY), kept.count(MANIFEST), kept.count("acme/other")) == (1, 1, 0)
        assert await read(kept.store, KEY) == path.read_bytes()

    async def test_the_same_again_changes_nothing(self, kept: Kept) -> None:
        await kept.store.put_bytes(KEY, b"x", retain_until=UNTIL)
        await kept.store.put_bytes(KEY, b"x", retain_until=UNTIL + timedelta(days=1))
        (stays,) = await kept.store.delete((await found(kept.store)).values())
        assert stays.locked_until == UNTIL

    async def test_file_and_manifest_carry_the_same_lock(
        self, bucket: InBucket, source: Callable[[bytes], Path]
    ) -> None:
        await put(bucket.store, KEY, source(os.urandom(6 * MIB)), retain_until=UNTIL)
        await bucket.store.put_bytes(MANIFEST, b"{}", retain_until=UNTIL)
        for key in (KEY, MANIFEST):
            head = bucket.client.head_object(Bucket=bucket.bucket, Key=f"{bucket.prefix}/{key}")
            assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", UNTIL)

    async def test_a_hold_without_an_end(self, bucket: InBucket) -> None:
        await bucket.store.put_bytes(KEY, b"x")
        hold: dict[str, Any] = {"Bucket": bucket.bucket, "Key": f"{bucket.prefix}/{KEY}"}
        bucket.client.put_object_legal_hold(**hold, LegalHold={"Status": "ON"})
        (stays,) = await remove(bucket.store, KEY)
        assert (stays.error.code, stays.locked_until) == ("destination_locked", None)
        assert "legal hold" in stays.error.message
        (seen,) = (await found(bucket.store)).values()
        beforehand = await bucket.store.locked(seen)
        assert beforehand is not None
        assert (beforehand.error.message, beforehand.locked_until) == (stays.error.message, None)
        bucket.client.put_object_legal_hold(**hold, LegalHold={"Status": "OFF"})
        assert await bucket.store.locked(seen) is None
        assert await remove(bucket.store, KEY) == ()

    @pytest.mark.parametrize("size", [1, 6 * MIB])
    async def test_a_bucket_that_takes_no_locks(
        self, size: int, server: SeaweedFS, source: Callable[[bytes], Path]
    ) -> None:
        bucket, prefix = server.place()
        destination = server.destination(bucket, prefix=prefix, part_size=SMALL_PARTS, object_lock=LOCK)
        store = S3Store(destination, Network())
        with pytest.raises(StoreError) as caught:
            await put(store, KEY, source(os.urandom(size)), retain_until=UNTIL)
        assert (caught.value.code, caught.value.retryable) == ("s3_lock_unavailable", False)
        assert "destinations.s3.object_lock" in caught.value.hint
        assert await found(store) == {}

    async def test_a_destination_that_is_to_lock_nothing(self, server: SeaweedFS) -> None:
        store = S3Store(server.destination(server.place()[0]), Network())
        with pytest.raises(ValueError, match="object_lock"):
            await store.put_bytes(KEY, b"x", retain_until=UNTIL)
