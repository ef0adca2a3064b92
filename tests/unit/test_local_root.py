"""A folder that goes away, or that another takes the place of, between looking at it and writing to it."""

# ruff: noqa: ASYNC240 -- a test looks at the disk between two steps; nobody else waits for this event loop

from __future__ import annotations

from pathlib import Path

import pytest

from leanix_backup.errors import StoreError
from leanix_backup.stores import LocalStore

KEY = "acme/snapshot/2027/03/acme-snapshot-20270331T120000Z-11111111.manifest.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


async def scanned(root: Path) -> LocalStore:
    store = LocalStore("disk", root)
    assert [found async for found in store.scan()] == []
    return store


async def refused(store: LocalStore, tmp_path: Path) -> StoreError:
    source = tmp_path / "file"
    source.write_bytes(b"PK")
    with pytest.raises(StoreError) as by_file:
        await store.put_file(KEY, source, sha256="", size_bytes=2)
    with pytest.raises(StoreError) as by_bytes:
        await store.put_bytes(KEY, b"{}")
    assert by_file.value.code == by_bytes.value.code
    return by_file.value


async def test_one_that_has_gone_is_not_made_anew(root: Path, tmp_path: Path) -> None:
    store = await scanned(root)
    root.rename(tmp_path / "gone")
    error = await refused(store, tmp_path)
    assert (error.code, error.retryable) == ("destination_missing", True)
    assert error.hint
    assert not root.exists()


async def test_another_in_its_place_is_left_alone(root: Path, tmp_path: Path) -> None:
    """What lies below a mount point once its volume has gone is another disk, which nobody reads back from."""
    store = await scanned(root)
    root.rename(tmp_path / "gone")
    root.mkdir()
    assert (await refused(store, tmp_path)).code == "destination_missing"
    assert list(root.iterdir()) == []


async def test_when_it_is_back_it_is_written_to(root: Path, tmp_path: Path) -> None:
    store = await scanned(root)
    root.rename(tmp_path / "gone")
    await refused(store, tmp_path)
    (tmp_path / "gone").rename(root)
    await store.put_bytes(KEY, b"{}")
    assert (root / KEY).read_bytes() == b"{}"


async def test_one_that_was_never_there_is_made(tmp_path: Path) -> None:
    store = LocalStore("disk", tmp_path / "new")
    with pytest.raises(StoreError):
        assert [found async for found in store.scan()] == []
    await store.put_bytes(KEY, b"{}")
    assert (tmp_path / "new" / KEY).read_bytes() == b"{}"
