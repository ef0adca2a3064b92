"""A bad line to an S3 server: it passes requests on, counts them by their S3 names, and spoils those a test says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from tests.support.raw_server import listening, reply

_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """The first part of a request."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def operation(self) -> str:
        """What S3 calls it."""
        parts = urlsplit(self.target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        of_object = parts.path.strip("/").count("/") > 0
        if not of_object:
            return next((operation for name, operation in _OF_BUCKET.items() if name in query), "?")
        for name, operations in _OF_OBJECT.items():
            if name in query:
                return operations.get(self.method, "?")
        return _PLAIN.get(self.method, "?")


_OF_BUCKET = {
    "versions": "ListObjectVersions",
    "uploads": "ListMultipartUploads",
    "list-type": "ListObjectsV2",
    "delete": "DeleteObjects",
}
_OF_OBJECT = {
    "uploads": {"POST": "CreateMultipartUpload"},
    "uploadId": {
        "PUT": "UploadPart",
        "POST": "CompleteMultipartUpload",
        "DELETE": "AbortMultipartUpload",
    },
}
_PLAIN = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}


@dataclass(slots=True)
class Fault:
    """What to do to a request instead of passing it on as it is.

    Attributes:
        status: Answer with this status and `code`, and pass nothing on; 0 passes it on.
        code: What S3 says with the status.
        cut_request_at: Break the connection off after so many bytes of the request's body.
        cut_reply_at: Break it off after so many bytes of the reply, its head included.
        flip: Change one bit of the body's first byte.
        pause: Await this before anything is passed on.
        times: How often it happens.
    """

    status: int = 0
    code: str = "SlowDown"
    cut_request_at: int | None = None
    cut_reply_at: int | None = None
    flip: bool = False
    pause: Callable[[], Awaitable[object]] | None = None
    times: int = 1_000_000


@dataclass
class BadLine:
    """The proxy while it runs; `seen` counts requests by operation, `faults` says what happens to an operation."""

    upstream: int
    port: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Fault] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while (head := await _read_head(reader)) is not None:
                self.seen[head.operation] += 1
                if not await self._serve(head, reader, writer):
                    return

    async def _serve(self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False breaks the connection off."""
        fault = self.faults.get(head.operation, Fault())
        if fault.times <= 0:
            fault = Fault()
        fault.times -= 1
        if "100-continue" in head.headers.get("expect", ""):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
        left = int(head.headers.get("content-length", "0"))
        if fault.pause is not None:
            await fault.pause()
        if fault.status:
            await reader.readexactly(left)
            body = f"<?xml version='1.0'?><Error><Code>{fault.code}</Code><Message>said a test</Message></Error>"
            writer.write(reply(fault.status, b"" if head.method == "HEAD" else body.encode()))
            await writer.drain()
            return True
        if fault.cut_request_at is not None:
            await reader.readexactly(min(left, fault.cut_request_at))
            return False
        return await self._pass_on(head, left, fault, reader, writer)

    async def _pass_on(
        self, head: Head, left: int, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            lines = [f"{name}: {value}" for name, value in head.headers.items() if name not in {"expect", "connection"}]
            first = f"{head.method} {head.target} HTTP/1.1"
            there_writer.write("\r\n".join([first, *lines, "connection: close", "", ""]).encode())
            flip = fault.flip
            while left:
                block = await reader.read(min(left, _BLOCK))
                if not block:
                    return False
                left -= len(block)
                there_writer.write(bytes([block[0] ^ 1]) + block[1:] if flip else block)
                flip = False
                await there_writer.drain()
            if fault.cut_reply_at is not None:
                whole = await there_reader.read()  # the server has done it all: only its word is lost
                writer.write(whole[: fault.cut_reply_at])
                await writer.drain()
                return False
            while data := await there_reader.read(_BLOCK):
                writer.write(data)
                await writer.drain()
            return False  # the server closed its side, and said so in its head
        finally:
            there_writer.close()
            with suppress(ConnectionError):
                await there_writer.wait_closed()


async def _read_head(reader: asyncio.StreamReader) -> Head | None:
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = text.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Head(method, target, headers)


@asynccontextmanager
async def bad_line(upstream: int) -> AsyncIterator[BadLine]:
    """Stand before the server on a port of loopback."""
    line = BadLine(upstream)
    async with listening(line.talk) as port:
        line.port = port
        yield line
