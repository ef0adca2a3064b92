"""A real server behind a bad line, and one that dies: what is stored stays whole, and no half upload stays behind."""

# ruff: noqa: ASYNC240 -- a test looks at its own little file; nobody else waits for this event loop

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from leanix_backup.config import Network
from leanix_backup.errors import StoreError
from leanix_backup.stores.s3 import S3Store
from tests.contract.support import KEY, MANIFEST, MIB, SMALL_PARTS, put, read, remove, scan
from tests.support.raw_server import listening
from tests.support.s3_proxy import BadLine, Fault, bad_line
from tests.support.seaweed import SeaweedFS, seaweedfs

LARGE = 22 * MIB  # five parts


class Bench:
    """A store behind a bad line, and a look past that line."""

    def __init__(self, server: SeaweedFS, line: BadLine, *, concurrency: int = 2) -> None:
        self.bucket, self.prefix = server.place(locked=True)
        self.client = server.client()
        self.line = line
        settings: dict[str, Any] = {"part_size": SMALL_PARTS, "concurrency": concurrency, "prefix": self.prefix}
        self.store = S3Store(server.destination(self.bucket, endpoint_url=line.url, **settings), Network())
        self.past = S3Store(server.destination(self.bucket, prefix=self.prefix), Network())

    def uploads(self) -> int:
        return len(self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=self.prefix).get("Uploads", []))

    def versions(self) -> int:
        page = self.client.list_object_versions(Bucket=self.bucket, Prefix=f"{self.prefix}/")
        return len(page.get("Versions", [])) + len(page.get("DeleteMarkers", []))

    async def fails(self, attempt: object) -> str:
        """Say with which code a put fails; nothing is left of it, and another try may help."""
        with pytest.raises(StoreError) as caught:
            await attempt  # type: ignore[misc] # a coroutine
        assert caught.value.retryable
        assert caught.value.hint
        assert self.uploads() == 0
        assert self.versions() == 0
        return caught.value.code


@pytest.fixture
async def bench(server: SeaweedFS) -> AsyncIterator[Bench]:
    async with bad_line(server.ports["s3.port"]) as line:
        yield Bench(server, line)


@pytest.fixture
def large(source: Callable[[bytes], Path]) -> Path:
    return source(os.urandom(LARGE))


class TestRequests:
    """What is asked for: each is a permission and, at AWS, a price."""

    async def test_of_everything(self, bench: Bench, large: Path, source: Callable[[bytes], Path]) -> None:
        seen = bench.line.seen

        async def asked(attempt: object) -> dict[str, int]:
            seen.clear()
            await attempt  # type: ignore[misc] # a coroutine
            return dict(seen)

        store = bench.store
        assert await asked(store.put_bytes(MANIFEST, b"{}")) == {"HeadObject": 1, "PutObject": 1}
        assert await asked(put(store, f"{KEY}.small", source(b"x"))) == {"HeadObject": 1, "PutObject": 1}
        parts = {"HeadObject": 1, "CreateMultipartUpload": 1, "UploadPart": 5, "CompleteMultipartUpload": 1}
        assert await asked(put(store, KEY, large)) == parts
        assert await asked(put(store, KEY, large)) == {"HeadObject": 1}
        assert await asked(scan(store)) == {"ListObjectVersions": 1}
        assert await asked(read(store, KEY)) == {"GetObject": 1}
        assert await asked(store.tidy(KEY)) == {"ListMultipartUploads": 1}
        objects = [found async for found in store.scan()]
        assert await asked(store.delete(objects)) == {"DeleteObjects": 1}
        assert bench.versions() == 0

    async def test_a_listing_needs_one_for_a_thousand_keys_and_a_delete_too(self, bench: Bench) -> None:
        limit = anyio.CapacityLimiter(8)

        async def fill(key: str) -> None:
            work = partial(bench.client.put_object, Bucket=bench.bucket, Key=f"{bench.prefix}/{key}")
            await anyio.to_thread.run_sync(work, limiter=limit)

        async with anyio.create_task_group() as group:
            for number in range(1003):
                group.start_soon(fill, f"acme/{number}")
        bench.line.seen.clear()
        objects = [found async for found in bench.store.scan("acme/")]
        assert len({found.key for found in objects}) == 1003
        assert bench.line.seen == {"ListObjectVersions": 2}
        assert await bench.store.delete(objects) == ()
        assert bench.line.seen == {"ListObjectVersions": 2, "DeleteObjects": 2}
        assert bench.versions() == 0


class TestServerSaysSlowDown:
    async def test_once_each_and_everything_works(self, bench: Bench, large: Path) -> None:
        names = ("HeadObject", "PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
        for name in (*names, "ListObjectVersions", "GetObject", "DeleteObjects", "ListMultipartUploads"):
            bench.line.faults[name] = Fault(status=503, times=1)
        await bench.store.tidy(KEY)
        await put(bench.store, KEY, large)
        await bench.store.put_bytes(MANIFEST, b"{}")
        assert await scan(bench.store) == {KEY: LARGE, MANIFEST: 2}
        assert await read(bench.store, KEY) == large.read_bytes()
        assert await remove(bench.store, KEY) == ()
        assert bench.versions() == 1

    @pytest.mark.parametrize(
        ("operation", "fault", "code"),
        [
            ("UploadPart", Fault(status=503, code="SlowDown"), "s3_slow_down"),
            ("CompleteMultipartUpload", Fault(status=500, code="InternalError"), "s3_unavailable"),
        ],
    )
    async def test_always(self, operation: str, fault: Fault, code: str, bench: Bench, large: Path) -> None:
        bench.line.faults[operation] = fault
        assert await bench.fails(put(bench.store, KEY, large)) == code
        bench.line.faults.clear()
        await put(bench.store, KEY, large)
        assert await read(bench.past, KEY) == large.read_bytes()


class TestLineBreaks:
    @pytest.mark.parametrize("after", [0, 100_000])
    async def test_in_every_part(self, after: int, bench: Bench, large: Path) -> None:
        bench.line.faults["UploadPart"] = Fault(cut_request_at=after)
        assert await bench.fails(put(bench.store, KEY, large)) == "connection_lost"

    async def test_in_one_part_which_is_sent_again(self, bench: Bench, large: Path) -> None:
        bench.line.faults["UploadPart"] = Fault(cut_request_at=MIB, times=1)
        await put(bench.store, KEY, large)
        assert await read(bench.past, KEY) == large.read_bytes()

    @pytest.mark.parametrize("operation", ["CompleteMultipartUpload", "PutObject"])
    async def test_when_all_is_done_but_said(
        self, operation: str, bench: Bench, large: Path, source: Callable[[bytes], Path]
    ) -> None:
        """The server has the object and nobody knows: asking again finds it, and adds no second version."""
        bench.line.faults[operation] = Fault(cut_reply_at=0, times=1)
        path = large if operation == "CompleteMultipartUpload" else source(b"small")
        await put(bench.store, KEY, path)
        assert await read(bench.past, KEY) == path.read_bytes()
        assert bench.versions() == 1
        assert bench.uploads() == 0

    async def test_while_reading(self, bench: Bench, large: Path) -> None:
        await put(bench.past, KEY, large)
        bench.line.faults["GetObject"] = Fault(cut_reply_at=LARGE - MIB)
        with pytest.raises(StoreError) as caught:
            await read(bench.store, KEY)
        assert (caught.value.code, caught.value.retryable) == ("connection_lost", True)

    async def test_altering_what_passes(self, bench: Bench, large: Path, source: Callable[[bytes], Path]) -> None:
        for operation, path in (("UploadPart", large), ("PutObject", source(os.urandom(MIB)))):
            bench.line.faults = {operation: Fault(flip=True)}
            assert await bench.fails(put(bench.store, KEY, path)) == "checksum_mismatch"


class TestFileChanges:
    """The file is read once for its hash and once more to be sent: what differs between the two is found out."""

    @pytest.mark.parametrize(("operation", "size"), [("UploadPart", 11 * MIB), ("PutObject", MIB)])
    async def test_between_both(self, operation: str, size: int, bench: Bench, source: Callable[[bytes], Path]) -> None:
        path = source(os.urandom(size))

        async def alter() -> None:
            with path.open("r+b") as file:
                file.write(bytes([path.read_bytes()[0] ^ 1]))

        bench.line.faults[operation] = Fault(
            status=503, pause=alter, times=1
        )  # then it is read again, to be sent again
        assert await bench.fails(put(bench.store, KEY, path)) == "checksum_mismatch"


class TestCancelled:
    async def test_while_a_part_hangs(self, bench: Bench, large: Path) -> None:
        hanging, go_on = asyncio.Event(), asyncio.Event()

        async def hang() -> None:
            hanging.set()
            await go_on.wait()

        async def cancel() -> None:
            await hanging.wait()
            group.cancel_scope.cancel()
            go_on.set()

        bench.line.faults["UploadPart"] = Fault(pause=hang)
        async with anyio.create_task_group() as group:
            group.start_soon(put, bench.store, KEY, large)
            group.start_soon(cancel)
        assert group.cancel_scope.cancel_called
        assert bench.uploads() == 0
        assert bench.versions() == 0
        assert bench.line.seen["AbortMultipartUpload"] == 1
        assert bench.line.seen["UploadPart"] <= 2

    async def test_on_a_slow_line_it_does_not_wait_for_the_part(
        self, server: SeaweedFS, bench: Bench, large: Path
    ) -> None:
        """The line takes nothing any more; the reading of a part ends it, not the last byte of it."""
        began = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", server.ports["s3.port"])

            async def back() -> None:
                while data := await there_reader.read(65536):
                    writer.write(data)

            answers = asyncio.create_task(back())
            try:
                passed = 0
                while data := await reader.read(16384):
                    there_writer.write(data)
                    passed += len(data)
                    if passed > MIB:  # a part of 5 MiB would take half a minute
                        began.set()
                        await asyncio.sleep(0.1)
            finally:
                answers.cancel()
                there_writer.close()

        async with listening(slow) as port:
            store = S3Store(
                server.destination(
                    bench.bucket, prefix=bench.prefix, part_size=SMALL_PARTS, endpoint_url=f"http://127.0.0.1:{port}"
                ),
                Network(),
            )
            async with anyio.create_task_group() as group:
                group.start_soon(put, store, KEY, large)
                await began.wait()
                since = time.monotonic()
                group.cancel_scope.cancel()
            assert time.monotonic() - since < 10
        assert bench.uploads() == 0
        assert bench.versions() == 0


async def test_the_server_dies_while_a_file_is_sent(large: Path) -> None:
    with seaweedfs() as server:
        async with bad_line(server.ports["s3.port"]) as line:
            bench = Bench(server, line)

            async def die() -> None:
                server.kill()

            line.faults["UploadPart"] = Fault(pause=die, times=1)
            with pytest.raises(StoreError) as caught:
                await put(bench.store, KEY, large)
            assert caught.value.code in {"connection_lost", "connect_failed"}
            assert caught.value.retryable
            await anyio.to_thread.run_sync(server.start)
            assert bench.versions() == 0
            assert bench.uploads() == 1  # nobody could abort it
            await bench.store.tidy(KEY)
            assert bench.uploads() == 0
            await put(bench.store, KEY, large)
            assert await read(bench.past, KEY) == large.read_bytes()
