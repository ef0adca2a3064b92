"""A door before the simulated LeanIX: it can be shut, so that connections are refused, and it can speak TLS."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urlsplit

_LOOK_EVERY_S = 0.001


@dataclass(slots=True)
class Front:
    """The door; what passes through it has a length.

    Attributes:
        server_url: What is behind it.
        working: Entered while it works for whoever asked.
        shuts: Asked before an answer is passed on: whether it is the last one before the door is shut.
        opens: Asked while it is shut: whether it opens again.
        tls: Whether, and how, it speaks TLS.
        url: Where it is.
    """

    server_url: str
    working: Callable[[], AbstractContextManager[None]]
    shuts: Callable[[], bool]
    opens: Callable[[], bool]
    tls: ssl.SSLContext | None = None
    url: str = ""
    _listener: socket.socket = field(init=False)
    _port: int = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def listen(self, *, shut: bool) -> None:
        """Take a port; where the door is shut already, nobody listens there yet."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self._port}"
        if shut:
            self.shut()

    def shut(self) -> None:
        """Refuse connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else whoever waits for a connection would go on to
        self._listener.close()

    def serve(self) -> None:
        """Let connections through until stopped."""
        while not self._stopping.is_set():
            try:
                caller, _ = self._listener.accept()
            except OSError:
                self._wait_until_open()
                continue
            threading.Thread(target=self._talk, args=(caller,), daemon=True).start()

    def stop(self) -> None:
        """End for good."""
        self._stopping.set()
        self.shut()

    def _wait_until_open(self) -> None:
        while not self._stopping.is_set() and not self.opens():
            time.sleep(_LOOK_EVERY_S)
        if not self._stopping.is_set():
            self._listener = socket.create_server(("127.0.0.1", self._port))

    def _talk(self, caller: socket.socket) -> None:
        where = urlsplit(self.server_url)
        with suppress(OSError), caller, socket.create_connection((where.hostname, where.port)) as server:
            near = self.tls.wrap_socket(caller, server_side=True) if self.tls else caller
            with near, near.makefile("rb") as asked, server.makefile("rb") as answered:
                while first := asked.readline():
                    with self.working():
                        server.sendall(first + _rest_of(asked))
                        answer = answered.readline() + _rest_of(answered)
                        if last := self.shuts():
                            self.shut()
                        near.sendall(answer)
                    if last:
                        return


def _rest_of(message: BinaryIO) -> bytes:
    """Read a message after its first line, to the end that its length says."""
    head, length = b"", 0
    while not head.endswith(b"\r\n\r\n"):
        line = message.readline()
        if not line:
            raise ConnectionError
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
        head += line
        if line == b"\r\n":
            break
    return head + message.read(length)


@contextmanager
def fronting(
    server_url: str,
    *,
    working: Callable[[], AbstractContextManager[None]],
    shut: bool = False,
    shuts: Callable[[], bool] = lambda: False,
    opens: Callable[[], bool] = lambda: False,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Front]:
    """Stand before a server while the block runs."""
    front = Front(server_url, working, shuts, opens, tls)
    front.listen(shut=shut)
    thread = threading.Thread(target=front.serve, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        front.stop()
        thread.join(10)
