"""The admin endpoint: see and change how the simulated LeanIX behaves. No authentication, so loopback only."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leanix_backup.model import ExportType
from leanix_backup.simulator import schema
from leanix_backup.simulator.exports import Export, foreign_user
from leanix_backup.simulator.replies import Refused, instant
from leanix_backup.simulator.rows import row_json
from leanix_backup.simulator.services import Services
from leanix_backup.simulator.switches import SwitchError, describe
from leanix_backup.simulator.workspace import SimulatedWorkspace
from leanix_backup.simulator.world import World


class Admin:
    """Routes below `/admin`; `workspace=NAME` picks one where there are several."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """What to add to the application."""
        return [
            Route("/admin/state", self.state),
            Route("/admin/switches", self.switches),
            Route("/admin/switches", self.change_switches, methods=["PATCH"]),
            Route("/admin/time", self.time, methods=["POST"]),
            Route("/admin/tokens/revoke", self.revoke, methods=["POST"]),
            Route("/admin/exports", self.add_export, methods=["POST"]),
            Route("/admin/world/fact-sheets", self.fact_sheets),
        ]

    async def state(self, request: Request) -> Response:
        """Switches, counters, clock, exports; with `world=true` also what the world holds."""
        services = self._services
        workspace = self._workspace(request)
        workspace.settle()
        answer: dict[str, Any] = {
            "switches": services.switches.as_json(),
            "counters": dict(services.counters),
            "clock": self._clock(),
            "workspaces": [
                {
                    "name": one.settings.name,
                    "id": one.settings.workspace_id,
                    "user_id": one.settings.user_id,
                    "exports": [self._export(one, export) for export in one.book.exports],
                }
                for one in services.workspaces
            ],
        }
        if request.query_params.get("world") == "true":
            answer["world"] = await workspace.look(_summary)
        return JSONResponse(answer)

    async def switches(self, _request: Request) -> Response:
        """What each switch does and how it stands."""
        values = self._services.switches.as_json()
        return JSONResponse({name: {"value": values[name], "doc": doc} for name, doc in describe().items()})

    async def change_switches(self, request: Request) -> Response:
        """Merge a JSON object into the switches."""
        try:
            self._services.switches.merge(await _json(request))
        except SwitchError as error:
            raise Refused(400, f"{error.message} ({error.hint})" if error.hint else error.message) from None
        return JSONResponse(self._services.switches.as_json())

    async def time(self, request: Request) -> Response:
        """Jump ahead (`advance_s`), set the speed (`speed`), put the server's clock off (`skew_s`)."""
        wanted = await _json(request)
        clock = self._services.clock
        unknown = set(wanted) - {"advance_s", "speed", "skew_s"}
        numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in wanted.values())
        if unknown or not numbers or wanted.get("advance_s", 0) < 0 or wanted.get("speed", 0) < 0:
            raise Refused(400, "advance_s and speed (zero or more) and skew_s are numbers", value=str(sorted(unknown)))
        clock.advance(wanted.get("advance_s", 0))
        clock.speed = wanted.get("speed", clock.speed)
        clock.skew = timedelta(seconds=wanted.get("skew_s", clock.skew.total_seconds()))
        return JSONResponse(self._clock())

    async def revoke(self, _request: Request) -> Response:
        """Make every bearer token unknown."""
        self._services.tokens.revoke()
        return JSONResponse({})

    async def add_export(self, request: Request) -> Response:
        """Put a row of someone else into the list: `type`, `status`, `offset_s` from now, `own` for our own user."""
        wanted = await _json(request)
        workspace = self._workspace(request)
        now = workspace.settle()
        try:
            kind = ExportType(wanted.get("type", "SNAPSHOT"))
            at = now + timedelta(seconds=float(wanted.get("offset_s", 0)))
        except (TypeError, ValueError) as error:
            raise Refused(400, str(error)) from None
        status = str(wanted.get("status", "COMPLETED"))
        user = foreign_user(len(workspace.book.exports))
        if wanted.get("own"):
            user = user._replace(id=workspace.settings.user_id)
        made = workspace.book.add_foreign(kind, at, status=status, user=user, lives_from=max(at, now))
        return JSONResponse(self._export(workspace, made), 201)

    async def fact_sheets(self, request: Request) -> Response:
        """Ids by type, as of now; `archived=true` for the archived ones."""
        archived = request.query_params.get("archived") == "true"
        ids = await self._workspace(request).look(lambda world: fact_sheet_ids(world, archived=archived))
        return JSONResponse(ids)

    def _workspace(self, request: Request) -> SimulatedWorkspace:
        name = request.query_params.get("workspace")
        workspaces = self._services.workspaces
        if not name:
            return workspaces[0]
        found = next((one for one in workspaces if one.settings.name == name), None)
        if found is None:
            raise Refused(404, "no such workspace", value=name)
        return found

    def _clock(self) -> dict[str, Any]:
        clock = self._services.clock
        return {
            "world": instant(clock.now()),
            "server": instant(clock.server_now()),
            "speed": clock.speed,
            "skew_s": clock.skew.total_seconds(),
        }

    def _export(self, workspace: SimulatedWorkspace, export: Export) -> dict[str, Any]:
        row = row_json(export, workspace.settings, self._services.switches, self._services.clock)
        return {
            **row,
            "own": export.user is None,
            "jobId": export.job_id or None,
            "spent": export.spent,
            "gone": export.gone,
            "downloads": export.downloads,
            "size_bytes": export.file.stat().st_size if export.file else None,
        }


def fact_sheet_ids(world: World, *, archived: bool = False) -> dict[str, list[str]]:
    """Ids of the world's fact sheets by type, sorted."""
    rows = [kept.row for kept in world.state.archived.values()] if archived else list(world.state.active.values())
    ids: dict[str, list[str]] = {kind: [] for kind in schema.FACT_SHEET_TYPES}
    for row in rows:
        ids[row[schema.TYPE]].append(row[0])
    return {kind: sorted(found) for kind, found in ids.items()}


def _summary(world: World) -> dict[str, Any]:
    return {
        "at": instant(world.time),
        "fact_sheets": {kind: len(ids) for kind, ids in fact_sheet_ids(world).items()},
        "archived": {kind: len(ids) for kind, ids in fact_sheet_ids(world, archived=True).items()},
        "relations": len(world.state.relations),
        "changes": len(world.entries),
    }


async def _json(request: Request) -> dict[str, Any]:
    try:
        content = json.loads(await request.body() or b"{}")
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Refused(400, "the body is a JSON object")
    return content
