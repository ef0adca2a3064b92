"""A workspace whose list of exports changes with a clock that only sleeping moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
import respx
import stamina

from leanix_backup.clock import format_utc
from leanix_backup.events import Log
from leanix_backup.leanix import LeanixClient, TokenSource, Transport
from leanix_backup.model import ExportType
from leanix_backup.sources.full_export import FullExport
from leanix_backup.sources.watch import Pace, Watch
from tests.support.fake_time import FakeTime
from tests.support.jwt import access_token

BASE = "https://acme.leanix.net"
EXPORTS = "/services/pathfinder/v1/exports"
US = "user-1"


@dataclass
class Row:
    """One row: `appears` seconds after the start it is there, and until `vanishes`; its status goes by `statuses`."""

    id: str
    user: str | None = US
    type: str = "SNAPSHOT"
    appears: float = 0.0
    created: float | None = None
    vanishes: float = 1e12
    statuses: dict[float, str] = field(default_factory=lambda: {0.0: "STARTED"})
    key: str | None = "k3y"
    more: dict[str, Any] = field(default_factory=dict)

    def at(self, seconds: float, server_now: datetime) -> dict[str, Any] | None:
        if not self.appears <= seconds < self.vanishes:
            return None
        status = [each for since, each in sorted(self.statuses.items()) if since <= seconds][-1]
        created = self.appears if self.created is None else self.created
        row: dict[str, Any] = {
            "id": self.id,
            "type": self.type,
            "status": status,
            "createdAt": format_utc(server_now + timedelta(seconds=created - seconds)),
        }
        if self.user is not None:
            row |= {"userId": self.user, "user": {"id": self.user, "email": "ann@acme.example"}}
        if status == "COMPLETED":
            row["downloadKey"] = self.key
        return row | self.more


class World:
    """The server: rows, faults, and a clock that may be hours off ours."""

    def __init__(self, router: respx.MockRouter, time: FakeTime) -> None:
        self.time = time
        self.rows: list[Row] = []
        self.ahead = timedelta()
        self.says_date = True
        self.start_answer: httpx.Response | Exception | None = None
        self.list_answer: Callable[[float], httpx.Response | Exception | None] = lambda _seconds: None
        self.looked_at: list[float] = []
        self.started_at: list[float] = []
        router.post("/services/mtm/v1/oauth2/token").mock(
            side_effect=lambda _request: httpx.Response(200, json={"access_token": access_token(), "expires_in": 10**7})
        )
        router.post(f"{EXPORTS}/fullExport").mock(side_effect=self._start)
        router.get(EXPORTS).mock(side_effect=self._list)

    @property
    def now(self) -> datetime:
        return self.time.utc_now + self.ahead

    def _headers(self) -> dict[str, str]:
        return {"Date": format_datetime(self.now.astimezone(UTC), usegmt=True)} if self.says_date else {}

    def _start(self, _request: httpx.Request) -> httpx.Response:
        self.started_at.append(self.time.passed)
        if isinstance(self.start_answer, Exception):
            raise self.start_answer
        queued = httpx.Response(200, json={"status": "OK", "data": {"jobId": "job:1"}}, headers=self._headers())
        return self.start_answer or queued

    def _list(self, request: httpx.Request) -> httpx.Response:
        self.looked_at.append(self.time.passed)
        answer = self.list_answer(self.time.passed)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        kind = request.url.params["exportType"]
        found = [row.at(self.time.passed, self.now) for row in self.rows]
        there = [row for row in found if row is not None and row["type"] == kind]
        there.sort(key=lambda row: str(row["createdAt"]), reverse=True)
        start = int(request.url.params.get("cursor", "0"))
        page = there[start : start + 100]
        reply = {"status": "OK", "data": page, "total": len(there), "endCursor": str(start + len(page))}
        return httpx.Response(200, json=reply, headers=self._headers())


@pytest.fixture(autouse=True)
def no_backoff() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10_000):
        yield


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as opened:
        yield opened


@pytest.fixture
def world(router: respx.MockRouter, time: FakeTime) -> World:
    return World(router, time)


@pytest.fixture
async def client(time: FakeTime, world: World) -> AsyncIterator[LeanixClient]:
    assert world.rows == []
    async with Transport() as transport:
        tokens = TokenSource(BASE, lambda: "api-token-one", transport=transport, clock=time.clock, log=Log())
        yield LeanixClient(BASE, tokens, transport=transport, request_timeout_s=5, clock=time.clock, log=Log())


def make_watch(
    client: LeanixClient, time: FakeTime, *, timeout: float = 14400, export: ExportType = ExportType.SNAPSHOT
) -> Watch:
    pace = Pace(first=2, factor=1.2, ceiling=60)
    return Watch(client, export, pace=pace, deadline=time.deadline(timeout), clock=time.clock, log=Log())


def make_export(
    client: LeanixClient,
    time: FakeTime,
    *,
    timeout: float = 14400,
    row_wait: float = 120,
    user_id: str | None = None,
    export: ExportType = ExportType.SNAPSHOT,
) -> tuple[FullExport, Watch]:
    watch = make_watch(client, time, timeout=timeout, export=export)
    made = FullExport(client, export, user_id=user_id, row_wait_s=row_wait, watch=watch, clock=time.clock, log=Log())
    return made, watch
