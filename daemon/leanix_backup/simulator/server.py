"""Start and stop a simulated LeanIX: a real HTTP server on a loopback port."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from leanix_backup.errors import UsageError
from leanix_backup.simulator.admin import fact_sheet_ids
from leanix_backup.simulator.app import make_app
from leanix_backup.simulator.clock import SimClock
from leanix_backup.simulator.downloads import Downloads
from leanix_backup.simulator.replies import Exchange
from leanix_backup.simulator.services import Services
from leanix_backup.simulator.serving import QuietServer, bind
from leanix_backup.simulator.settings import SimulatorSettings
from leanix_backup.simulator.switches import Switches
from leanix_backup.simulator.timing import Timing
from leanix_backup.simulator.workspace import SimulatedWorkspace


class SimulatedLeanix:
    """A simulated LeanIX while the `async with` lasts.

    It serves in the running event loop, touches no signals and writes no logs. On exit transfers are cut and all its
    files are removed.

    Attributes:
        settings: What it was started with.
        switches: May be changed at any time.
        clock: May be advanced, sped up and put off at any time.
        counters: How often each endpoint was used; see `Services` and `Downloads`.
        workspaces: The simulated workspaces, the default one first.
    """

    def __init__(
        self,
        settings: SimulatorSettings | None = None,
        switches: Switches | None = None,
        *,
        timing: Timing | None = None,
    ) -> None:
        self.settings = settings or SimulatorSettings()
        self.switches = switches or Switches()
        self.clock = SimClock(
            start=self.settings.start, speed=self.settings.speed, skew=self.settings.skew, timing=timing
        )
        self.workspaces: list[SimulatedWorkspace] = []
        self.counters: Counter[str] = Counter()
        self.url = ""
        self.blob_url = ""
        self._services: Services | None = None
        self._server: QuietServer | None = None
        self._stopping = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    @property
    def api_token(self) -> str:
        """The default workspace's API token."""
        return self.default.settings.api_token

    @property
    def journal(self) -> list[Exchange]:
        """The last requests, in the order in which they came."""
        return list(self._services.journal) if self._services else []

    @property
    def bearers(self) -> list[str]:
        """The last bearer tokens that were given out, also those that were revoked."""
        return list(self._services.tokens.issued) if self._services else []

    @property
    def workspace_id(self) -> str:
        """The default workspace's id."""
        return self.default.settings.workspace_id

    @property
    def user_id(self) -> str:
        """The id of the default workspace's technical user, as tokens and (mostly) rows say it."""
        return self.default.settings.user_id

    @property
    def default(self) -> SimulatedWorkspace:
        """The first workspace."""
        return self.workspaces[0]

    def workspace(self, name: str) -> SimulatedWorkspace:
        """The workspace of that name. Raises KeyError where there is none."""
        for workspace in self.workspaces:
            if workspace.settings.name == name:
                return workspace
        raise KeyError(name)

    async def fact_sheets(self, *, archived: bool = False, workspace: str | None = None) -> dict[str, list[str]]:
        """Ids of a workspace's fact sheets by type, as of now."""
        found = self.workspace(workspace) if workspace else self.default
        return await found.look(lambda world: fact_sheet_ids(world, archived=archived))

    def revoke_tokens(self) -> None:
        """Make every bearer token that was given out unknown."""
        if self._services:
            self._services.tokens.revoke()

    def rotate_api_token(self, new: str, *, workspace: str | None = None) -> None:
        """Replace a workspace's API token; the old one is refused at once, bearers live on."""
        found = self.workspace(workspace) if workspace else self.default
        found.settings = replace(found.settings, api_token=new)

    def go_offline(self) -> None:
        """Refuse connections from now on, and cut those that are open; the world and its exports go on."""
        if self._server:
            self._server.go_offline()

    async def go_online(self) -> None:
        """Accept connections again, at the same address."""
        if self._server:
            await self._server.go_online()

    async def __aenter__(self) -> Self:
        if not _is_loopback(self.settings.host):
            raise UsageError(
                f"the simulated LeanIX can't listen on {self.settings.host}",
                hint="nothing in it is protected: a loopback address only",
            )
        # A task of its own holds everything: whoever enters may leave from another task, as test fixtures do.
        ready = asyncio.Event()
        self._life = asyncio.create_task(self._live(ready))
        started = asyncio.create_task(ready.wait())
        await asyncio.wait((self._life, started), return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set():
            started.cancel()
            await self._life
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Cut what is open, stop serving and remove all files; does nothing the second time."""
        if self._life is not None:
            self._stopping.set()
            with anyio.CancelScope(shield=True):
                await asyncio.wait((self._life,))
            self._life.result()

    async def _live(self, ready: asyncio.Event) -> None:
        with tempfile.TemporaryDirectory(prefix="simulated-leanix-") as name, ExitStack() as listeners:
            main = listeners.enter_context(_listen(self.settings.host, self.settings.port))
            other = listeners.enter_context(_listen(self.settings.host, 0))
            self.url, self.blob_url = _url(main), _url(other)
            folder = Path(name)
            start = self.clock.now()
            self.workspaces = [
                SimulatedWorkspace(one, self.clock, self.switches, start=start, folder=folder)
                for one in self.settings.all_workspaces
            ]
            self._services = Services(self.clock, self.switches, self.workspaces)
            self.counters = self._services.counters
            downloads = Downloads(self._services, folder)
            app = make_app(self._services, downloads, admin=self.settings.admin)
            downloads.other_origin = self.blob_url
            async with anyio.create_task_group() as tasks:
                for workspace in self.workspaces:
                    tasks.start_soon(workspace.run)
                self._server = QuietServer(app, ready, self._stopping)
                tasks.start_soon(self._server.serve, [main, other])
                try:
                    await self._stopping.wait()
                finally:
                    for workspace in self.workspaces:
                        workspace.stop()


@contextmanager
def simulated_leanix_thread(
    settings: SimulatorSettings | None = None, switches: Switches | None = None, *, timing: Timing | None = None
) -> Iterator[SimulatedLeanixThread]:
    """Run a simulated LeanIX in a thread of its own, for callers that are not async."""
    with start_blocking_portal() as portal:
        sim = SimulatedLeanix(settings, switches, timing=timing)
        with portal.wrap_async_context_manager(sim):
            yield SimulatedLeanixThread(sim, portal)


class SimulatedLeanixThread:
    """A simulated LeanIX that lives in another thread.

    Reading its attributes, changing switches and advancing its clock is safe from here; the rest goes through its
    methods, which wait for that thread.
    """

    def __init__(self, sim: SimulatedLeanix, portal: BlockingPortal) -> None:
        self._sim = sim
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sim, name)

    def fact_sheets(self, *, archived: bool = False, workspace: str | None = None) -> dict[str, list[str]]:
        """Ids of a workspace's fact sheets by type, as of now."""
        return self._portal.call(lambda: self._sim.fact_sheets(archived=archived, workspace=workspace))

    def go_offline(self) -> None:
        """Refuse connections from now on, and cut those that are open."""
        self._portal.call(self._sim.go_offline)

    def go_online(self) -> None:
        """Accept connections again."""
        self._portal.call(self._sim.go_online)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return bind(host, port)
    except OSError as error:
        raise UsageError(
            f"the simulated LeanIX can't listen on {host}:{port}: {error.strerror}", hint="port 0 takes a free one"
        ) from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
