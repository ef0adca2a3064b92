"""Reading back: a good copy is found good, and each way of being bad has its own code; nothing is left behind."""

# ruff: noqa: ASYNC240 -- a test looks at the disk between two steps; nobody else waits for this event loop

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from rich.console import Console

from leanix_backup.catalog import read_catalog
from leanix_backup.cli.bars import bars
from leanix_backup.errors import BackupError, StoreError, UsageError
from leanix_backup.events import Event, Log
from leanix_backup.model import ExportType
from leanix_backup.reading import (
    Checked,
    Copy,
    check,
    check_all,
    check_newest,
    copies_of,
    landing,
    newest_of,
    require_free,
    target_in,
    unnamed_file,
)
from leanix_backup.stores import LocalStore
from leanix_backup.workbook import Limits
from tests.support import samples
from tests.support.backups import Made, made, workbook
from tests.support.fake_time import FakeTime
from tests.support.log_lines import captured_log
from tests.support.memory_store import MemoryStore
from tests.support.small_volume import on_small_volume
from tests.unit.workbook import building

LIMITS = Limits()
GOOD = made()


async def held(*kept: Made, name: str = "disk", versioned: bool = False) -> MemoryStore:
    """Make a destination that holds these."""
    store = MemoryStore(name, versioned=versioned)
    for each in kept:
        await store.put_bytes(each.key.artifact, each.data)
        await store.put_bytes(each.key.manifest, each.manifest_bytes)
    return store


async def checked(*stores: MemoryStore, limits: Limits = LIMITS) -> list[Checked]:
    """Read everything back."""
    copies = copies_of(await read_catalog(stores), stores)
    return await check_all(copies, limits=limits, clock=FakeTime().clock)


async def code_of(made_up: Made, *, limits: Limits = LIMITS) -> str:
    """Read a bad one back and say what is told of it; it must have a hint."""
    (result,) = await checked(await held(made_up), limits=limits)
    assert result.error is not None
    assert not result.ok
    assert not result.unread
    assert result.manifest is None
    assert result.error.hint
    return result.error.code


class TestOneCopy:
    @pytest.mark.parametrize("export", ExportType)
    async def test_a_good_one(self, export: ExportType) -> None:
        kept = made(export=export)
        (result,) = await checked(await held(kept))
        assert result.ok, result.error
        assert result.manifest == kept.manifest
        assert (result.destination, result.key) == ("disk", kept.key.artifact)

    async def test_one_of_several_blocks(self) -> None:
        data = workbook("acme", 20_000)
        assert len(data) > 3 * 2**20
        kept = made(data=data).with_manifest(lambda said: said["content"]["sheets"][0].update(rows=20_000))
        kept = kept.with_manifest(lambda said: said["content"]["fact_sheets"].update(Application=20_000))
        store, told = await held(kept), list[tuple[int, int]]()
        result = await check(
            Copy(store, kept.key), limits=LIMITS, clock=FakeTime().clock, progress=lambda *said: told.append(said)
        )
        assert result.ok, result.error
        assert {of for _, of in told} == {2 * len(data)}
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        assert told[-1][0] == 2 * len(data)

    @pytest.mark.parametrize("at", [0, 31, len(GOOD.data) // 2, len(GOOD.data) - 1])
    async def test_an_altered_byte(self, at: int) -> None:
        data = bytearray(GOOD.data)
        data[at] ^= 1
        assert await code_of(Made(GOOD.key, bytes(data), GOOD.manifest)) == "backup_altered"

    @pytest.mark.parametrize("size", [0, 1, len(GOOD.data) // 2, len(GOOD.data) - 1])
    async def test_cut_off(self, size: int) -> None:
        assert await code_of(Made(GOOD.key, GOOD.data[:size], GOOD.manifest)) == "backup_truncated"

    async def test_longer_than_it_was(self) -> None:
        assert await code_of(Made(GOOD.key, GOOD.data + b"\0", GOOD.manifest)) == "backup_altered"

    async def test_another_whole_workbook_in_its_place(self) -> None:
        other = made("feedfeed")
        assert len(other.data) == len(GOOD.data)
        assert await code_of(Made(GOOD.key, other.data, GOOD.manifest)) == "backup_altered"

    @pytest.mark.parametrize(
        "change",
        [
            lambda said: said.update(run_id="feedfeed-0000-4000-8000-000000000000"),
            lambda said: said["workspace"].update(name="other"),
            lambda said: said["export"].update(type="ARCHIVE"),
            lambda said: said["export"].update(created_at="2027-03-31T02:30:05Z"),
            lambda said: said["file"].update(name="acme-snapshot-20270331T023004Z-feedfeed.xlsx"),
            lambda said: said.update(
                window={
                    "start": "2027-03-30T00:00:00Z",
                    "end": "2027-03-31T02:30:04Z",
                    "asked": {"start": "2027-03-30", "end": None},
                }
            ),
        ],
        ids=["run", "workspace", "export", "time", "file", "window"],
    )
    async def test_a_manifest_that_disagrees_with_its_key(self, change: Callable[[dict[str, Any]], object]) -> None:
        assert await code_of(GOOD.with_manifest(change)) == "manifest_mismatch"

    @pytest.mark.parametrize("end", ["start", "end"])
    async def test_a_window_that_disagrees_with_its_key(self, end: str) -> None:
        bad = made(export=ExportType.AUDIT_LOG).with_manifest(
            lambda said: said["window"].update({end: "2027-03-30T12:00:00Z"})
        )
        assert await code_of(bad) == "manifest_mismatch"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda said: said["file"].update(size_bytes=len(GOOD.data) + 1), "backup_truncated"),
            (lambda said: said["file"].update(size_bytes=len(GOOD.data) - 1), "backup_altered"),
            (lambda said: said["file"].update(sha256="ab" * 32), "backup_altered"),
            (lambda said: said["content"].update(empty=True), "content_differs"),
            (lambda said: said["content"].update(sheets=[]), "content_differs"),
            (lambda said: said["content"]["sheets"][0].update(rows=3), "content_differs"),
            (lambda said: said["content"]["sheets"][0].update(keys=["id"]), "content_differs"),
            (lambda said: said["content"].update(fact_sheets={}), "content_differs"),
            (lambda said: said["content"]["fact_sheets"].update(Application=3), "content_differs"),
        ],
    )
    async def test_a_manifest_that_disagrees_with_the_file(
        self, change: Callable[[dict[str, Any]], object], code: str
    ) -> None:
        assert await code_of(GOOD.with_manifest(change)) == code

    async def test_another_backups_manifest(self) -> None:
        assert await code_of(Made(GOOD.key, GOOD.data, made("feedfeed").manifest)) == "manifest_mismatch"

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            (b"", "manifest_invalid"),
            (b"{}", "manifest_invalid"),
            (b" " * (17 * 2**20), "manifest_invalid"),
            (b'{"manifest_version": 2}', "manifest_too_new"),
        ],
        ids=["empty", "nothing", "oversize", "too new"],
    )
    async def test_a_manifest_that_is_none(self, text: bytes, code: str) -> None:
        store = MemoryStore("disk")
        await store.put_bytes(GOOD.key.artifact, GOOD.data)
        await store.put_bytes(GOOD.key.manifest, text)
        (result,) = await checked(store)
        assert result.error is not None
        assert result.error.code == code

    async def test_no_workbook_though_its_bytes_are_those_of_the_manifest(self) -> None:
        page = made(data=b"<!doctype html><html></html>")
        assert await code_of(page) == "artifact_html"
        assert await code_of(made(data=b"PK\x03\x04 and no more")) == "artifact_truncated"

    async def test_a_bomb(self) -> None:
        rows = [building.KEYS, building.LABELS, ("id-0", "Application", "x" * 2_000_000, "x")]
        bomb = made(data=building.workbook({"Application": building.table(rows)}))
        assert await code_of(bomb) == "artifact_bomb"
        assert await code_of(bomb, limits=Limits(max_unpacked=100_000)) == "artifact_bomb"

    async def test_one_that_never_ends_is_not_brought_here_as_a_whole(self) -> None:
        class Endless(MemoryStore):
            async def read(self, key: str, *, version: str | None = None) -> AsyncIterator[bytes]:
                if key == GOOD.key.manifest:
                    async for block in super().read(key, version=version):
                        yield block
                while key == GOOD.key.artifact:
                    await anyio.lowlevel.checkpoint()
                    yield b"\0" * 65536

        store = Endless("disk")
        await store.put_bytes(GOOD.key.manifest, GOOD.manifest_bytes)
        with anyio.fail_after(5):
            result = await check(Copy(store, GOOD.key), limits=LIMITS, clock=FakeTime().clock)
        assert result.error is not None
        assert result.error.code == "backup_altered"


class TestHalves:
    @pytest.mark.parametrize("missing", ["manifest_missing", "file_missing"])
    async def test_is_named_with_what_is_missing(self, missing: str) -> None:
        store = MemoryStore("disk")
        if missing == "file_missing":
            await store.put_bytes(GOOD.key.manifest, GOOD.manifest_bytes)
        else:
            await store.put_bytes(GOOD.key.artifact, GOOD.data)
        (result,) = await checked(store)
        assert result.error is not None
        assert result.error.code == missing
        assert result.key == (GOOD.key.manifest if missing == "file_missing" else GOOD.key.artifact)

    async def test_a_young_one_may_be_on_its_way(self) -> None:
        store = MemoryStore("disk")
        await store.put_bytes(GOOD.key.artifact, GOOD.data)
        copies = copies_of(await read_catalog([store]), [store])
        half = copies[0].half
        assert half is not None
        for age, young in ((timedelta(hours=23), True), (timedelta(hours=25), False)):
            time = FakeTime(half.there.modified_at + age)
            (result,) = await check_all(copies, limits=LIMITS, clock=time.clock)
            assert result.error is not None
            assert result.error.code == "manifest_missing"
            assert ("less than a day" in result.error.hint) is young

    async def test_one_that_was_removed_meanwhile_is_no_bad_one(self) -> None:
        store = await held(GOOD)
        copies = copies_of(await read_catalog([store]), [store])
        await store.delete([entry async for entry in store.scan()])
        (result,) = await check_all(copies, limits=LIMITS, clock=FakeTime().clock)
        assert result.unread
        assert result.error is not None
        assert result.error.code == "not_stored"


class TestHidden:
    @pytest.mark.parametrize("parts", [("artifact",), ("manifest",), ("artifact", "manifest")])
    async def test_is_read_by_version_and_named(self, parts: tuple[str, ...]) -> None:
        store = await held(GOOD, versioned=True)
        for part in parts:
            store.hide(getattr(GOOD.key, part))
        (result,) = await checked(store)
        assert result.error is not None
        assert result.error.code == "backup_hidden"
        assert "fetch" in result.error.hint

    async def test_a_bad_one_is_told_as_bad(self) -> None:
        store = await held(Made(GOOD.key, GOOD.data[:-1], GOOD.manifest), versioned=True)
        store.hide(GOOD.key.artifact)
        (result,) = await checked(store)
        assert result.error is not None
        assert result.error.code == "backup_truncated"


class TestDestinations:
    async def test_one_that_is_down_says_nothing_about_its_backups(self) -> None:
        store = await held(GOOD)
        copies = copies_of(await read_catalog([store]), [store])
        store.down = StoreError("no connection", code="destination_error", hint="look at the network")
        (result,) = await check_all(copies, limits=LIMITS, clock=FakeTime().clock)
        assert result.unread
        assert result.error is not None
        assert result.error.code == "destination_error"

    async def test_one_that_breaks_off_is_not_taken_for_one_that_was_cut_off(self) -> None:
        class Breaking(MemoryStore):
            async def read(self, key: str, *, version: str | None = None) -> AsyncIterator[bytes]:
                async for block in super().read(key, version=version):
                    yield block if key == GOOD.key.manifest else block[:100]
                if key != GOOD.key.manifest:
                    raise StoreError("connection lost", code="connection_lost")

        store = Breaking("disk")
        await store.put_bytes(GOOD.key.artifact, GOOD.data)
        await store.put_bytes(GOOD.key.manifest, GOOD.manifest_bytes)
        result = await check(Copy(store, GOOD.key), limits=LIMITS, clock=FakeTime().clock)
        assert result.unread

    async def test_no_more_than_two_at_a_time_and_in_their_order(self) -> None:
        most, now = 0, 0

        class Counting(MemoryStore):
            async def read(self, key: str, *, version: str | None = None) -> AsyncIterator[bytes]:
                nonlocal most, now
                now += key.endswith(".xlsx")
                most = max(most, now)
                try:
                    async for block in super().read(key, version=version):
                        await anyio.sleep(0.001)
                        yield block
                finally:
                    now -= key.endswith(".xlsx")

        store = Counting("disk")
        kept = [made(f"{number:08x}", taken_at=samples.WHEN + timedelta(days=number)) for number in range(8)]
        for each in kept:
            await store.put_bytes(each.key.artifact, each.data)
            await store.put_bytes(each.key.manifest, each.manifest_bytes)
        results = await checked(store)
        assert [result.key for result in results] == [each.key.artifact for each in kept]
        assert all(result.ok for result in results)
        assert most == 2

    async def test_a_real_folder(self, tmp_path: Path) -> None:
        GOOD.lay(tmp_path)
        store = LocalStore("disk", tmp_path)
        copies = copies_of(await read_catalog([store]), [store])
        before = {path: path.stat() for path in tmp_path.rglob("*")}
        (result,) = await check_all(copies, limits=LIMITS, clock=FakeTime().clock)
        assert result.ok, result.error
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == {
            path: stat.st_mtime_ns for path, stat in before.items()
        }


class TestTemporaryFile:
    async def test_no_folder_for_it(self, tmp_path: Path) -> None:
        store = await held(GOOD)
        result = await check(
            Copy(store, GOOD.key), limits=LIMITS, clock=FakeTime().clock, temp_folder=tmp_path / "nothing"
        )
        assert result.unread
        assert result.error is not None
        assert result.error.code == "temp_unwritable"
        assert "TMPDIR" in result.error.hint

    async def test_it_has_no_name(self, tmp_path: Path) -> None:
        with unnamed_file(tmp_path) as file:
            file.write(b"x")
            file.flush()
            assert list(tmp_path.iterdir()) == []

    def test_no_room_for_it(self, tmp_path: Path) -> None:
        (tmp_path / "volume").mkdir()
        said = on_small_volume(tmp_path / "volume", FULL)
        assert said["code"] == "temp_full"
        assert "TMPDIR" in said["hint"]
        assert said["left"] == []


FULL = """
import json, os, sys
from pathlib import Path
from leanix_backup.errors import BackupError
from leanix_backup.reading import unnamed_file

folder = Path(sys.argv[1])
try:
    with unnamed_file(folder) as file:
        for _ in range(8):
            file.write(os.urandom(1024 * 1024))
except BackupError as error:
    print(json.dumps({"code": error.code, "hint": error.hint, "left": os.listdir(folder)}))
"""


class TestWhichOnes:
    async def test_the_newest_of_each_export_of_each_workspace_at_each_destination(self) -> None:
        days = [made(f"{day:08x}", taken_at=samples.WHEN + timedelta(days=day)) for day in range(3)]
        archive, other = made("aaaaaaaa", export=ExportType.ARCHIVE), made("bbbbbbbb", workspace="other")
        disk = await held(*days, archive, other)
        offsite = await held(*days[:2], name="offsite")
        copies = copies_of(await read_catalog([disk, offsite]), [disk, offsite])
        assert len(copies) == 7
        picked = {(copy.store.name, copy.key.run8) for copy in newest_of(copies, 1)}
        assert picked == {("disk", "00000002"), ("disk", "aaaaaaaa"), ("disk", "bbbbbbbb"), ("offsite", "00000001")}
        assert len(newest_of(copies, 2)) == 6
        assert newest_of(copies, 3) == copies

    async def test_a_newest_without_its_manifest_is_not_passed_over(self) -> None:
        days = [made(f"{day:08x}", taken_at=samples.WHEN + timedelta(days=day)) for day in range(3)]
        disk = await held(days[1])
        for half in (days[0], days[2]):
            await disk.put_bytes(half.key.artifact, half.data)
        copies = copies_of(await read_catalog([disk]), [disk])
        assert [copy.key.run8 for copy in newest_of(copies, 1)] == ["00000001", "00000002"]

    async def test_a_newest_that_somebody_deleted_is_not_passed_over(self) -> None:
        days = [made(f"{day:08x}", taken_at=samples.WHEN + timedelta(days=day)) for day in range(3)]
        disk = await held(*days, versioned=True)
        disk.hide(days[2].key.manifest)
        copies = copies_of(await read_catalog([disk]), [disk])
        assert [copy.key.run8 for copy in newest_of(copies, 1)] == ["00000001", "00000002"]


class TestDrill:
    async def test_logs_each_copy(self) -> None:
        disk = await held(GOOD)
        offsite = await held(Made(GOOD.key, GOOD.data[:-1], GOOD.manifest), name="offsite")
        down = MemoryStore("down")
        down.down = StoreError("no connection", code="destination_error", hint="look at the network")
        with captured_log() as log:
            results = await check_newest([disk, offsite, down], 1, limits=LIMITS, clock=FakeTime().clock, log=Log())
        assert [(each.destination, each.ok) for each in results] == [("disk", True), ("offsite", False)]
        (line,) = log.of(Event.BACKUP_VERIFIED)
        assert line["run_id"] == GOOD.manifest.run_id
        assert (line["destination"], line["key"], line["sha256"]) == (
            "disk",
            GOOD.key.artifact,
            GOOD.manifest.file.sha256,
        )
        (line,) = log.of(Event.BACKUP_DAMAGED)
        assert (line["destination"], line["error_code"], line["level"]) == ("offsite", "backup_truncated", "error")
        (line,) = log.of(Event.DESTINATION_FAILED)
        assert (line["destination"], line["error_code"]) == ("down", "destination_error")

    async def test_what_could_not_be_read_is_neither_good_nor_bad(self, tmp_path: Path) -> None:
        with captured_log() as log:
            await check_newest(
                [await held(GOOD)], 1, limits=LIMITS, clock=FakeTime().clock, log=Log(), temp_folder=tmp_path / "none"
            )
        (line,) = log.of(Event.BACKUP_NOT_CHECKED)
        assert (line["level"], line["error_code"]) == ("warning", "temp_unwritable")
        assert log.names == ["backup_not_checked"]

    async def test_a_young_half_is_left_alone(self) -> None:
        disk = MemoryStore("disk")
        await disk.put_bytes(GOOD.key.artifact, GOOD.data)
        (entry,) = [entry async for entry in disk.scan()]
        for age, count in ((timedelta(hours=1), 0), (timedelta(days=2), 1)):
            time = FakeTime(entry.modified_at + age)
            with captured_log():
                assert len(await check_newest([disk], 1, limits=LIMITS, clock=time.clock, log=Log())) == count


class TestLanding:
    def test_gets_its_name_when_it_is_kept(self, tmp_path: Path) -> None:
        target = tmp_path / "a.xlsx"
        with landing(target, force=False) as landed:
            landed.write(b"whole")
            assert not target.exists()
            landed.keep()
        assert target.read_bytes() == b"whole"
        assert target.stat().st_mode & 0o777 == 0o600
        assert list(tmp_path.iterdir()) == [target]

    def test_leaves_nothing_where_it_was_not_kept(self, tmp_path: Path) -> None:
        with landing(tmp_path / "a.xlsx", force=False) as landed:
            landed.write(b"half")
        assert list(tmp_path.iterdir()) == []

    def test_replaces_only_by_force(self, tmp_path: Path) -> None:
        target = tmp_path / "a.xlsx"
        target.write_bytes(b"theirs")
        with landing(target, force=False) as landed:
            landed.write(b"ours")
            with pytest.raises(UsageError) as caught:
                landed.keep()
        assert caught.value.code == "target_exists"
        assert target.read_bytes() == b"theirs"
        with landing(target, force=True) as landed:
            landed.write(b"ours")
            landed.keep()
        assert target.read_bytes() == b"ours"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_link_is_replaced_and_not_followed(self, tmp_path: Path) -> None:
        other, target = tmp_path / "other", tmp_path / "a.xlsx"
        other.write_bytes(b"theirs")
        target.symlink_to(other)
        with pytest.raises(UsageError):
            require_free(target, force=False)
        with landing(target, force=True) as landed:
            landed.write(b"ours")
            landed.keep()
        assert not target.is_symlink()
        assert other.read_bytes() == b"theirs"

    @pytest.mark.parametrize(
        ("target", "code"),
        [("none/a.xlsx", "target_missing"), ("there.xlsx", "target_exists"), ("/dev/null", "target_invalid")],
    )
    def test_refuses(self, tmp_path: Path, target: str, code: str) -> None:
        (tmp_path / "there.xlsx").touch()
        with pytest.raises(UsageError) as caught:
            require_free(tmp_path / target, force=False)
        assert caught.value.code == code
        assert caught.value.hint

    def test_in_a_folder_it_has_its_own_name(self, tmp_path: Path) -> None:
        assert target_in(tmp_path, "a.xlsx") == tmp_path / "a.xlsx"
        assert target_in(tmp_path / "b.xlsx", "a.xlsx") == tmp_path / "b.xlsx"

    def test_a_full_volume(self, tmp_path: Path) -> None:
        (tmp_path / "volume").mkdir()
        said = on_small_volume(tmp_path / "volume", FULL.replace("unnamed_file(folder) as file", LANDING))
        assert said["code"] == "target_full"
        assert said["left"] == []

    def test_a_file_in_the_folders_place(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(BackupError) as caught, landing(tmp_path / "file" / "a.xlsx", force=False):
            pass
        assert caught.value.code == "target_error"


LANDING = (
    '__import__("leanix_backup.reading").reading.landing(folder / "a", force=False) as landed, landed.file as file'
)


class TestBars:
    async def test_nothing_off_a_terminal(self) -> None:
        out = io.StringIO()
        with bars(Console(file=out), after_s=0) as shown:
            shown.add("disk: one")(1, 2)
            await anyio.sleep(0.02)
        assert out.getvalue() == ""

    async def test_after_a_while_on_one(self) -> None:
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, width=100)
        with bars(console, after_s=60) as shown:
            shown.add("disk: one")(1, 2)
            await anyio.sleep(0.02)
        assert "one" not in out.getvalue()
        with bars(console, after_s=0) as shown:
            shown.add("disk: one")(2048, 4096)
            await anyio.sleep(0.02)
        assert "disk: one" in out.getvalue()
        assert "1 KiB" in out.getvalue() or "2.0 KiB" in out.getvalue()
