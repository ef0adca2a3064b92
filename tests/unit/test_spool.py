"""The spool: whole files or nothing, whatever ends the download."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from leanix_backup.errors import LeanixError, SpoolError
from leanix_backup.spool import Artifact, Room, Spool
from tests.support.small_volume import on_small_volume

MIB = 1024 * 1024
RUN = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "state" / "spool", max_size_bytes=64 * MIB)
    made.prepare()
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        await anyio.lowlevel.checkpoint()
        yield part


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestPrepare:
    def test_it_is_made_for_us_alone_and_what_exists_is_left_as_it_is(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        os.umask(before := os.umask(0))
        os.umask(0)
        try:
            Spool(tmp_path / "a" / "b", max_size_bytes=1).prepare()
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755

    def test_again_changes_nothing(self, spool: Spool, folder: Path) -> None:
        folder.chmod(0o750)
        (folder / "x").write_bytes(b"x")
        spool.prepare()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750
        assert contents(folder) == ["x"]

    def test_where_a_file_is_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        for path in (tmp_path / "file", tmp_path / "file" / "spool"):
            with pytest.raises(SpoolError) as caught:
                Spool(path, max_size_bytes=1).prepare()
            assert caught.value.code == "spool_unwritable"
            assert caught.value.hint


class TestReceive:
    @pytest.mark.parametrize(
        "parts",
        [
            [],
            [b""],
            [b"x"],
            [b"", b"ab", b"", b"c"],
            [bytes([number % 256]) * 65536 for number in range(100)],
            [os.urandom(MIB), os.urandom(1), os.urandom(MIB - 1)],
            [os.urandom(5 * MIB)],
            [bytes([number % 251]) * 9973 for number in range(777)],
        ],
        ids=range(8),
    )
    async def test_byte_for_byte(self, parts: list[bytes], spool: Spool, folder: Path) -> None:
        artifact = await spool.receive(RUN, chunks(*parts))
        whole = b"".join(parts)
        assert artifact == Artifact(folder / f"{RUN}.xlsx", len(whole), hashlib.sha256(whole).hexdigest())
        assert artifact.path == spool.path_of(RUN)
        assert artifact.path.read_bytes() == whole
        assert contents(folder) == [f"{RUN}.xlsx"]

    async def test_for_us_alone(self, spool: Spool) -> None:
        before = os.umask(0)
        try:
            artifact = await spool.receive(RUN, chunks(b"x"))
        finally:
            os.umask(before)
        assert stat.S_IMODE(artifact.path.stat().st_mode) == 0o600

    async def test_tells_how_far_it_is(self, spool: Spool) -> None:
        told: list[int] = []
        await spool.receive(RUN, chunks(*[b"x" * 100_000] * 50), received=told.append)
        assert told == sorted(told)
        assert told[-1] == 5_000_000
        assert len(told) >= 4

    async def test_while_it_comes_it_has_another_name(self, spool: Spool, folder: Path) -> None:
        seen: list[list[str]] = []

        async def looking() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"x" * MIB
                seen.append(contents(folder))

        await spool.receive(RUN, looking())
        assert seen == [[f"{RUN}.partial"]] * 3

    async def test_memory_does_not_grow_with_the_file(self, tmp_path: Path) -> None:
        big = Spool(tmp_path, max_size_bytes=1024 * MIB)

        async def many() -> AsyncIterator[bytes]:
            for _ in range(1600):
                yield b"x" * 65536 + os.urandom(1)

        tracemalloc.start()
        try:
            artifact = await big.receive(RUN, many())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert artifact.size_bytes == 1600 * 65537
        assert peak < 12 * MIB

    async def test_side_by_side(self, spool: Spool, folder: Path) -> None:
        made: dict[str, Artifact] = {}

        async def one(name: str) -> None:
            made[name] = await spool.receive(name, chunks(*[name.encode() * 50_000] * 20))

        async with anyio.create_task_group() as group:
            for name in ("a", "b", "c"):
                group.start_soon(one, name)
        for name, artifact in made.items():
            assert artifact.path.read_bytes() == name.encode() * 1_000_000
        assert contents(folder) == ["a.xlsx", "b.xlsx", "c.xlsx"]

    async def test_what_a_killed_run_left_is_overwritten(self, spool: Spool, folder: Path) -> None:
        (folder / f"{RUN}.partial").write_bytes(b"old" * 1000)
        artifact = await spool.receive(RUN, chunks(b"new"))
        assert artifact.path.read_bytes() == b"new"
        assert contents(folder) == [f"{RUN}.xlsx"]

    async def test_a_link_in_its_place_is_not_followed(self, spool: Spool, folder: Path, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious")
        (folder / f"{RUN}.partial").symlink_to(victim)
        await spool.receive(RUN, chunks(b"new"))
        assert victim.read_bytes() == b"precious"


class TestNothingIsLeft:
    @pytest.mark.parametrize("after", [0, 1, 100, 40 * 65536])
    @pytest.mark.parametrize("error", [LeanixError("broke off"), ZeroDivisionError(), OSError(5, "I/O error")])
    async def test_after_an_error_of_the_download(
        self, error: Exception, after: int, spool: Spool, folder: Path
    ) -> None:
        async def breaking() -> AsyncIterator[bytes]:
            for start in range(0, after, 65536):
                yield b"x" * min(65536, after - start)
            raise error

        with pytest.raises(SpoolError if isinstance(error, OSError) else type(error)):
            await spool.receive(RUN, breaking())
        assert contents(folder) == []

    @pytest.mark.parametrize("after", [0, 3, 40])
    async def test_after_a_cancellation(self, after: int, spool: Spool, folder: Path) -> None:
        async def hanging() -> AsyncIterator[bytes]:
            for _ in range(after):
                yield b"x" * 65536
            scope.cancel()
            await anyio.sleep_forever()
            yield b""

        with anyio.CancelScope() as scope:
            await spool.receive(RUN, hanging())
        assert scope.cancelled_caught
        assert contents(folder) == []

    async def test_after_more_than_may_be_there(self, tmp_path: Path) -> None:
        small = Spool(tmp_path, max_size_bytes=3 * MIB)
        (tmp_path / "other.xlsx").write_bytes(b"x" * MIB)
        with pytest.raises(SpoolError) as caught:
            await small.receive(RUN, chunks(*[b"x" * 65536] * 33))
        assert caught.value.code == "spool_full"
        assert contents(tmp_path) == ["other.xlsx"]
        assert (await small.receive(RUN, chunks(*[b"x" * 65536] * 32))).size_bytes == 2 * MIB

    async def test_what_a_killed_run_of_this_id_left_takes_no_room(self, tmp_path: Path) -> None:
        small = Spool(tmp_path, max_size_bytes=2 * MIB)
        (tmp_path / f"{RUN}.partial").write_bytes(b"x" * 2 * MIB)
        assert (await small.receive(RUN, chunks(b"x" * MIB))).size_bytes == MIB

    async def test_where_the_folder_is_gone(self, spool: Spool, folder: Path) -> None:
        await anyio.Path(folder).rmdir()
        with pytest.raises(SpoolError) as caught:
            await spool.receive(RUN, chunks(b"x"))
        assert caught.value.code == "spool_unwritable"

    def test_on_a_volume_that_becomes_read_only(self, tmp_path: Path) -> None:
        volume = tmp_path / "volume"
        volume.mkdir()
        found = on_small_volume(
            volume,
            """
import asyncio, json, os, subprocess, sys
from pathlib import Path
from leanix_backup.errors import SpoolError
from leanix_backup.spool import Spool

folder = Path(sys.argv[1])
spool = Spool(folder, max_size_bytes=2**40)
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
codes = []

async def little():
    yield b"PK"

try:
    spool.room()
except SpoolError as error:
    codes.append(error.code)
try:
    asyncio.run(spool.receive("r1", little()))
except SpoolError as error:
    codes.append(error.code)
print(json.dumps({"codes": codes}))
""",
        )
        assert found["codes"] == ["spool_unwritable"] * 2

    def test_on_a_volume_that_is_full(self, tmp_path: Path) -> None:
        volume = tmp_path / "volume"
        volume.mkdir()
        found = on_small_volume(
            volume,
            """
import asyncio, json, os, sys
from pathlib import Path
from leanix_backup.errors import SpoolError
from leanix_backup.spool import Spool

folder = Path(sys.argv[1])
spool = Spool(folder, max_size_bytes=2**40)

async def many(count):
    for _ in range(count):
        yield os.urandom(65536)

async def main():
    try:
        await spool.receive("r1", many(1000))
    except SpoolError as error:
        first = {"code": error.code, "hint": error.hint, "retryable": error.retryable}
    left = os.listdir(folder)
    fits = (await spool.receive("r2", many(32))).size_bytes
    print(json.dumps({"first": first, "left": left, "fits": fits, "holds": spool.room().holds(100)}))

asyncio.run(main())
""",
        )
        assert found["first"]["code"] == "spool_full"
        assert found["first"]["hint"]
        assert found["left"] == []
        assert found["fits"] == 32 * 65536
        assert found["holds"] is False


class TestRoom:
    def test_counts_what_lies_there(self, spool: Spool, folder: Path) -> None:
        (folder / "a.xlsx").write_bytes(b"x" * 100)
        (folder / "b.partial").write_bytes(b"x" * 50)
        room = spool.room()
        assert (room.used_bytes, room.max_size_bytes) == (150, 64 * MIB)
        assert room.volume_free_bytes > 0

    def test_where_the_folder_is_gone(self, spool: Spool, folder: Path) -> None:
        folder.rmdir()
        with pytest.raises(SpoolError):
            spool.room()

    def test_a_file_that_goes_while_it_is_counted_is_no_error(self, spool: Spool, folder: Path) -> None:
        """Runs side by side drop theirs at any time."""
        (folder / "stays.xlsx").write_bytes(b"x")
        stop = threading.Event()

        def come_and_go() -> None:
            while not stop.is_set():
                for number in range(20):
                    (folder / f"{number}.xlsx").touch()
                for number in range(20):
                    (folder / f"{number}.xlsx").unlink()

        thread = threading.Thread(target=come_and_go)
        thread.start()
        try:
            used = {spool.room().used_bytes for _ in range(500)}
        finally:
            stop.set()
            thread.join()
        assert used == {1}

    @pytest.mark.parametrize(
        ("free", "used", "needed", "holds"),
        [
            (100 * MIB, 0, 0, True),
            (15 * MIB, 0, 0, False),  # a little is always needed, though the last one took nothing
            (100 * MIB, 0, 64 * MIB, True),
            (100 * MIB, 1, 64 * MIB, False),
            (100 * MIB, 0, 101 * MIB, False),
            (60 * MIB, 0, 61 * MIB, False),
            (100 * MIB, 64 * MIB, 0, False),
        ],
    )
    def test_holds(self, free: int, used: int, needed: int, *, holds: bool) -> None:
        assert Room(volume_free_bytes=free, used_bytes=used, max_size_bytes=64 * MIB).holds(needed) == holds


class TestAfterwards:
    async def test_what_a_killed_download_left_goes_and_the_artifact_stays(self, spool: Spool, folder: Path) -> None:
        await spool.receive(RUN, chunks(b"whole"))
        (folder / f"{RUN}.partial").write_bytes(b"half")
        spool.drop_partial(RUN)
        spool.drop_partial(RUN)
        assert contents(folder) == [f"{RUN}.xlsx"]

    async def test_dropped(self, spool: Spool, folder: Path) -> None:
        artifact = await spool.receive(RUN, chunks(b"x"))
        spool.drop(artifact)
        spool.drop(artifact)
        assert contents(folder) == []

    async def test_rejected_the_newest_of_each_job_is_kept(self, spool: Spool, folder: Path, tmp_path: Path) -> None:
        rejected = tmp_path / "rejected"
        for number, content in enumerate([b"first", b"second"]):
            artifact = await spool.receive(f"r{number}", chunks(content))
            assert await spool.keep_rejected(artifact, rejected, "nightly") == rejected / "nightly.xlsx"
        other = await spool.receive("r9", chunks(b"other"))
        await spool.keep_rejected(other, rejected, "weekly")
        assert contents(folder) == []
        assert contents(rejected) == ["nightly.xlsx", "weekly.xlsx"]
        assert (rejected / "nightly.xlsx").read_bytes() == b"second"
        assert stat.S_IMODE((rejected / "nightly.xlsx").stat().st_mode) == 0o600
        assert stat.S_IMODE(rejected.stat().st_mode) == 0o700

    async def test_rejected_and_not_to_be_moved_stays(self, spool: Spool, tmp_path: Path) -> None:
        (tmp_path / "rejected").write_bytes(b"a file is in the way")
        artifact = await spool.receive(RUN, chunks(b"x"))
        assert await spool.keep_rejected(artifact, tmp_path / "rejected", "nightly") == artifact.path
        assert artifact.path.read_bytes() == b"x", "it may be the only copy"

    def test_rejected_onto_a_volume_that_is_full_the_earlier_one_stays(self, tmp_path: Path) -> None:
        volume = tmp_path / "volume"
        volume.mkdir()
        (tmp_path / "spool").mkdir()
        found = on_small_volume(
            volume,
            f"""
import asyncio, json, os, sys
from pathlib import Path
from leanix_backup.spool import Spool

folder = Path(sys.argv[1])
spool = Spool(Path({str(tmp_path / "spool")!r}), max_size_bytes=2**40)

async def many(count):
    for _ in range(count):
        yield b"x" * 65536

async def main():
    first = await spool.keep_rejected(await spool.receive("r1", many(20)), folder, "nightly")
    second = await spool.keep_rejected(await spool.receive("r2", many(200)), folder, "nightly")
    print(json.dumps({{
        "kept": [str(first), str(second)],
        "there": {{path.name: path.stat().st_size for path in folder.iterdir()}},
        "spool": os.listdir({str(tmp_path / "spool")!r}),
    }}))

asyncio.run(main())
""",
        )
        assert found["kept"] == [str(volume / "nightly.xlsx"), str(tmp_path / "spool" / "r2.xlsx")]
        assert found["there"] == {"nightly.xlsx": 20 * 65536}
        assert found["spool"] == ["r2.xlsx"], "the only copy stays where it is"
