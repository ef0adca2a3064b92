"""A server on loopback that says exactly what a test wants said, byte by byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: the target is what stood in the first line, names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


Answer = bytes | Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def reply(status: int, body: bytes = b"", *, reason: str = "X", **headers: str) -> bytes:
    """Make a whole answer; `content_type="a/b"` becomes `Content-Type: a/b`."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if not {name.lower() for name in given} & {"content-length", "transfer-encoding"}:
        given["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} {reason}\r\n{head}\r\n".encode() + body


@dataclass
class RawServer:
    """The server while it runs; `answers` are given one after the other, the last one again and again."""

    answers: list[Answer]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    scheme: str = "http"
    port: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while (request := await read_request(reader)) is not None:
                self.requests.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(request, writer)
                if writer.is_closing():
                    break


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read a request; None where the other side has gone."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


@asynccontextmanager
async def listening(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Listen on a free port of loopback; when the block ends, whatever is still being said is cut off."""
    talking: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talking.add(task)
        try:
            await talk(reader, writer)
        except asyncio.CancelledError:  # the end of the block: asyncio would report it as an error of the handler
            pass
        finally:
            talking.discard(task)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        tasks = list(talking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def raw_server(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Serve these answers."""
    server = RawServer(list(answers), scheme="https" if tls else "http")
    async with listening(server.talk, tls=tls) as port:
        server.port = port
        yield server
