"""The policies of docs/s3.md are enough, and each action in them is needed: tried with a server that judges by them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leanix_backup.config import Network, ObjectLock
from leanix_backup.config.words import LockMode
from leanix_backup.errors import ConflictError, StoreError
from leanix_backup.model import RetentionSpan
from leanix_backup.stores import StoredObject
from leanix_backup.stores.s3 import S3Store
from tests.contract.policies import BUCKET, PREFIX, actions, documented, without
from tests.contract.support import KEY, MANIFEST, MIB, SMALL_PARTS, put, read
from tests.support.seaweed import ADMIN, SeaweedFS

LARGE = 11 * MIB
UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
LOCK = ObjectLock(LockMode.GOVERNANCE, RetentionSpan(days=2))


class Place:
    """The bucket of the documentation, and stores that reach it as one user or another."""

    def __init__(self, server: SeaweedFS) -> None:
        self.server = server
        self.client = server.client()

    def store(self, user: str, **settings: Any) -> S3Store:
        given = {"prefix": PREFIX, "part_size": SMALL_PARTS} | settings
        return S3Store(self.server.destination(BUCKET, user=user, **given), Network())

    def versions(self, key: str) -> list[str]:
        """List what there is of a key, markers too."""
        page = self.client.list_object_versions(Bucket=BUCKET, Prefix=f"{PREFIX}/{key}")
        return [each["VersionId"] for each in (*page.get("Versions", []), *page.get("DeleteMarkers", []))]

    def clear(self) -> None:
        page = self.client.list_object_versions(Bucket=BUCKET)
        for each in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            self.client.delete_object(
                Bucket=BUCKET, Key=each["Key"], VersionId=each["VersionId"], BypassGovernanceRetention=True
            )
        for upload in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            self.client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])


@pytest.fixture(scope="session")
def shared_place(server: SeaweedFS) -> Place:
    server.new_bucket(locked=True, name=BUCKET)
    return Place(server)


@pytest.fixture
def place(shared_place: Place) -> Iterator[Place]:
    yield shared_place
    shared_place.clear()


async def found(store: S3Store) -> list[StoredObject]:
    return [each async for each in store.scan()]


async def denied(attempt: Any) -> str:
    """Say what a refusal says."""
    with pytest.raises(StoreError) as caught:
        await attempt
    assert (caught.value.code, caught.value.retryable) == ("destination_denied", False)
    assert "docs/s3.md" in caught.value.hint
    assert "destinations.s3" in caught.value.hint
    return caught.value.message


class TestWriter:
    async def test_stores_looks_and_tidies(self, place: Place, source: Callable[[bytes], Path]) -> None:
        writer, large = place.store("writer"), source(os.urandom(LARGE))
        for _ in range(2):
            await writer.tidy(KEY)
            await put(writer, KEY, large)
            await writer.put_bytes(MANIFEST, b"{}")
        assert await writer.tidy_all(before=UNTIL) == 0
        assert await read(writer, MANIFEST) == b"{}"
        assert {each.key for each in await found(writer)} == {KEY, MANIFEST}
        with pytest.raises(ConflictError):
            await writer.put_bytes(MANIFEST, b"[]")
        place.client.create_multipart_upload(Bucket=BUCKET, Key=f"{PREFIX}/{KEY}")
        assert await writer.tidy_all(before=UNTIL) == 1

    async def test_deletes_nothing_and_hides_nothing(self, place: Place) -> None:
        writer = place.store("writer")
        await writer.put_bytes(KEY, b"x")
        before = place.versions(KEY)
        for objects in (await found(writer), [StoredObject(KEY, 1, UNTIL)]):
            (stays,) = await writer.delete(objects)
            assert (stays.key, stays.error.code, stays.locked_until) == (KEY, "destination_denied", None)
            assert "s3:DeleteObject" in stays.error.message
        assert place.versions(KEY) == before
        assert await read(writer, KEY) == b"x"

    async def test_locks_nothing(self, place: Place) -> None:
        message = await denied(place.store("writer", object_lock=LOCK).put_bytes(KEY, b"x", retain_until=UNTIL))
        assert "s3:PutObjectRetention" in message
        assert place.versions(KEY) == []


class TestLocker:
    async def test_locks_and_tags(self, place: Place, source: Callable[[bytes], Path]) -> None:
        locker = place.store("locker", object_lock=LOCK, tags={"owner": "a & b"})
        await locker.put_bytes(MANIFEST, b"{}", retain_until=UNTIL)
        path = source(os.urandom(LARGE))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        await locker.put_file(KEY, path, sha256=sha256, size_bytes=LARGE, retain_until=UNTIL)
        for key in (KEY, MANIFEST):
            head = place.client.head_object(Bucket=BUCKET, Key=f"{PREFIX}/{key}")
            assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("GOVERNANCE", UNTIL)
            tags = place.client.get_object_tagging(Bucket=BUCKET, Key=f"{PREFIX}/{key}")
            assert tags["TagSet"] == [{"Key": "owner", "Value": "a & b"}]


class TestReader:
    async def test_lists_and_reads_also_what_is_hidden(self, place: Place) -> None:
        await place.store(ADMIN).put_bytes(KEY, b"x")
        reader = place.store("reader")
        assert await read(reader, KEY) == b"x"
        place.client.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{KEY}")
        (hidden,) = await found(reader)
        assert hidden.hidden
        assert await read(reader, KEY, version=hidden.version) == b"x"

    async def test_changes_nothing(self, place: Place, source: Callable[[bytes], Path]) -> None:
        await place.store(ADMIN).put_bytes(MANIFEST, b"{}")
        reader, large = place.store("reader"), source(os.urandom(LARGE))
        assert "s3:PutObject" in await denied(reader.put_bytes(KEY, b"x"))
        assert "s3:PutObject" in await denied(put(reader, KEY, large))
        assert "s3:ListBucketMultipartUploads" in await denied(reader.tidy(KEY))
        (stays,) = await reader.delete(await found(reader))
        assert "s3:DeleteObjectVersion" in stays.error.message
        assert {each.key for each in await found(reader)} == {MANIFEST}
        assert len(place.versions("")) == 1


class TestPruner:
    async def test_deletes_all_versions(self, place: Place) -> None:
        for data in (b"old", b"new"):
            place.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{KEY}", Body=data)
        place.client.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{KEY}")
        pruner = place.store("pruner")
        assert await pruner.delete(await found(pruner)) == ()
        assert place.versions("") == []

    async def test_says_until_when_a_lock_lasts(self, place: Place) -> None:
        await place.store("locker", object_lock=LOCK).put_bytes(KEY, b"x", retain_until=UNTIL)
        pruner = place.store("pruner")
        (stays,) = await pruner.delete(await found(pruner))
        assert (stays.error.code, stays.locked_until) == ("destination_locked", UNTIL)

    async def test_stores_nothing(self, place: Place) -> None:
        assert "s3:PutObject" in await denied(place.store("pruner").put_bytes(KEY, b"x"))
        assert place.versions("") == []


class TestEachActionIsNeeded:
    """Without one of them, the use that needs it fails, and the message names it."""

    # This server lets whoever lists uploads abort them, AWS does not: the one action that can't be tried here.
    @pytest.mark.parametrize("action", sorted({*actions(documented()["writer"])} - {"s3:AbortMultipartUpload"}))
    async def test_by_the_writer(self, action: str, place: Place, source: Callable[[bytes], Path]) -> None:
        store = place.store(without("writer", action))
        if action == "s3:ListBucket":  # versions are listed instead, and S3 asks for no more
            assert await found(store) == []
            return
        if action == "s3:ListBucketVersions":  # keys alone are listed
            await store.put_bytes(KEY, b"x")
            (seen,) = await found(store)
            assert (seen.key, seen.version) == (KEY, None)
            return
        if action == "s3:ListBucketMultipartUploads":
            assert action in await denied(store.tidy(KEY))
        elif action == "s3:GetObject":
            await place.store(ADMIN).put_bytes(KEY, b"x")
            assert action in await denied(read(store, KEY))
            assert action in await denied(store.put_bytes(KEY, b"x"))
        else:
            assert action in await denied(store.put_bytes(KEY, b"x"))
            assert action in await denied(put(store, KEY, source(os.urandom(LARGE))))
            assert place.versions("") == []

    async def test_by_whoever_lists(self, place: Place) -> None:
        """Neither versions nor keys: the message names what is asked for last."""
        assert "s3:ListBucket" in await denied(found(place.store("stranger")))

    @pytest.mark.parametrize("action", ["s3:GetObject", "s3:GetObjectVersion"])
    async def test_by_the_reader(self, action: str, place: Place) -> None:
        await place.store(ADMIN).put_bytes(KEY, b"x")
        store = place.store(without("reader", action))
        (seen,) = await found(store)
        version = seen.version if action == "s3:GetObjectVersion" else None
        assert action in await denied(read(store, KEY, version=version))

    @pytest.mark.parametrize("action", ["s3:DeleteObjectVersion", "s3:ListBucketVersions"])
    async def test_by_the_pruner(self, action: str, place: Place) -> None:
        await place.store(ADMIN).put_bytes(KEY, b"x")
        before = place.versions(KEY)
        store = place.store(without("pruner", action))
        (stays,) = await store.delete(await found(store))
        assert action in f"{stays.error.message} {stays.error.hint}"
        assert place.versions(KEY) == before
        assert await read(place.store(ADMIN), KEY) == b"x"

    @pytest.mark.parametrize("action", ["s3:GetObjectVersion"])
    async def test_by_the_pruner_who_meets_a_lock(self, action: str, place: Place) -> None:
        await place.store("locker", object_lock=LOCK).put_bytes(KEY, b"x", retain_until=UNTIL)
        store = place.store(without("pruner", action))
        (stays,) = await store.delete(await found(store))
        assert (stays.error.code, stays.locked_until) == ("destination_denied", None)
        assert len(place.versions(KEY)) == 1
