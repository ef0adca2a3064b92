"""Stand between a process and the simulated LeanIX: kill it during an exchange; remember what was handed out."""

from __future__ import annotations

import hashlib
import http.client
import http.server
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

MOMENTS = ("asked", "answered", "header", "body")
_ARRIVES_S = 0.05
_HOP = {"connection", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class Aim:
    """In which exchange to kill, and when in it.

    `what` is asked for, as `GET /path`, for the time that `number` says, counted from 1: how often the list is looked
    at is not the same each time, so that a number alone would not always be the same exchange.

    `asked`: the server has not seen the request. `answered`: it has, and not a byte of its answer has come. `header`
    and `body`: half of that has come.
    """

    what: str
    number: int
    moment: str


class Relay:
    """What a relay saw.

    Attributes:
        url: Where it listens.
        exchanges: What was asked for so far, as `GET /path`.
        served: The SHA-256 of each download that was handed out whole, by its key.
        victim: The process to kill.
        killed_during: The exchange in which that was done.
    """

    def __init__(self, server_url: str, aim: Aim | None = None) -> None:
        self.url = ""
        self.exchanges: list[str] = []
        self.served: dict[str, str] = {}
        self.victim: int | None = None
        self.aim = aim
        self.killed_during: str | None = None
        self._server = urlsplit(server_url).netloc
        self._lock = threading.Lock()

    def count(self, what: str) -> int:
        with self._lock:
            self.exchanges.append(what)
            return self.exchanges.count(what)

    def ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the server, and read its answer whole."""
        upstream = http.client.HTTPConnection(self._server, timeout=30)
        try:
            upstream.request(method, path, body or None, headers)
            reply = upstream.getresponse()
            content = reply.read()
        finally:
            upstream.close()
        if "/downloads/" in path and reply.status == http.HTTPStatus.OK:
            key = parse_qs(urlsplit(path).query)["key"][0]
            self.served[key] = hashlib.sha256(content).hexdigest()
        return reply.status, reply.getheaders(), content

    def kill_if(self, what: str, number: int, moment: str) -> bool:
        """Kill, if this is the exchange and the moment."""
        if self.killed_during or self.victim is None or self.aim != Aim(what, number, moment):
            return False
        if moment in ("header", "body"):
            time.sleep(_ARRIVES_S)  # what was sent is to be read, which nothing here can see
        self.killed_during = what
        os.kill(self.victim, signal.SIGKILL)
        return True


@contextmanager
def relaying(server_url: str, aim: Aim | None = None) -> Iterator[Relay]:
    """Relay to a server while the block runs."""
    relay = Relay(server_url, aim)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _relay(self) -> None:
            what = f"{self.command} {urlsplit(self.path).path}"
            number = relay.count(what)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with suppress(OSError):  # the one who asked is dead
                self._exchange(what, number, body)
                return
            self.close_connection = True

        def _exchange(self, what: str, number: int, body: bytes) -> None:
            if relay.kill_if(what, number, "asked"):
                raise ConnectionAbortedError
            status, headers, content = relay.ask(self.command, self.path, body, dict(self.headers))
            if relay.kill_if(what, number, "answered"):
                raise ConnectionAbortedError
            head = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in headers if name.lower() not in _HOP)
            whole = f"{head}\r\n".encode()
            self._send(whole[: len(whole) // 2])
            if relay.kill_if(what, number, "header"):
                raise ConnectionAbortedError
            self._send(whole[len(whole) // 2 :] + content[: len(content) // 2])
            if relay.kill_if(what, number, "body"):
                raise ConnectionAbortedError
            self._send(content[len(content) // 2 :])

        def _send(self, data: bytes) -> None:
            self.wfile.write(data)
            self.wfile.flush()

        do_GET = do_POST = _relay  # noqa: N815 -- names that http.server looks for

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Be silent."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        @override
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Be silent: whoever asked was killed."""

    with Server(("127.0.0.1", 0), Handler) as server:
        relay.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            server.shutdown()
            thread.join(10)
