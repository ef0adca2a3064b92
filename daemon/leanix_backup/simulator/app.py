"""The simulated LeanIX as an ASGI application."""

from __future__ import annotations

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from leanix_backup.simulator.admin import Admin
from leanix_backup.simulator.downloads import Downloads
from leanix_backup.simulator.replies import HungUp, Refused, ServerDate, error_reply, hang_up
from leanix_backup.simulator.services import Services

_PATHFINDER = "/services/pathfinder/v1"
_MTM = "/services/mtm/v1"


def make_app(services: Services, downloads: Downloads, *, admin: bool) -> ASGIApp:
    """Put the endpoints together."""
    routes = [
        Route(f"{_MTM}/oauth2/token", services.token, methods=["POST"]),
        Route(f"{_MTM}/technicalusers", services.technical_users),
        Route(f"{_PATHFINDER}/exports/fullExport", services.full_export, methods=["POST"]),
        Route(f"{_PATHFINDER}/exports/downloads/{{workspace_id}}", downloads.download),
        Route(f"{_PATHFINDER}/exports", services.exports),
        Route("/blob/{ticket}", downloads.blob),
        *(Admin(services).routes() if admin else ()),
    ]
    app = Starlette(routes=routes, exception_handlers={Refused: _refused, HungUp: _hung_up})
    return ServerDate(_Door(app, services), services.clock.server_now)


class _Door:
    """Count and delay each request that is not the admin's."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not scope["path"].startswith("/admin"):
            self._services.counters["requests"] += 1
            await anyio.sleep(self._services.switches.latency_s)
        await self._app(scope, receive, send)


def _refused(_request: Request, refused: Exception) -> Response:
    if not isinstance(refused, Refused):
        raise TypeError("registered for Refused only") from refused
    return error_reply(refused)


def _hung_up(_request: Request, _hung_up: Exception) -> Response:
    return _Silence()


class _Silence(Response):
    """No answer at all."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await hang_up(scope, receive)
