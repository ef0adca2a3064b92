"""A little forward proxy on loopback: absolute URLs, CONNECT, Basic auth, and a name service of its own."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.raw_server import Request, listening, read_request, reply


@dataclass
class ForwardProxy:
    """The proxy while it runs; `asked` has what was asked of it, as `METHOD target`."""

    hosts: Mapping[str, int]
    credentials: str | None
    asked: list[str] = field(default_factory=list)
    refused: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        who = f"{self.credentials}@" if self.credentials else ""
        return f"http://{who}127.0.0.1:{self.port}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        if request is None:
            return
        self.asked.append(f"{request.method} {request.target}")
        if self.credentials is not None:
            expected = "Basic " + base64.b64encode(self.credentials.encode()).decode()
            if request.headers.get("proxy-authorization") != expected:
                self.refused += 1
                writer.write(reply(407, reason="Proxy Authentication Required", Proxy_Authenticate="Basic"))
                await writer.drain()
                return
        with suppress(ConnectionError):
            await self._forward(request, reader, writer)

    async def _forward(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tunnel = request.method == "CONNECT"
        parts = urlsplit(f"//{request.target}" if tunnel else request.target)
        port = self.hosts.get(parts.hostname or "")
        if port is None:
            writer.write(reply(502, reason="No such host"))
            await writer.drain()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        if tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            headers = {name: value for name, value in request.headers.items() if not name.startswith("proxy-")}
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            there_writer.write(f"{request.method} {target} HTTP/1.1\r\n{head}\r\n".encode() + request.body)
        try:
            back = asyncio.create_task(_pipe(there_reader, writer))
            await _pipe(reader, there_writer)
            await back
        finally:
            there_writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@asynccontextmanager
async def forward_proxy(hosts: Mapping[str, int], *, credentials: str | None = None) -> AsyncIterator[ForwardProxy]:
    """Run a proxy that knows these hosts, each as a port of loopback; `credentials` are `user:password`."""
    proxy = ForwardProxy(hosts, credentials)
    async with listening(proxy.talk) as port:
        proxy.port = port
        yield proxy
