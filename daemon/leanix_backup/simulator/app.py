"""The simulated LeanIX as an ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leanix_backup.simulator.admin import Admin
from leanix_backup.simulator.downloads import Downloads
from leanix_backup.simulator.replies import Exchange, Refused, ServerDate, error_reply
from leanix_backup.simulator.services import Services
from leanix_backup.simulator.timing import answering

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
    app = Starlette(routes=routes, exception_handlers={Refused: _refused})
    return ServerDate(_Door(app, services), services.clock.server_now)


class _Door:
    """Count, note and delay each request that is not the admin's."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/admin"):
            await self._app(scope, receive, send)
            return
        services = self._services
        exchange = Exchange(services.clock.now(), scope["method"], scope["path"])
        services.journal.append(exchange)
        services.counters["requests"] += 1

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = {name.lower(): value.decode("latin-1") for name, value in message["headers"]}
                exchange.retry_after = headers.get(b"retry-after")
            await send(message)

        try:
            with answering(services.clock.timing):
                await services.clock.timing.sleep(services.switches.latency_s)
                await self._app(scope, receive, noted)
        finally:
            exchange.ended_at = services.clock.now()


def _refused(_request: Request, refused: Exception) -> Response:
    if not isinstance(refused, Refused):
        raise TypeError("registered for Refused only") from refused
    return error_reply(refused)
