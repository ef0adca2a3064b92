"""LeanIX's envelopes, and the wrapper that gives every reply the server's own `Date`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    "<body><h1>We'll be right back</h1><p>SAP LeanIX is being maintained.</p></body></html>"
)


@dataclass(slots=True)
class Exchange:
    """A request that came, and what it was answered with; instants are world time.

    `status` is None where no answer has begun, or the connection broke before that. `path` is without the query, since
    keys stand there.
    """

    asked_at: datetime
    method: str
    path: str
    status: int | None = None
    retry_after: str | None = None
    ended_at: datetime | None = None


class Refused(Exception):  # noqa: N818  (it is an answer, not a mistake of ours)
    """Answer with an error envelope."""

    def __init__(self, status: int, message: str, *, value: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.value = value
        self.headers = headers


def error_reply(refused: Refused) -> Response:
    """The envelope of an error."""
    return JSONResponse(
        {
            "status": "ERROR",
            "type": "Error",
            "errorMessage": refused.message,
            "errors": [{"value": refused.value, "messages": [refused.message]}],
        },
        refused.status,
        refused.headers,
    )


def maintenance_reply(status: int = 503, headers: dict[str, str] | None = None) -> Response:
    """The HTML page of a system under maintenance."""
    return HTMLResponse(MAINTENANCE_PAGE, status, headers)


def envelope(kind: str, data: Any, **more: Any) -> Response:
    """A successful answer."""
    return JSONResponse({"status": "OK", "type": kind, "data": data, **more})


def instant(moment: datetime, digits: int = 6) -> str:
    """Write an instant as LeanIX does: UTC, `Z`, that many fraction digits (cut, not rounded)."""
    moment = moment.astimezone(UTC)
    fraction = f"{moment.microsecond:06d}000"[:digits]
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' if fraction else ''}{fraction}Z"


def http_date(moment: datetime) -> str:
    """Write an instant as HTTP headers do, to the second."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


class ServerDate:
    """Give every reply a `Date` header by the simulated server's clock."""

    def __init__(self, app: ASGIApp, now: Callable[[], datetime]) -> None:
        self._app = app
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"date", http_date(self._now()).encode())]
            await send(message)

        await self._app(scope, receive, dated)


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Send what is still on its way, close the connection and wait until it is closed."""
    scope["state"]["transport"].close()
    while (await receive())["type"] != "http.disconnect":
        pass
