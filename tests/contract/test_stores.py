"""What `stores/base.py` says of every store, held against each of them.

`STORES` has an entry for each kind; another one joins with a way to open it. What a test needs beyond the contract
(does it stand on a disk?) has a class of its own below.
"""

# ruff: noqa: ASYNC240 -- a test looks at the disk between two steps; nobody else waits for this event loop

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from leanix_backup.errors import ConflictError, NotStoredError, StoreError
from leanix_backup.stores import LocalStore, Store
from tests.support.memory_store import MemoryStore
from tests.support.small_volume import on_small_volume

MIB = 1024 * 1024
KEY = "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.xlsx"
MANIFEST = KEY.replace(".xlsx", ".manifest.json")
OTHER_VOLUME = Path("/dev/shm")  # a memory file system where this is Linux: never the one of /tmp


@asynccontextmanager
async def memory(_folder: Path) -> AsyncIterator[Store]:
    yield MemoryStore("m")


@asynccontextmanager
async def local(folder: Path) -> AsyncIterator[Store]:
    """On the file system where the sources lie: nothing is copied."""
    root = folder / "destination"
    root.mkdir()
    yield LocalStore("disk", root)


@asynccontextmanager
async def local_elsewhere(_folder: Path) -> AsyncIterator[Store]:
    """On another file system: everything is copied."""
    if not OTHER_VOLUME.is_dir():
        pytest.skip("no second file system here")
    async with anyio.TemporaryDirectory(dir=str(OTHER_VOLUME)) as root:
        yield LocalStore("disk", Path(root))


STORES: dict[str, Callable[[Path], AbstractAsyncContextManager[Store]]] = {
    "memory": memory,
    "local": local,
    "local on another file system": local_elsewhere,
}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with STORES[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def source(tmp_path: Path) -> Callable[[bytes], Path]:
    """Make a file, as the spool would."""

    def make(data: bytes) -> Path:
        path = tmp_path / f"{hashlib.sha256(data).hexdigest()[:8]}.xlsx"
        path.write_bytes(data)
        path.chmod(0o600)
        return path

    return make


async def put(store: Store, key: str, path: Path) -> None:
    data = path.read_bytes()
    await store.put_file(key, path, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


async def read(store: Store, key: str) -> bytes:
    return b"".join([block async for block in store.read(key)])


async def scan(store: Store, prefix: str = "") -> dict[str, int]:
    found = [entry async for entry in store.scan(prefix)]
    assert len({entry.key for entry in found}) == len(found)
    return {entry.key: entry.size_bytes for entry in found}


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

        async def come_and_go() -> None:
            for _ in range(40):
                await store.put_bytes(other, b"x")
                await store.delete(other)

        async def put_and_look() -> None:
            for number in range(40):
                key = KEY.replace("deadbeef", f"{number + 1:08}")
                await put(store, key, path)
                await store.delete(key)
                await store.put_bytes(key, b"{}")
                await store.delete(key)

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
                await store.delete(KEY)


class TestKeys:
    @pytest.mark.parametrize(
        "key",
        [
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
        ],
    )
    async def test_one_that_leads_out_or_looks_temporary_is_our_own_mistake(
        self, key: str, store: Store, source: Callable[[bytes], Path]
    ) -> None:
        with pytest.raises(ValueError, match="not a key"):
            await put(store, key, source(b"x"))
        with pytest.raises(ValueError, match="not a key"):
            await store.put_bytes(key, b"x")
        with pytest.raises(ValueError, match="not a key"):
            await read(store, key)
        with pytest.raises(ValueError, match="not a key"):
            await store.delete(key)
        assert await scan(store) == {}

    @pytest.mark.parametrize("prefix", ["../", "/", "a/../", "..", "a//", ".a/", "a", "a/b"])
    async def test_so_is_such_a_prefix(self, prefix: str, store: Store) -> None:
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
        keys = {f"acme/snapshot/2027/{number % 12 + 1:02}/a-{number}.xlsx" for number in range(503)}
        for key in keys:
            await store.put_bytes(key, b"")
        assert set(await scan(store)) == keys

    async def test_while_things_come_and_go(self, store: Store) -> None:
        for number in range(500):
            await store.put_bytes(f"stays/{number}", b"")
            if number % 20 == 0:
                await store.put_bytes(f"goes/{number}", b"")
        seen: set[str] = set()
        async for entry in store.scan():
            if not seen:
                for number in range(0, 500, 20):
                    await store.delete(f"goes/{number}")
            assert entry.key not in seen
            seen.add(entry.key)
        assert {f"stays/{number}" for number in range(500)} <= seen

    async def test_given_up_half_way(self, store: Store) -> None:
        for number in range(10):
            await store.put_bytes(f"a/{number}", b"")
        async for _ in store.scan():
            break
        assert len(await scan(store)) == 10


class TestRead:
    @pytest.mark.parametrize("key", [KEY, "acme", "acme/snapshot", f"{MANIFEST}/x"])
    async def test_what_is_not_there(self, key: str, store: Store) -> None:
        await store.put_bytes(MANIFEST, b"{}")
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
        await store.delete(KEY)
        assert await scan(store) == {MANIFEST: 2}
        with pytest.raises(NotStoredError):
            await read(store, KEY)
        await store.put_bytes(KEY, b"other content")
        assert await read(store, KEY) == b"other content"

    @pytest.mark.parametrize("key", [KEY, "acme", "acme/snapshot", f"{MANIFEST}/x"])
    async def test_what_is_not_there_is_a_success(self, key: str, store: Store) -> None:
        await store.put_bytes(MANIFEST, b"{}")
        await store.delete(key)
        await store.delete(key)
        assert await scan(store) == {MANIFEST: 2}


class TestTidy:
    async def test_what_lies_under_the_key_stays(self, store: Store) -> None:
        await store.put_bytes(KEY, b"x")
        await store.put_bytes(MANIFEST, b"{}")
        await store.tidy(KEY)
        assert await scan(store) == {KEY: 1, MANIFEST: 2}

    async def test_where_there_is_nothing(self, store: Store) -> None:
        await store.tidy(KEY)
        await store.put_bytes(KEY, b"x")
        assert await scan(store) == {KEY: 1}


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())


class TestCopied:
    """Where bytes are copied they are hashed again on the way."""

    @pytest.fixture
    def root(self) -> Iterator[Path]:
        if not OTHER_VOLUME.is_dir():
            pytest.skip("no second file system here")
        root = OTHER_VOLUME / f"leanix-backup-test-{os.getpid()}-{os.urandom(4).hex()}"
        root.mkdir()
        yield root
        for path in sorted(root.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        root.rmdir()

    async def test_a_difference_is_found_and_nothing_is_stored(
        self, root: Path, source: Callable[[bytes], Path]
    ) -> None:
        store, path = LocalStore("disk", root), source(b"x" * 5 * MIB)
        wrong = hashlib.sha256(b"what was verified").hexdigest()
        with pytest.raises(StoreError) as caught:
            await store.put_file(KEY, path, sha256=wrong, size_bytes=5 * MIB)
        assert caught.value.code == "checksum_mismatch"
        assert "nothing was stored" in caught.value.hint
        assert files(root) == []

    async def test_a_cancellation_in_the_middle_leaves_nothing(
        self, root: Path, source: Callable[[bytes], Path]
    ) -> None:
        store, path = LocalStore("disk", root), source(os.urandom(64 * MIB))
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(put, store, KEY, path)
                with anyio.fail_after(10):
                    while not files(root):
                        await anyio.lowlevel.checkpoint()
                scope.cancel()
        assert scope.cancelled_caught
        assert files(root) == []

    async def test_new_files_and_folders_are_for_us_alone(self, root: Path, source: Callable[[bytes], Path]) -> None:
        before = os.umask(0)
        try:
            await put(LocalStore("disk", root), KEY, source(b"x"))
        finally:
            os.umask(before)
        assert stat.S_IMODE((root / KEY).stat().st_mode) == 0o600
        assert {stat.S_IMODE(path.stat().st_mode) for path in (root / KEY).parents if root in path.parents} == {0o700}


class TestLocal:
    """What a folder does besides the contract."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path / "destination"

    @pytest.fixture
    def disk(self, root: Path) -> LocalStore:
        return LocalStore("disk", root)

    async def test_on_the_same_file_system_no_byte_is_copied(
        self, disk: LocalStore, root: Path, source: Callable[[bytes], Path]
    ) -> None:
        path = source(b"data")
        await put(disk, KEY, path)
        assert (root / KEY).stat().st_ino == path.stat().st_ino
        path.unlink()
        assert (root / KEY).stat().st_nlink == 1

    async def test_nothing_else_lies_beside_it(
        self, disk: LocalStore, root: Path, source: Callable[[bytes], Path]
    ) -> None:
        await put(disk, KEY, source(b"data"))
        await disk.put_bytes(MANIFEST, b"{}")
        with pytest.raises(ConflictError):
            await disk.put_bytes(MANIFEST, b"[]")
        assert files(root) == sorted([KEY, MANIFEST])
        assert (root / MANIFEST).stat().st_nlink == 1

    async def test_modes(self, disk: LocalStore, root: Path, source: Callable[[bytes], Path]) -> None:
        before = os.umask(0)
        try:
            await put(disk, KEY, source(b"data"))
            await disk.put_bytes(MANIFEST, b"{}")
        finally:
            os.umask(before)
        assert {stat.S_IMODE((root / key).stat().st_mode) for key in (KEY, MANIFEST)} == {0o600}
        folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
        assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}

    async def test_what_exists_is_never_chmodded(
        self, disk: LocalStore, root: Path, source: Callable[[bytes], Path]
    ) -> None:
        (root / "acme").mkdir(parents=True)
        for folder in (root, root / "acme"):
            folder.chmod(0o2775)
        await put(disk, KEY, source(b"data"))
        assert {stat.S_IMODE(folder.stat().st_mode) for folder in (root, root / "acme")} == {0o2775}

    async def test_what_a_crash_left_is_never_seen_and_in_nobodys_way(
        self, disk: LocalStore, root: Path, source: Callable[[bytes], Path]
    ) -> None:
        folder = (root / KEY).parent
        folder.mkdir(parents=True)
        (folder / f".{Path(KEY).name}.1a2b3c4d.partial").write_bytes(b"half")
        (root / ".Trash").mkdir()
        (root / ".Trash" / "x.xlsx").write_bytes(b"x")
        assert await scan(disk) == {}
        await put(disk, KEY, source(b"data"))
        assert await scan(disk) == {KEY: 4}

    async def test_tidied_only_that_is_gone_which_a_killed_put_of_this_key_left(
        self, disk: LocalStore, root: Path
    ) -> None:
        await disk.put_bytes(KEY, b"x")
        folder, name = (root / KEY).parent, (root / KEY).name
        left = [folder / f".{name}.{number}.partial" for number in ("0badcafe", "deadbeef")]
        others = [folder / f".{Path(MANIFEST).name}.0badcafe.partial", folder / ".hidden", folder / "notes.partial"]
        for path in (*left, *others):
            path.write_bytes(b"half")
        await disk.tidy(KEY)
        assert not [path for path in left if path.exists()]
        assert all(path.exists() for path in others)
        assert await read(disk, KEY) == b"x"

    async def test_what_can_be_no_key_is_not_looked_into(self, disk: LocalStore, root: Path) -> None:
        """At the top of a volume lies lost+found, which only root may open."""
        await disk.put_bytes(KEY, b"x")
        for name in ("lost+found", "System Volume Information", "Übriges", "#recycle"):
            (root / name).mkdir()
            (root / name / "x.xlsx").write_bytes(b"x")
            (root / name).chmod(0)
        (root / "a file.xlsx").write_bytes(b"x")
        os.mkfifo(root / "fifo")
        try:
            assert await scan(disk) == {KEY: 1}
        finally:
            for path in root.iterdir():
                path.chmod(0o700)

    async def test_before_the_first_backup_or_without_its_volume(self, disk: LocalStore, root: Path) -> None:
        with pytest.raises(StoreError) as caught:
            await scan(disk)
        assert caught.value.code == "destination_missing"
        assert str(root) in caught.value.message
        with pytest.raises(NotStoredError):
            await read(disk, KEY)
        await disk.delete(KEY)
        assert not root.exists()

    @pytest.mark.parametrize("above", ["", "acme", "acme/snapshot/2027/03"])
    async def test_where_a_file_is_in_the_way(
        self, above: str, disk: LocalStore, root: Path, source: Callable[[bytes], Path]
    ) -> None:
        blocked = root / above
        blocked.parent.mkdir(parents=True, exist_ok=True)
        blocked.write_bytes(b"a file")
        for attempt in (put(disk, KEY, source(b"x")), disk.put_bytes(KEY, b"x")):
            with pytest.raises(StoreError) as caught:
                await attempt
            assert caught.value.code == "destination_invalid"
            assert not caught.value.retryable
        assert blocked.read_bytes() == b"a file"

    async def test_where_something_that_is_no_file_has_the_name(
        self, disk: LocalStore, root: Path, source: Callable[[bytes], Path]
    ) -> None:
        (root / KEY).mkdir(parents=True)
        (root / MANIFEST).symlink_to(root / "nowhere")
        for key in (KEY, MANIFEST):
            for attempt in (put(disk, key, source(b"x")), disk.put_bytes(key, b"x")):
                with pytest.raises(StoreError):
                    await attempt
        assert files(root) == [MANIFEST]
        assert not (root / "nowhere").exists()

    async def test_deleting_takes_empty_folders_along_and_never_its_own(self, disk: LocalStore, root: Path) -> None:
        await disk.put_bytes(KEY, b"x")
        await disk.put_bytes("acme/archive/2027/03/a.xlsx", b"x")
        await disk.delete(KEY)
        assert sorted(path.name for path in (root / "acme").iterdir()) == ["archive"]
        await disk.delete("acme/archive/2027/03/a.xlsx")
        assert root.is_dir()
        assert list(root.iterdir()) == []

    def test_on_a_volume_that_is_full(self, tmp_path: Path) -> None:
        volume = tmp_path / "volume"
        volume.mkdir()
        found = on_small_volume(
            volume,
            f"""
import asyncio, hashlib, json, sys
from pathlib import Path
from leanix_backup.errors import StoreError
from leanix_backup.stores import LocalStore

root = Path(sys.argv[1])
store = LocalStore("disk", root)
big = Path({str(tmp_path / "big.xlsx")!r})
big.write_bytes(b"x" * 9 * 1024 * 1024)

async def main():
    digest, errors = hashlib.sha256(big.read_bytes()).hexdigest(), []
    for attempt in (
        store.put_file({KEY!r}, big, sha256=digest, size_bytes=big.stat().st_size),
        store.put_bytes({MANIFEST!r}, b"x" * 9 * 1024 * 1024),
    ):
        try:
            await attempt
        except StoreError as error:
            errors.append([error.code, error.retryable])
    there = [str(path) for path in root.rglob("*") if path.is_file()]
    await store.put_bytes({MANIFEST!r}, b"fits")
    print(json.dumps({{"errors": errors, "there": there}}))

asyncio.run(main())
""",
        )
        assert found == {"errors": [["destination_full", True]] * 2, "there": []}

    def test_on_a_volume_that_is_mounted_read_only(self, tmp_path: Path) -> None:
        volume = tmp_path / "volume"
        volume.mkdir()
        found = on_small_volume(
            volume,
            f"""
import asyncio, json, subprocess, sys
from pathlib import Path
from leanix_backup.errors import StoreError
from leanix_backup.stores import LocalStore

root = Path(sys.argv[1])
store = LocalStore("disk", root)

async def main():
    await store.put_bytes({KEY!r}, b"x")
    subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
    errors = []
    for attempt in (store.put_bytes("new/one", b"x"), store.put_bytes({MANIFEST!r}, b"x"), store.delete({KEY!r})):
        try:
            await attempt
        except StoreError as error:
            errors.append([error.code, error.retryable])
    there = [entry.key async for entry in store.scan()]
    print(json.dumps({{"errors": errors, "there": there}}))

asyncio.run(main())
""",
        )
        assert found == {"errors": [["destination_denied", False]] * 3, "there": [KEY]}

    @pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root may write everywhere")
    async def test_in_a_folder_of_somebody_else(self, disk: LocalStore, root: Path) -> None:
        root.mkdir()
        root.chmod(0o500)
        try:
            with pytest.raises(StoreError) as caught:
                await disk.put_bytes(KEY, b"x")
        finally:
            root.chmod(0o700)
        assert caught.value.code == "destination_denied"

    @pytest.mark.parametrize(
        ("number", "code"),
        [
            (errno.ENOSPC, "destination_full"),
            (errno.EDQUOT, "destination_full"),
            (errno.EROFS, "destination_denied"),
            (errno.EACCES, "destination_denied"),
            (errno.EIO, "destination_error"),
            (errno.ESTALE, "destination_error"),
        ],
    )
    async def test_what_the_system_says_is_translated(
        self, number: int, code: str, root: Path, source: Callable[[bytes], Path]
    ) -> None:
        """A folder whose flush fails stands for any fault: the error is the system's own, with its number."""

        class Faulty(Path().__class__):  # type: ignore[misc] # the platform's own kind of path
            def is_dir(self) -> bool:
                raise OSError(number, os.strerror(number))

        with pytest.raises(StoreError) as caught:
            await put(LocalStore("disk", Faulty(root)), KEY, source(b"x"))
        assert caught.value.code == code
        assert os.strerror(number) in caught.value.message
        assert caught.value.hint
