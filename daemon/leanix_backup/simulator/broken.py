"""Answers that break on their way, or that say something else than LeanIX's own words."""

from __future__ import annotations

import socket
import struct
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from leanix_backup.simulator.replies import MAINTENANCE_PAGE, hang_up, maintenance_reply
from leanix_backup.simulator.switches import Breakage
from leanix_backup.simulator.timing import held_back

_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER for no seconds: closing sends a reset


class Broken(Response):
    """Send an answer in part, or not at all.

    Args:
        whole: The answer as it should be.
        how: `cut`: the connection is closed without a byte; `cut_header`, `cut_body`: it is reset in the midst of that;
            `stall`: nothing comes; `stall_body`: nothing more after half the body; `cut_json`: half the body, as if it
            were the whole.
    """

    def __init__(self, whole: Response, how: Breakage) -> None:
        super().__init__(whole.body, whole.status_code, dict(whole.headers))
        self._how = how
        self._half = self.body[: len(self.body) // 2]

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        how = self._how
        if how == "cut":
            await hang_up(scope, receive)
        elif how == "stall":
            await fall_silent(receive)
        elif how == "cut_header":
            await reset_in_header(scope, receive)
        elif how == "cut_json":
            await Response(self._half, self.status_code, {"content-type": "application/json"})(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self._half, "more_body": True})
            await (reset(scope, receive) if how == "cut_body" else fall_silent(receive))


async def fall_silent(receive: Receive) -> None:
    """Say nothing until the other side has gone."""
    with held_back():
        while (await receive())["type"] != "http.disconnect":
            pass


async def reset(scope: Scope, receive: Receive) -> None:
    """Reset the connection: what has been sent may still arrive."""
    transport = scope["state"]["transport"]
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
    await fall_silent(receive)


async def begin_header(scope: Scope) -> None:
    """Send the first half of an answer's header."""
    scope["state"]["transport"].write(b"HTTP/1.1 200 OK\r\nContent-Type: applica")


async def reset_in_header(scope: Scope, receive: Receive) -> None:
    """Reset the connection in the midst of an answer's header."""
    await begin_header(scope)
    await reset(scope, receive)


def odd_reply(what: str, status: int = 503, headers: dict[str, str] | None = None) -> Response:
    """Answer with something else than LeanIX's own words.

    Args:
        what: `html`: a maintenance page, `html200` the same with a 200; `error200`: an error's envelope with a 200.
        status: Of `html`.
        headers: Of `html`.
    """
    if what == "error200":
        return JSONResponse(
            {
                "status": "ERROR",
                "type": "Error",
                "errorMessage": "Something went wrong",
                "errors": [{"value": None, "messages": ["Something went wrong"]}],
            }
        )
    return (
        Response(MAINTENANCE_PAGE, media_type="text/html") if what == "html200" else maintenance_reply(status, headers)
    )


def odd_rows(rows: list[dict[str, Any]], what: str) -> Any:
    """Give the list's rows other types than documented.

    Args:
        rows: As documented.
        what: `odd_types`: an object in place of the list; `odd_rows`: rows that are no objects; `odd_ids`: ids that
            are numbers; `odd_statuses`: no status.
    """
    if what == "odd_types":
        return {row["id"]: row for row in rows}
    if what == "odd_rows":
        return [[row["id"], row["status"]] for row in rows]
    if what == "odd_ids":
        return [row | {"id": int(row["id"].replace("-", "")[:12], 16)} for row in rows]
    return [row | {"status": None} for row in rows]
