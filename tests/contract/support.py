"""What the tests of stores share: how each kind is opened, and short forms of what a store does."""

# ruff: noqa: ASYNC240 -- a test looks at the disk between two steps; nobody else waits for this event loop

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path

import anyio
import pytest

from leanix_backup.config import Network
from leanix_backup.stores import LocalStore, NotDeleted, Store
from leanix_backup.stores.s3 import S3Store
from tests.support.memory_store import MemoryStore
from tests.support.seaweed import SeaweedFS

MIB = 1024 * 1024
KEY = "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.xlsx"
MANIFEST = KEY.replace(".xlsx", ".manifest.json")
OTHER_VOLUME = Path("/dev/shm")  # a memory file system where this is Linux: never the one of /tmp
SMALL_PARTS = 5 * MIB  # S3's own least

Opener = Callable[[pytest.FixtureRequest, Path], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def memory(_request: pytest.FixtureRequest, _folder: Path) -> AsyncIterator[Store]:
    yield MemoryStore("m")


@asynccontextmanager
async def memory_versioned(_request: pytest.FixtureRequest, _folder: Path) -> AsyncIterator[Store]:
    yield MemoryStore("m", versioned=True)


@asynccontextmanager
async def local(_request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Store]:
    """On the file system where the sources lie: nothing is copied."""
    root = folder / "destination"
    root.mkdir()
    yield LocalStore("disk", root)


@asynccontextmanager
async def local_elsewhere(_request: pytest.FixtureRequest, _folder: Path) -> AsyncIterator[Store]:
    """On another file system: everything is copied."""
    if not OTHER_VOLUME.is_dir():
        pytest.skip("no second file system here")
    async with anyio.TemporaryDirectory(dir=str(OTHER_VOLUME)) as root:
        yield LocalStore("disk", Path(root))


def s3(*, locked: bool = False) -> Opener:
    """In a place of its own on the real server."""

    @asynccontextmanager
    async def opened(request: pytest.FixtureRequest, _folder: Path) -> AsyncIterator[Store]:
        server: SeaweedFS = request.getfixturevalue("server")
        bucket, prefix = server.place(locked=locked)
        yield S3Store(server.destination(bucket, prefix=prefix, part_size=SMALL_PARTS), Network())

    return opened


STORES: dict[str, Opener] = {
    "memory": memory,
    "memory with versions": memory_versioned,
    "local": local,
    "local on another file system": local_elsewhere,
    "s3": s3(),
    "s3 with versions and locks": s3(locked=True),
}


async def put(store: Store, key: str, path: Path, *, retain_until: datetime | None = None) -> None:
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    await store.put_file(key, path, sha256=sha256, size_bytes=len(data), retain_until=retain_until)


async def read(store: Store, key: str, *, version: str | None = None) -> bytes:
    return b"".join([block async for block in store.read(key, version=version)])


async def scan(store: Store, prefix: str = "") -> dict[str, int]:
    found = [entry async for entry in store.scan(prefix)]
    assert len({entry.key for entry in found}) == len(found)
    assert not any(entry.hidden for entry in found)
    return {entry.key: entry.size_bytes for entry in found}


async def remove(store: Store, key: str) -> tuple[NotDeleted, ...]:
    """Delete what a scan finds under a key."""
    return await store.delete([entry async for entry in store.scan() if entry.key == key])
