"""What `stores/base.py` says of every store, held against each of them.

`support.STORES` has an entry for each kind; another one joins with a way to open it. What one kind does besides the
contract is in a file of its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from leanix_backup.errors import ConflictError, NotStoredError, StoreError
from leanix_backup.stores import LocalStore, Store, StoredObject
from leanix_backup.stores.s3 import S3Store
from tests.contract.support import KEY, MANIFEST, MIB, STORES, put, read, remove, scan

NOW = datetime.now(UTC)
NOT_THERE = [KEY, "acme", "acme/snapshot", f"{MANIFEST}/x"]
NO_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a/..",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    ".hidden",
    "a/.hidden",
    "a\\..\\b",
    "a\x00b",
    "a\nb",
    "a b",
    "ä",
    "~/x",
    "a/b\n",
]


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with STORES[request.param](request, tmp_path) as opened:
        yield opened


def some(store: Store, many: int, *, of_a_server: int) -> int:
    """Say how many to take: fewer where each is a request or two."""
    return of_a_server if isinstance(store, S3Store) else many


class TestPut:
    @pytest.mark.parametrize("size", [0, 1, 65536, 5 * MIB + 1])
    async def test_a_file_is_there_byte_for_byte_and_its_source_stays(
        self, size: int, store: Store, source: Callable[[bytes], Path]
    ) -> None:
        data = os.urandom(size)
        path = source(data)
        await put(store, KEY, path)
        assert await read(store, KEY) == data
        assert await scan(store) == {KEY: size}
        assert path.read_bytes() == data

    @pytest.mark.parametrize("data", [b"", b"{}", os.urandom(100_000)], ids=range(3))
    async def test_a_small_object_too(self, data: bytes, store: Store) -> None:
        await store.put_bytes(MANIFEST, data)
        assert await read(store, MANIFEST) == data
        assert await scan(store) == {MANIFEST: len(data)}

    async def test_the_sources_end_is_not_the_objects(self, store: Store, source: Callable[[bytes], Path]) -> None:
        path = source(b"data")
        await put(store, KEY, path)
        path.unlink()
        assert await read(store, KEY) == b"data"

    async def test_the_same_again_changes_nothing(self, store: Store, source: Callable[[bytes], Path]) -> None:
        for _ in range(3):
            await put(store, KEY, source(b"data"))
            await store.put_bytes(MANIFEST, b"{}")
        await store.put_bytes(KEY, b"data")
        await put(store, MANIFEST, source(b"{}"))
        assert await scan(store) == {KEY: 4, MANIFEST: 2}

    @pytest.mark.parametrize("other", [b"atad", b"longer than that", b""])
    async def test_another_content_is_refused_and_what_is_there_stays(
        self, other: bytes, store: Store, source: Callable[[bytes], Path]
    ) -> None:
        await put(store, KEY, source(b"data"))
        for attempt in (put(store, KEY, source(other)), store.put_bytes(KEY, other)):
            with pytest.raises(ConflictError) as caught:
                await attempt
            assert caught.value.code == "destination_conflict"
            assert not caught.value.retryable
            assert caught.value.hint
        assert await read(store, KEY) == b"data"
        assert await scan(store) == {KEY: 4}

    async def test_many_at_once(self, store: Store, source: Callable[[bytes], Path]) -> None:
        keys = [f"acme/snapshot/2027/{month:02}/a-{number}.xlsx" for month in (1, 2) for number in range(10)]
        async with anyio.create_task_group() as group:
            for number, key in enumerate(keys):
                group.start_soon(put, store, key, source(f"data {number}".encode()))
        assert set(await scan(store)) == set(keys)

    async def test_one_key_by_many_at_once_with_one_content(
        self, store: Store, source: Callable[[bytes], Path]
    ) -> None:
        path = source(os.urandom(MIB))
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(put, store, KEY, path)
        assert await scan(store) == {KEY: MIB}

    async def test_one_key_by_many_at_once_with_many_contents_has_one_of_them(
        self, store: Store, source: Callable[[bytes], Path]
    ) -> None:
        refused = 0

        async def attempt(data: bytes) -> None:
            nonlocal refused
            try:
                await put(store, KEY, source(data))
            except ConflictError:
                refused += 1

        contents = [bytes([number]) * 1000 for number in range(5)]
        async with anyio.create_task_group() as group:
            for data in contents:
                group.start_soon(attempt, data)
        assert refused == 4
        assert await read(store, KEY) in contents

    async def test_while_another_in_the_same_place_is_deleted(
        self, store: Store, source: Callable[[bytes], Path]
    ) -> None:
        """A folder that is emptied just now may go; whoever puts something there must not stumble over that."""
        other = KEY.replace("deadbeef", "00000000")
        path = source(b"data")
        times = some(store, 40, of_a_server=4)

        async def come_and_go() -> None:
            for _ in range(times):
                await store.put_bytes(other, b"x")
                await remove(store, other)

        async def put_and_look() -> None:
            for number in range(times):
                key = KEY.replace("deadbeef", f"{number + 1:08}")
                await put(store, key, path)
                await remove(store, key)
                await store.put_bytes(key, b"{}")
                await remove(store, key)

        async with anyio.create_task_group() as group:
            group.start_soon(come_and_go)
            group.start_soon(put_and_look)
        assert await scan(store) == {}

    async def test_a_source_that_is_not_there_is_an_error_and_nothing_is_stored(
        self, store: Store, tmp_path: Path
    ) -> None:
        with pytest.raises(StoreError):
            await store.put_file(KEY, tmp_path / "nothing", sha256="0" * 64, size_bytes=5)
        assert await scan(store) == {}

    @pytest.mark.parametrize("size", [4 * MIB, 12 * MIB])
    async def test_a_file_that_is_not_what_was_hashed_is_found_out_and_nothing_is_stored(
        self, size: int, store: Store, source: Callable[[bytes], Path]
    ) -> None:
        if isinstance(store, LocalStore):
            pytest.skip("a hard link copies nothing; test_local.py looks where bytes are copied")
        path = source(os.urandom(size))
        for sha256, claimed in (("0" * 64, size), (hashlib.sha256(path.read_bytes()).hexdigest(), size + 1)):
            with pytest.raises(StoreError) as caught:
                await store.put_file(KEY, path, sha256=sha256, size_bytes=claimed)
            assert caught.value.code == "checksum_mismatch"
        assert await scan(store) == {}

    @pytest.mark.parametrize("already", [False, True])
    async def test_cancelled_it_is_whole_or_not_there(
        self, store: Store, source: Callable[[bytes], Path], *, already: bool
    ) -> None:
        data = os.urandom(9 * MIB)
        path = source(data)
        if already:
            await put(store, KEY, path)
        for after in (0, 0.001, 0.004, 0.01, 0.02):
            with anyio.move_on_after(after):
                await put(store, KEY, path)
            there = await scan(store)
            assert there in ({}, {KEY: len(data)})
            assert not already or there
            if there:
                assert await read(store, KEY) == data
            if not already:
                await remove(store, KEY)


class TestKeys:
    async def test_one_that_leads_out_or_looks_temporary_is_our_own_mistake(
        self, store: Store, source: Callable[[bytes], Path]
    ) -> None:
        for key in NO_KEYS:
            with pytest.raises(ValueError, match="not a key"):
                await put(store, key, source(b"x"))
            with pytest.raises(ValueError, match="not a key"):
                await store.put_bytes(key, b"x")
            with pytest.raises(ValueError, match="not a key"):
                await read(store, key)
            with pytest.raises(ValueError, match="not a key"):
                await store.delete([StoredObject(key, 0, NOW)])
            with pytest.raises(ValueError, match="not a key"):
                await store.tidy(key)
        assert await scan(store) == {}

    async def test_so_is_such_a_prefix(self, store: Store) -> None:
        for prefix in ("../", "/", "a/../", "..", "a//", ".a/", "a", "a/b"):
            with pytest.raises(ValueError, match="not a key"):
                await scan(store, prefix)


class TestScan:
    async def test_of_nothing(self, store: Store) -> None:
        assert await scan(store) == {}
        assert await scan(store, "acme/") == {}

    async def test_by_prefix(self, store: Store) -> None:
        keys = ["acme/snapshot/a", "acme/snapshot/b/c", "acme/archive/a", "acme-two/snapshot/a", "acme/snapshots/a"]
        for key in keys:
            await store.put_bytes(key, b"x")
        assert set(await scan(store)) == set(keys)
        assert set(await scan(store, "acme/")) == {keys[0], keys[1], keys[2], keys[4]}
        assert set(await scan(store, "acme/snapshot/")) == {keys[0], keys[1]}
        assert await scan(store, "acme/snapshot/b/c/") == {}
        assert await scan(store, "nobody/") == {}

    async def test_of_many(self, store: Store) -> None:
        keys = {
            f"acme/snapshot/2027/{number % 12 + 1:02}/a-{number}.xlsx"
            for number in range(some(store, 503, of_a_server=53))
        }
        for key in keys:
            await store.put_bytes(key, b"")
        assert set(await scan(store)) == keys

    async def test_while_things_come_and_go(self, store: Store) -> None:
        staying = some(store, 500, of_a_server=20)
        for number in range(staying):
            await store.put_bytes(f"stays/{number}", b"")
            if number % 20 == 0:
                await store.put_bytes(f"goes/{number}", b"")
        seen: set[str] = set()
        async for entry in store.scan():
            if not seen:
                for number in range(0, staying, 20):
                    await remove(store, f"goes/{number}")
            assert entry.key not in seen
            seen.add(entry.key)
        assert {f"stays/{number}" for number in range(staying)} <= seen

    async def test_given_up_half_way(self, store: Store) -> None:
        for number in range(10):
            await store.put_bytes(f"a/{number}", b"")
        async for _ in store.scan():
            break
        assert len(await scan(store)) == 10

    async def test_tells_since_when_each_lies_there(self, store: Store) -> None:
        before = datetime.now(UTC)
        await store.put_bytes(KEY, b"x")
        (found,) = [entry async for entry in store.scan()]
        slack = timedelta(seconds=2)  # some servers and file systems count whole seconds
        assert before - slack <= found.modified_at <= datetime.now(UTC) + slack
        assert found.modified_at.tzinfo is UTC
        assert found.older == ()


class TestRead:
    async def test_what_is_not_there(self, store: Store) -> None:
        await store.put_bytes(MANIFEST, b"{}")
        for key in NOT_THERE:
            with pytest.raises(NotStoredError) as caught:
                await read(store, key)
            assert (caught.value.code, caught.value.retryable) == ("not_stored", False)

    async def test_in_blocks(self, store: Store, source: Callable[[bytes], Path]) -> None:
        await put(store, KEY, source(os.urandom(20 * MIB)))
        sizes = [len(block) async for block in store.read(KEY)]
        assert sum(sizes) == 20 * MIB
        assert max(sizes) <= 8 * MIB

    async def test_given_up_half_way(self, store: Store, source: Callable[[bytes], Path]) -> None:
        await put(store, KEY, source(os.urandom(20 * MIB)))
        blocks = store.read(KEY)
        async for _ in blocks:
            break
        await blocks.aclose()  # type: ignore[attr-defined] # every store's is a generator


class TestDelete:
    async def test_what_is_there(self, store: Store) -> None:
        await store.put_bytes(KEY, b"x")
        await store.put_bytes(MANIFEST, b"{}")
        assert await remove(store, KEY) == ()
        assert await scan(store) == {MANIFEST: 2}
        with pytest.raises(NotStoredError):
            await read(store, KEY)
        await store.put_bytes(KEY, b"other content")
        assert await read(store, KEY) == b"other content"

    async def test_what_is_not_there_is_a_success(self, store: Store) -> None:
        await store.put_bytes(MANIFEST, b"{}")
        for _ in range(2):
            assert await store.delete([StoredObject(key, 0, NOW) for key in NOT_THERE]) == ()
        assert await scan(store) == {MANIFEST: 2}

    async def test_many_at_once(self, store: Store) -> None:
        keys = {f"acme/snapshot/2027/{number % 12 + 1:02}/a-{number}.xlsx" for number in range(30)}
        for key in keys:
            await store.put_bytes(key, b"x")
        await store.put_bytes(KEY, b"x")
        assert await store.delete([found async for found in store.scan() if found.key in keys]) == ()
        assert await scan(store) == {KEY: 1}

    async def test_nothing_at_all(self, store: Store) -> None:
        await store.put_bytes(KEY, b"x")
        assert await store.delete([]) == ()
        assert await scan(store) == {KEY: 1}


class TestTidy:
    async def test_what_lies_under_the_key_stays(self, store: Store) -> None:
        await store.put_bytes(KEY, b"x")
        await store.put_bytes(MANIFEST, b"{}")
        await store.tidy(KEY)
        assert await scan(store) == {KEY: 1, MANIFEST: 2}

    async def test_where_there_is_nothing(self, store: Store) -> None:
        await store.tidy(KEY)
        assert await store.tidy_all(before=NOW) == 0
        await store.put_bytes(KEY, b"x")
        assert await scan(store) == {KEY: 1}

    async def test_everything_at_once_touches_no_object(self, store: Store) -> None:
        await store.put_bytes(KEY, b"x")
        assert await store.tidy_all(before=datetime.now(UTC) + timedelta(days=1)) == 0
        assert await scan(store) == {KEY: 1}
