"""A plain httpx client for the simulated LeanIX, so that its tests do not lean on the real one."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx

from leanix_backup.simulator import SimulatedLeanix

EXPORTS = "/services/pathfinder/v1/exports"
TOKEN = "/services/mtm/v1/oauth2/token"


class PlainClient:
    """Call the documented endpoints, one method each; `http` for anything else."""

    def __init__(self, http: httpx.AsyncClient, workspace_id: str) -> None:
        self.http = http
        self.workspace_id = workspace_id

    async def login(self, api_token: str) -> httpx.Response:
        form = {"grant_type": "client_credentials"}
        reply = await self.http.post(TOKEN, auth=("apitoken", api_token), data=form)
        if reply.status_code == 200:
            self.http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
        return reply

    async def start(self, kind: str = "SNAPSHOT", **query: str) -> httpx.Response:
        return await self.http.post(f"{EXPORTS}/fullExport", params={"exportType": kind, **query})

    async def list_exports(self, **query: Any) -> httpx.Response:
        return await self.http.get(EXPORTS, params=query)

    async def rows(self, **query: Any) -> list[dict[str, Any]]:
        query = {"exportType": "SNAPSHOT,AUDIT_LOG,ARCHIVE", "pageSize": 100, "sortDirection": "DESC", **query}
        data: list[dict[str, Any]] = (await self.list_exports(**query)).json()["data"]
        return data

    async def finished(self, **query: Any) -> dict[str, Any]:
        """Wait until the newest row is not STARTED and return it."""
        with anyio.fail_after(20):
            while True:
                rows = await self.rows(**query)
                if rows and rows[0]["status"] not in {"STARTED", "THINKING"}:
                    return rows[0]
                await anyio.sleep(0.02)

    async def download(self, key: str, **more: Any) -> httpx.Response:
        return await self.http.get(f"{EXPORTS}/downloads/{self.workspace_id}", params={"key": key}, **more)

    async def take(self, kind: str = "SNAPSHOT", **query: str) -> tuple[dict[str, Any], bytes]:
        """Start an export, wait for it and download it."""
        (await self.start(kind, **query)).raise_for_status()
        row = await self.finished(exportType=kind)
        reply = await self.download(row["downloadKey"])
        reply.raise_for_status()
        return row, reply.content


@asynccontextmanager
async def connected(sim: SimulatedLeanix, *, login: bool = True) -> AsyncIterator[PlainClient]:
    """Connect to a simulated LeanIX as its default workspace's technical user."""
    async with httpx.AsyncClient(base_url=sim.url, trust_env=False, timeout=20) as http:
        client = PlainClient(http, sim.workspace_id)
        if login:
            (await client.login(sim.api_token)).raise_for_status()
        yield client


def claims_of(token: str) -> dict[str, Any]:
    """Decode a token's claims without checking its signature."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
