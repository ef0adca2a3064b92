"""What there is: from keys alone, over all destinations; and which backup somebody means."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanix_backup import manifest as manifests
from leanix_backup.catalog import Backup, HiddenCopy, read_catalog, read_manifest, select
from leanix_backup.errors import BackupError, NotStoredError, StoreError, UsageError
from leanix_backup.model import ExportType, StoredCopy
from leanix_backup.naming import BackupKey, backup_key, export_prefix
from leanix_backup.stores import LocalStore, StoredObject
from tests.support.memory_store import MemoryStore
from tests.support.samples import RUN_ID, WHEN, manifest

NOON = datetime(2027, 3, 31, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def key_of(
    run8: str, taken_at: datetime = NOON, *, workspace: str = "acme", export: ExportType = ExportType.SNAPSHOT
) -> BackupKey:
    start = taken_at - DAY if export is ExportType.AUDIT_LOG else None
    return backup_key(workspace, export, run_id=run8, taken_at=taken_at, window_start=start)


async def put(store: MemoryStore, key: BackupKey, *, size: int = 5, manifest: bool = True, file: bool = True) -> None:
    if file:
        await store.put_bytes(key.artifact, b"x" * size)
    if manifest:
        await store.put_bytes(key.manifest, b"{}")


class TestReadCatalog:
    async def test_one_backup_at_two_places_is_one(self) -> None:
        disk, offsite = MemoryStore("disk"), MemoryStore("offsite")
        for store in (offsite, disk):
            await put(store, key_of("aaaaaaaa"))
        await put(offsite, key_of("bbbbbbbb", NOON - DAY), size=9)
        catalog = await read_catalog([offsite, disk])
        assert [(found.key.run8, found.size_bytes) for found in catalog.backups] == [("bbbbbbbb", 9), ("aaaaaaaa", 5)]
        assert catalog.backups[0].copies == (StoredCopy("offsite", key_of("bbbbbbbb", NOON - DAY).artifact),)
        assert [copy.destination for copy in catalog.backups[1].copies] == ["disk", "offsite"]
        assert catalog.errors == ()

    async def test_without_its_manifest_or_its_file_it_does_not_exist(self) -> None:
        store = MemoryStore()
        await put(store, key_of("aaaaaaaa"), manifest=False)
        await put(store, key_of("bbbbbbbb"), file=False)
        await put(store, key_of("cccccccc"))
        catalog = await read_catalog([store])
        assert [found.key.run8 for found in catalog.backups] == ["cccccccc"]
        assert [(half.key.run8, half.destination, half.there.key) for half in catalog.halves] == [
            ("aaaaaaaa", store.name, key_of("aaaaaaaa").artifact),
            ("bbbbbbbb", store.name, key_of("bbbbbbbb").manifest),
        ]

    async def test_a_half_here_and_a_half_there_is_no_whole(self) -> None:
        disk, offsite = MemoryStore("disk"), MemoryStore("offsite")
        await put(disk, key_of("aaaaaaaa"), manifest=False)
        await put(offsite, key_of("aaaaaaaa"), file=False)
        assert (await read_catalog([disk, offsite])).backups == ()

    async def test_an_empty_file_is_a_backup_if_it_has_a_manifest(self) -> None:
        store = MemoryStore()
        await put(store, key_of("aaaaaaaa"), size=0)
        assert (await read_catalog([store])).backups[0].size_bytes == 0

    async def test_what_is_not_ours_is_not_seen(self) -> None:
        store = MemoryStore()
        for key in ("README.txt", "acme/snapshot/2027/03/notes.xlsx", "data/2f/2f9a", "acme.xlsx"):
            await store.put_bytes(key, b"x")
        misplaced = key_of("aaaaaaaa").artifact.replace("/03/", "/04/")
        await store.put_bytes(misplaced, b"x")
        await store.put_bytes(misplaced.replace(".xlsx", ".manifest.json"), b"x")
        assert (await read_catalog([store])).backups == ()

    async def test_a_destination_that_is_down_does_not_hide_the_others(self) -> None:
        up, down = MemoryStore("up"), MemoryStore("down")
        await put(up, key_of("aaaaaaaa"))
        down.down = StoreError("no answer", code="destination_unreachable", hint="look at the network")
        catalog = await read_catalog([down, up])
        assert len(catalog.backups) == 1
        (failed,) = catalog.errors
        assert (failed.destination, failed.error.code) == ("down", "destination_unreachable")
        assert (failed.error.message, failed.error.hint) == ("no answer", "look at the network")

    async def test_what_somebody_deleted_where_versions_are_kept_is_hidden_and_counts_for_nothing(self) -> None:
        vault, disk = MemoryStore("vault", versioned=True), MemoryStore("disk")
        both, gone, half = (key_of(run8, NOON) for run8 in ("aaaaaaaa", "bbbbbbbb", "cccccccc"))
        for key in (both, gone, half):
            await put(vault, key)
        await put(disk, both)
        versions = {found.key: found.version async for found in vault.scan()}
        for part in (both.artifact, both.manifest, gone.artifact, half.manifest):
            vault.hide(part)
        catalog = await read_catalog([vault, disk])
        (seen,) = catalog.backups
        assert (seen.key, seen.copies) == (both, (StoredCopy("disk", both.artifact),))
        assert seen.hidden == (HiddenCopy("vault", both.artifact, versions[both.artifact], versions[both.manifest]),)
        assert {found.key: found.hidden for found in catalog.hidden} == {
            gone: (HiddenCopy("vault", gone.artifact, versions[gone.artifact], None),),
            half: (HiddenCopy("vault", half.artifact, None, versions[half.manifest]),),
        }
        assert all(found.copies == () and found.size_bytes == 5 for found in catalog.hidden)
        assert catalog.of("acme", ExportType.SNAPSHOT) == catalog.backups

    async def test_a_hidden_manifest_is_read_by_its_version(self) -> None:
        store = MemoryStore("vault", versioned=True)
        await store.put_bytes(KEY.manifest, manifests.encode(manifest()))
        (found,) = [found async for found in store.scan()]
        store.hide(KEY.manifest)
        with pytest.raises(NotStoredError):
            await read_manifest(store, KEY)
        assert await read_manifest(store, KEY, version=found.version) == manifest()

    async def test_one_that_breaks_off_half_way_shows_what_was_read_and_says_so(self) -> None:
        class Breaking(MemoryStore):
            async def scan(self, prefix: str = "") -> AsyncIterator[StoredObject]:
                async for entry in super().scan(prefix):
                    yield entry
                raise StoreError("broke off")

        store = Breaking("breaking")
        await put(store, key_of("aaaaaaaa"))
        await put(store, key_of("bbbbbbbb"), manifest=False)
        catalog = await read_catalog([store])
        assert [found.key.run8 for found in catalog.backups] == ["aaaaaaaa"]
        assert [failed.destination for failed in catalog.errors] == ["breaking"]
        assert catalog.halves == (), "the other half may be where nobody could look"

    async def test_a_folder_that_is_not_there_is_an_error_and_no_empty_store(self, tmp_path: Path) -> None:
        catalog = await read_catalog([LocalStore("disk", tmp_path / "unmounted")])
        assert [failed.error.code for failed in catalog.errors] == ["destination_missing"]

    async def test_by_prefix(self) -> None:
        store = MemoryStore()
        await put(store, key_of("aaaaaaaa"))
        await put(store, key_of("bbbbbbbb", export=ExportType.ARCHIVE))
        await put(store, key_of("cccccccc", workspace="acme-two"))
        for prefix, expected in (
            ("", {"aaaaaaaa", "bbbbbbbb", "cccccccc"}),
            ("acme/", {"aaaaaaaa", "bbbbbbbb"}),
            (export_prefix("acme", ExportType.SNAPSHOT), {"aaaaaaaa"}),
            (export_prefix("nobody", ExportType.SNAPSHOT), set()),
        ):
            assert {found.key.run8 for found in (await read_catalog([store], prefix=prefix)).backups} == expected

    async def test_thousands_at_a_real_folder(self, tmp_path: Path) -> None:
        keys = [key_of(f"{number:08x}", NOON - number * DAY) for number in range(510)]
        for key in keys:
            path = tmp_path / key.artifact
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
            (tmp_path / key.manifest).write_bytes(b"{}")
        catalog = await read_catalog([LocalStore("disk", tmp_path)])
        assert [found.key for found in catalog.backups] == keys[::-1]

    async def test_of_one_export_of_one_workspace(self) -> None:
        store = MemoryStore()
        await put(store, key_of("aaaaaaaa", NOON))
        await put(store, key_of("bbbbbbbb", NOON - DAY))
        await put(store, key_of("cccccccc", export=ExportType.AUDIT_LOG))
        catalog = await read_catalog([store])
        assert [found.key.run8 for found in catalog.of("acme", ExportType.SNAPSHOT)] == ["bbbbbbbb", "aaaaaaaa"]
        assert [found.key.run8 for found in catalog.of("acme", ExportType.AUDIT_LOG)] == ["cccccccc"]
        assert catalog.of("acme", ExportType.ARCHIVE) == ()


KEY = backup_key("acme", ExportType.SNAPSHOT, run_id=RUN_ID, taken_at=WHEN)


class TestReadManifest:
    async def test_another_backups(self) -> None:
        store, other = MemoryStore(), backup_key("acme", ExportType.SNAPSHOT, run_id="ab" * 16, taken_at=WHEN)
        await store.put_bytes(other.manifest, manifests.encode(manifest()))
        with pytest.raises(BackupError, match="another backup: run_id") as caught:
            await read_manifest(store, other)
        assert caught.value.code == "manifest_mismatch"

    async def test_what_lies_there(self) -> None:
        store = MemoryStore()
        await store.put_bytes(KEY.manifest, manifests.encode(manifest()))
        assert await read_manifest(store, KEY) == manifest()

    async def test_what_does_not(self) -> None:
        with pytest.raises(NotStoredError):
            await read_manifest(MemoryStore(), KEY)

    @pytest.mark.parametrize(
        "data", [b"", b"PK\x03\x04", b"{}", b"[" * 100_000, b" " * (17 * 1024 * 1024)], ids=range(5)
    )
    async def test_what_is_none(self, data: bytes) -> None:
        store = MemoryStore()
        await store.put_bytes(KEY.manifest, data)
        with pytest.raises(BackupError) as caught:
            await read_manifest(store, KEY)
        assert caught.value.code == "manifest_invalid"

    async def test_a_newer_one(self) -> None:
        store = MemoryStore()
        fields = json.loads(manifests.encode(manifest())) | {"manifest_version": 7}
        await store.put_bytes(KEY.manifest, json.dumps(fields).encode())
        with pytest.raises(BackupError) as caught:
            await read_manifest(store, KEY)
        assert caught.value.code == "manifest_too_new"


def backups(*keys: BackupKey) -> tuple[Backup, ...]:
    made = [Backup(key, 5, (StoredCopy("disk", key.artifact),)) for key in keys]
    return tuple(sorted(made, key=lambda each: (each.key.taken_at, each.key.artifact)))


OLD = key_of("11111111", NOON - 2 * DAY)
MIDDLE = key_of("1111aaaa", NOON - DAY)
NEW = key_of("deadbeef", NOON)
ARCHIVE = key_of("cafecafe", NOON + DAY, export=ExportType.ARCHIVE)
LOG = key_of("0a0a0a0a", NOON, export=ExportType.AUDIT_LOG)
OTHER = key_of("99999999", NOON + 9 * DAY, workspace="other-one")
ALL = backups(OLD, MIDDLE, NEW, ARCHIVE, LOG, OTHER)


def refused(selector: str, among: Sequence[Backup] = ALL, known: tuple[str, ...] = ()) -> UsageError:
    with pytest.raises(UsageError) as caught:
        select(among, selector, known=known)
    assert caught.value.hint
    return caught.value


class TestSelect:
    @pytest.mark.parametrize("selector", ["acme/SNAPSHOT@latest", "acme/snapshot@latest"])
    def test_an_export_by_either_of_its_names(self, selector: str) -> None:
        assert select(ALL, selector) == select(ALL, "acme/snapshot@latest")

    @pytest.mark.parametrize(
        ("selector", "key"),
        [
            ("deadbeef", NEW),
            ("dead", NEW),
            ("DEADBEEF", NEW),
            ("deadbeef-0000-4000-8000-000000000000", NEW),
            ("11111111", OLD),
            ("11111", OLD),
            ("1111a", MIDDLE),
            (NEW.artifact, NEW),
            (NEW.manifest, NEW),
            (LOG.artifact, LOG),
            ("acme/snapshot@latest", NEW),
            ("acme/archive@latest", ARCHIVE),
            ("acme/audit-log@latest", LOG),
            ("other-one/snapshot@latest", OTHER),
            ("acme/snapshot@2027-03-31", NEW),
            ("acme/snapshot@2027-03-30", MIDDLE),
            ("acme/snapshot@20270330", MIDDLE),
            ("acme/snapshot@2999-01-01", NEW),
            ("acme/snapshot@9999-12-31", NEW),
            ("acme/snapshot@2027-03-31T12:00Z", NEW),
            ("acme/snapshot@2027-03-31T12:00:00", NEW),
            ("acme/snapshot@2027-03-31T11:59:59Z", MIDDLE),
            ("acme/snapshot@2027-03-31T00:00Z", MIDDLE),
            ("acme/snapshot@2027-03-31 12:00", NEW),
            ("acme/snapshot@2027-03-31T14:00+02:00", NEW),
            ("acme/snapshot@2027-03-31T13:59+02:00", MIDDLE),
        ],
    )
    def test_finds(self, selector: str, key: BackupKey) -> None:
        assert select(ALL, selector).key == key

    @pytest.mark.parametrize(
        "selector",
        [
            "",
            "abc",
            "dea",
            "nothex!!",
            "deadbeee",
            "feedfeed",
            "acme",
            "acme/snapshot",
            "acme/snapshot/",
            "/",
            "@",
            "@latest",
            "acme@latest",
            "acme/@latest",
            "acme/snapshot@",
            "acme/snapshot@newest",
            "acme/snapshot@2027-02-30",
            "acme/snapshot@2027-03-28",
            "acme/snapshot@0001-01-01",
            "acme/snapshot@0001-01-01T00:00+14:00",
            "acme/snapshot@9999-12-31T23:59-14:00",
            "nobody/snapshot@latest",
            NEW.artifact.replace("deadbeef", "deadbeee"),
            NEW.artifact.upper(),
            f"disk:{NEW.artifact}",
            "deadbeef" * 5,
            "----",
        ],
    )
    def test_finds_none(self, selector: str) -> None:
        assert refused(selector).code == "no_such_backup"

    def test_several_are_told(self) -> None:
        error = refused("1111")
        assert error.code == "ambiguous_selector"
        assert OLD.artifact in error.hint
        assert MIDDLE.artifact in error.hint

    def test_an_unknown_workspace_is_told_with_the_known_ones(self) -> None:
        error = refused("amce/snapshot@latest", known=("configured",))
        assert "acme" in error.hint
        assert "configured" in error.hint

    def test_a_known_workspace_without_backups_is_not_unknown(self) -> None:
        assert "leanix-backup list" in refused("configured/snapshot@latest", known=("configured",)).hint

    def test_among_none(self) -> None:
        for selector in ("deadbeef", "acme/snapshot@latest", NEW.artifact):
            assert refused(selector, ()).code == "no_such_backup"

    def test_of_two_at_one_time_it_is_always_the_same(self) -> None:
        twins = (key_of("aaaaaaaa"), key_of("bbbbbbbb"))
        assert select(backups(*twins), "acme/snapshot@latest").key == twins[1]
        assert select(backups(*twins[::-1]), "acme/snapshot@latest").key == twins[1]

    @given(st.text(max_size=60) | st.text(max_size=30).map(lambda text: f"acme/snapshot@{text}"))
    def test_any_text(self, selector: str) -> None:
        try:
            assert select(ALL, selector) in ALL
        except UsageError as error:
            assert error.code in {"no_such_backup", "ambiguous_selector"}  # noqa: PT017 -- either is right
