"""What a folder does besides the contract, and what it proves where bytes are copied."""

# ruff: noqa: ASYNC240 -- a test looks at the disk between two steps; nobody else waits for this event loop

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from leanix_backup.errors import ConflictError, NotStoredError, StoreError
from leanix_backup.stores import LocalStore, StoredObject
from tests.contract.support import KEY, MANIFEST, MIB, OTHER_VOLUME, put, read, remove, scan
from tests.support.small_volume import on_small_volume


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

    async def test_what_killed_puts_of_backups_left_long_ago_is_cleared(self, disk: LocalStore, root: Path) -> None:
        await disk.put_bytes(KEY, b"x")
        folder, name = (root / KEY).parent, (root / KEY).name
        ours = [folder / f".{name}.0badcafe.partial", folder / f".{Path(MANIFEST).name}.0badcafe.partial"]
        others = [folder / ".notes.0badcafe.partial", root / f".{name}.0badcafe.partial", folder / f".{name}.partial"]
        for path in (*ours, *others):
            path.write_bytes(b"half")
        assert await disk.tidy_all(before=datetime.now(UTC) - timedelta(days=1)) == 0
        assert await disk.tidy_all(before=datetime.now(UTC) + timedelta(days=1)) == len(ours)
        assert [path.exists() for path in ours] == [False, False]
        assert all(path.exists() for path in others)
        assert await read(disk, KEY) == b"x"

    async def test_it_locks_nothing(self, disk: LocalStore, source: Callable[[bytes], Path]) -> None:
        until = datetime.now(UTC) + timedelta(days=1)
        with pytest.raises(ValueError, match="can't lock"):
            await disk.put_bytes(KEY, b"x", retain_until=until)
        with pytest.raises(ValueError, match="can't lock"):
            await disk.put_file(KEY, source(b"x"), sha256="", size_bytes=1, retain_until=until)

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
        assert await disk.delete([StoredObject(KEY, 1, datetime.now(UTC))]) == ()
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
        await remove(disk, KEY)
        assert sorted(path.name for path in (root / "acme").iterdir()) == ["archive"]
        await remove(disk, "acme/archive/2027/03/a.xlsx")
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
from leanix_backup.stores import LocalStore, StoredObject

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
from leanix_backup.stores import LocalStore, StoredObject

root = Path(sys.argv[1])
store = LocalStore("disk", root)

async def main():
    await store.put_bytes({KEY!r}, b"x")
    subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
    errors = []
    for attempt in (store.put_bytes("new/one", b"x"), store.put_bytes({MANIFEST!r}, b"x")):
        try:
            await attempt
        except StoreError as error:
            errors.append([error.code, error.retryable])
    (stays,) = await store.delete([entry async for entry in store.scan()])
    errors.append([stays.error.code, stays.error.retryable])
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
