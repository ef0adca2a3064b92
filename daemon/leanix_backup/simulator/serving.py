"""Uvicorn as the simulated LeanIX needs it: silent, without signals, and at once gone when told so."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol


class QuietServer(uvicorn.Server):
    """Uvicorn without its signals, its ticks and its patience with open transfers."""

    def __init__(self, app: ASGIApp, ready: asyncio.Event, stopping: asyncio.Event) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                date_header=False,
                server_header=False,
            )
        )
        self._ready = ready
        self._stopping = stopping
        self._bound: list[socket.socket] = []

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    @override
    async def main_loop(self) -> None:
        await self._stopping.wait()

    def go_offline(self) -> None:
        """Refuse connections, as a machine does on which nothing listens, and cut those that are open.

        The ports are kept, so that nobody else is given them meanwhile.
        """
        addresses = [server.sockets[0].getsockname() for server in self.servers]
        for server in self.servers:
            server.close()
        self.servers = []
        self._bound += [bind(*address[:2]) for address in addresses]
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def go_online(self) -> None:
        """Accept connections again, at the same addresses."""
        loop = asyncio.get_running_loop()
        for bound in self._bound:
            self.servers.append(await loop.create_server(self._protocol, sock=bound, backlog=self.config.backlog))
        self._bound = []

    def _protocol(self) -> asyncio.Protocol:
        return _Protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for bound in self._bound:
            bound.close()
        await super().shutdown(sockets)


def bind(host: str, port: int) -> socket.socket:
    """Take a port, 0 being any free one; nobody listens there yet. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Said to be TCP, asyncio switches Nagle's delay off; without it, each reply in two pieces takes 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


class _Protocol(H11Protocol):
    """Let the application see its connection, so that it can cut it."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}
