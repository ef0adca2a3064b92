"""What is asked of a workspace: paging, what may be sent twice and what must not, and who gets the bearer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from leanix_backup.errors import LeanixError
from leanix_backup.events import Event
from leanix_backup.leanix import ExportList, LeanixClient, Transport
from leanix_backup.leanix.wire import ExportRow
from leanix_backup.model import Asked, ExportType
from tests.support.fake_time import FakeTime
from tests.support.jwt import access_token
from tests.support.log_lines import captured_log
from tests.unit.leanix.conftest import make_client, serve_tokens

EXPORTS = "/services/pathfinder/v1/exports"
START = f"{EXPORTS}/fullExport"
QUEUED = {"status": "OK", "data": {"jobId": "job:1:abc"}}
DATE = {"Date": "Wed, 31 Mar 2027 12:00:00 GMT"}
NEWEST = datetime(2027, 3, 31, 12, 0, tzinfo=UTC)


@pytest.fixture
def tokens(router: respx.MockRouter) -> respx.Route:
    return serve_tokens(router)


@pytest.fixture
def client(transport: Transport, time: FakeTime, tokens: respx.Route) -> LeanixClient:
    assert not tokens.called
    return make_client(transport, time)


def row(number: int, kind: str = "SNAPSHOT") -> dict[str, Any]:
    created = (NEWEST - timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
    return {"id": f"e{number}", "type": kind, "status": "DOWNLOADED", "createdAt": created}


class Listing:
    """The list of exports, as a server pages it; `spoil` may change each reply before it is sent."""

    def __init__(self, router: respx.MockRouter, rows: list[dict[str, Any]], *, page_size: int = 100) -> None:
        self.rows = rows
        self.page_size = page_size
        self.asked: list[dict[str, str]] = []
        self.spoil: Callable[[dict[str, Any]], dict[str, Any]] = lambda reply: reply
        self.faults: list[httpx.Response | Exception] = []
        router.get(EXPORTS).mock(side_effect=self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        self.asked.append(query)
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        start = int(query.get("cursor", "array:0").removeprefix("array:"))
        end = start + min(self.page_size, int(query["pageSize"]))
        reply = {"status": "OK", "type": "Export", "data": self.rows[start:end], "total": len(self.rows)}
        reply["endCursor"] = f"array:{min(end, len(self.rows))}"
        return httpx.Response(200, json=self.spoil(reply), headers=DATE)


class TestIdentity:
    async def test_is_what_the_tokens_claims_say(self, client: LeanixClient, time: FakeTime) -> None:
        who = await client.identity(deadline=time.deadline())
        assert (who.workspace_id, who.workspace_name, who.user_id, who.role) == ("ws-1", "Acme", "user-1", "ADMIN")


class TestList:
    async def read(
        self, client: LeanixClient, time: FakeTime, export: ExportType = ExportType.SNAPSHOT, **more: Any
    ) -> ExportList:
        return await client.list_exports(export, deadline=time.deadline(), **more)

    async def test_asks_for_the_type_and_the_newest_first(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        listing = Listing(router, [])
        for export in ExportType:
            await self.read(client, time, export)
        assert listing.asked == [
            {"exportType": export.value, "pageSize": "100", "sorting": "createdAt", "sortDirection": "DESC"}
            for export in ExportType
        ]
        assert router.calls.last.request.headers["Authorization"] == f"Bearer {access_token(1)}"

    @pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 150, 200, 431])
    @pytest.mark.parametrize("page_size", [100, 40])
    async def test_all_rows_over_all_pages_each_once(
        self, count: int, page_size: int, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        listing = Listing(router, [row(number) for number in range(count)], page_size=page_size)
        found = await self.read(client, time)
        assert [each.id for each in found.rows] == [f"e{number}" for number in range(count)]
        assert found.server_time == NEWEST
        assert len(listing.asked) == max(1, -(-count // page_size))

    @pytest.mark.parametrize("missing", ["total", "endCursor", "type", "status"])
    @pytest.mark.parametrize("value", [None, ...])
    async def test_without_what_need_not_be_there(
        self, missing: str, value: object, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        listing = Listing(router, [row(number) for number in range(150)])

        def spoil(reply: dict[str, Any]) -> dict[str, Any]:
            if value is None:
                return {**reply, missing: None}
            return {name: each for name, each in reply.items() if name != missing}

        listing.spoil = spoil
        found = await self.read(client, time)
        assert len(found.rows) == (100 if missing == "endCursor" else 150)
        assert len(listing.asked) <= 3

    async def test_a_cursor_that_does_not_move_ends_it(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        listing = Listing(router, [row(number) for number in range(500)])
        listing.spoil = lambda reply: {**reply, "endCursor": "array:100", "total": None}
        found = await self.read(client, time)
        assert len(listing.asked) == 2
        assert len(found.rows) == 200

    async def test_cursors_in_a_circle_end_and_no_row_is_there_twice(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        listing = Listing(router, [row(number) for number in range(200)])
        turns = {"array:100": "array:100", "array:200": "array:0"}
        listing.spoil = lambda reply: {**reply, "endCursor": turns[reply["endCursor"]], "total": 10**9}
        found = await self.read(client, time)
        assert len(listing.asked) <= 50
        assert len(found.rows) == len({each.id for each in found.rows}) == 200

    async def test_a_row_that_a_new_one_pushed_onto_the_next_page_is_there_once(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        listing = Listing(router, [row(number) for number in range(1, 151)])

        def push(reply: dict[str, Any]) -> dict[str, Any]:
            listing.rows.insert(0, row(0))
            return reply

        listing.spoil = push
        found = await self.read(client, time)
        assert [each.id for each in found.rows] == [f"e{number}" for number in range(1, 151)]

    @pytest.mark.parametrize(("at", "pages"), [(0, 1), (99, 1), (100, 2), (250, 3)])
    async def test_no_page_after_the_one_where_it_may_stop(
        self, at: int, pages: int, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        listing = Listing(router, [row(number) for number in range(1000)])
        found = await self.read(client, time, stop=lambda each: each.id == f"e{at}")
        assert len(listing.asked) == pages
        assert len(found.rows) == pages * 100

    async def test_rows_of_other_types_are_left_out_though_the_server_sent_them(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        Listing(router, [row(1), row(2, "ARCHIVE"), {"broken": True}, row(3)])
        assert [each.id for each in (await self.read(client, time)).rows] == ["e1", "e3"]

    async def test_a_fault_is_tried_again_and_only_its_page(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        listing = Listing(router, [row(number) for number in range(150)])
        listing.faults = [
            httpx.Response(500),
            httpx.Response(502),
            httpx.Response(200, html="<html>maintenance</html>"),
            httpx.ReadTimeout("x"),
            httpx.ConnectError("x"),
        ]
        assert len((await self.read(client, time)).rows) == 150
        assert len(listing.asked) == 7
        assert "cursor" not in listing.asked[5]

    @pytest.mark.parametrize("status", [400, 403, 404])
    async def test_a_refusal_is_not(
        self, status: int, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        listing = Listing(router, [])
        listing.faults = [httpx.Response(status)]
        with pytest.raises(LeanixError):
            await self.read(client, time)
        assert len(listing.asked) == 1

    async def test_tries_can_be_one(self, router: respx.MockRouter, client: LeanixClient, time: FakeTime) -> None:
        listing = Listing(router, [])
        listing.faults = [httpx.Response(500)]
        with pytest.raises(LeanixError) as caught:
            await self.read(client, time, tries=1)
        assert caught.value.retryable
        assert len(listing.asked) == 1

    @pytest.mark.parametrize("reply", ["null", "[]", "{}", '{"data": {}}', '{"data": "x"}', "5", '{"errors": 5}'])
    async def test_what_is_no_list(
        self, reply: str, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(EXPORTS).mock(httpx.Response(200, text=reply))
        with pytest.raises(LeanixError) as caught:
            await self.read(client, time)
        assert caught.value.code == "reply_invalid"

    async def test_a_server_that_does_not_say_what_time_it_is(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(EXPORTS).mock(httpx.Response(200, json={"data": []}))
        assert (await self.read(client, time)).server_time is None


class TestStart:
    async def start(self, client: LeanixClient, time: FakeTime, *, seconds: float = 3600) -> str:
        deadline = time.deadline(seconds)
        return (await client.start_export(ExportType.SNAPSHOT, asked=None, deadline=deadline)).job_id

    async def test_as_documented(self, router: respx.MockRouter, client: LeanixClient, time: FakeTime) -> None:
        route = router.post(START).mock(httpx.Response(200, json=QUEUED, headers=DATE))
        started = await client.start_export(ExportType.ARCHIVE, asked=None, deadline=time.deadline())
        assert (started.job_id, started.server_time) == ("job:1:abc", NEWEST)
        assert dict(route.calls.last.request.url.params) == {"exportType": "ARCHIVE"}
        assert route.calls.last.request.content == b""

    async def test_an_audit_log_says_which_stretch(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.post(START).mock(httpx.Response(200, json=QUEUED))
        asked = Asked("2027-03-30T12:00:00Z", "2027-03-31T12:00:00Z")
        await client.start_export(ExportType.AUDIT_LOG, asked=asked, deadline=time.deadline())
        assert dict(route.calls.last.request.url.params) == {
            "exportType": "AUDIT_LOG",
            "startDate": "2027-03-30T12:00:00Z",
            "endDate": "2027-03-31T12:00:00Z",
        }

    @pytest.mark.parametrize(
        "fault",
        [
            httpx.Response(429),
            httpx.Response(429, headers={"Retry-After": "17"}),
            httpx.Response(503, html="<html>maintenance</html>"),
            httpx.ConnectError("x"),
            httpx.ConnectTimeout("x"),
            httpx.PoolTimeout("x"),
            httpx.ProxyError("407"),
        ],
        ids=str,
    )
    async def test_what_surely_had_no_effect_is_sent_again(
        self, fault: httpx.Response | Exception, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.post(START)
        route.side_effect = [fault, httpx.Response(200, json=QUEUED)]
        assert await self.start(client, time) == "job:1:abc"
        assert route.call_count == 2

    async def test_a_conflict_is_not_sent_again_before_the_list_was_looked_at(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.post(START).respond(409)
        with pytest.raises(LeanixError) as caught:
            await self.start(client, time)
        assert (caught.value.code, caught.value.retryable, caught.value.outcome_unknown) == (
            "export_refused",
            False,
            False,
        )
        assert route.call_count == 1

    @pytest.mark.parametrize(
        "fault",
        [
            httpx.Response(500),
            httpx.Response(502, html="<html>bad gateway</html>"),
            httpx.Response(504),
            httpx.ReadTimeout("x"),
            httpx.WriteTimeout("x"),
            httpx.ReadError("x"),
            httpx.WriteError("x"),
            httpx.RemoteProtocolError("Server disconnected without sending a response."),
            httpx.Response(200, html="<html>please log in</html>"),
            httpx.Response(200),
            httpx.Response(200, text="{"),
            httpx.Response(200, json={"status": "OK", "data": {"message": "queued"}}),
        ],
        ids=str,
    )
    async def test_what_may_have_worked_is_not(
        self, fault: httpx.Response | Exception, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.post(START)
        route.side_effect = [fault, httpx.Response(200, json=QUEUED)]
        with pytest.raises(LeanixError) as caught:
            await self.start(client, time)
        assert caught.value.outcome_unknown
        assert not caught.value.retryable
        assert route.call_count == 1

    async def test_an_error_that_says_200_may_be_better_the_next_time(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        failed = httpx.Response(200, json={"status": "ERROR", "errorMessage": "Something went wrong"})
        route = router.post(START)
        route.side_effect = [failed, httpx.Response(200, json=QUEUED)]
        assert await self.start(client, time) == "job:1:abc"
        assert route.call_count == 2

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            (httpx.Response(400, json={"errorMessage": "no such type"}), "request_refused"),
            (httpx.Response(403), "forbidden"),
            (httpx.Response(404), "not_found"),
            (httpx.Response(302, headers={"Location": "https://evil.example/"}), "unexpected_redirect"),
            (httpx.Response(200, json={"status": "REFUSED", "errorMessage": "no"}), "reply_invalid"),
        ],
    )
    async def test_a_refusal_is_one(
        self, fault: httpx.Response, code: str, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.post(START).mock(fault)
        with pytest.raises(LeanixError) as caught:
            await self.start(client, time)
        assert (caught.value.code, caught.value.outcome_unknown, caught.value.retryable) == (code, False, False)
        assert route.call_count == 1

    async def test_an_endless_fault_ends(self, router: respx.MockRouter, client: LeanixClient, time: FakeTime) -> None:
        route = router.post(START).mock(httpx.Response(503))
        with captured_log() as log, pytest.raises(LeanixError) as caught:
            await self.start(client, time)
        assert caught.value.code == "unavailable"
        assert route.call_count == 6
        assert len(log.of(Event.RETRY_SCHEDULED)) == 5

    @pytest.mark.parametrize("header", ["31536000", "Thu, 30 Mar 2028 12:00:00 GMT", "9" * 100])
    async def test_a_wait_beyond_the_deadline_fails_at_once(
        self, header: str, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.post(START).mock(httpx.Response(429, headers={"Retry-After": header, **DATE}))
        with pytest.raises(LeanixError) as caught:
            await self.start(client, time, seconds=14400)
        assert caught.value.code == "rate_limited"
        assert not caught.value.retryable
        assert "14400 s" in caught.value.hint
        assert route.call_count == 1

    async def test_a_retry_date_is_by_the_servers_clock_which_may_be_hours_off(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        time.advance(-7 * 3600)
        route = router.post(START)
        busy = httpx.Response(429, headers={"Retry-After": "Wed, 31 Mar 2027 12:00:30 GMT", **DATE})
        route.side_effect = [busy, httpx.Response(200, json=QUEUED)]
        with captured_log() as log:
            await self.start(client, time, seconds=60)
        assert [line["wait_s"] for line in log.of(Event.RETRY_SCHEDULED)] == [30]

    @pytest.mark.parametrize("fault", [httpx.Response(502), httpx.ReadTimeout("x")], ids=str)
    async def test_a_token_that_cannot_be_had_is_not_an_export_that_may_have_started(
        self, fault: httpx.Response | Exception, router: respx.MockRouter, transport: Transport, time: FakeTime
    ) -> None:
        route = router.post(START).mock(httpx.Response(200, json=QUEUED))
        router.post("/services/mtm/v1/oauth2/token").side_effect = [fault] * 100
        with pytest.raises(LeanixError) as caught:
            await self.start(make_client(transport, time), time)
        assert not caught.value.outcome_unknown
        assert not route.called


class TestToken:
    async def test_a_401_is_answered_with_a_new_one_once(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime, tokens: respx.Route
    ) -> None:
        route = router.get(EXPORTS)
        route.side_effect = [httpx.Response(401), httpx.Response(200, json={"data": []})]
        await client.list_exports(ExportType.SNAPSHOT, deadline=time.deadline())
        sent = [call.request.headers["Authorization"] for call in route.calls]
        assert sent == [f"Bearer {access_token(1)}", f"Bearer {access_token(2)}"]
        assert tokens.call_count == 2

    async def test_a_second_401_is_the_end(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime, tokens: respx.Route
    ) -> None:
        route = router.post(START).mock(httpx.Response(401))
        with pytest.raises(LeanixError) as caught:
            await client.start_export(ExportType.SNAPSHOT, asked=None, deadline=time.deadline())
        assert (caught.value.code, caught.value.retryable) == ("token_rejected", False)
        assert caught.value.outcome_unknown is False
        assert (route.call_count, tokens.call_count) == (2, 2)

    async def test_a_403_is_not_worth_a_new_one(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime, tokens: respx.Route
    ) -> None:
        router.get(EXPORTS).mock(httpx.Response(403))
        with pytest.raises(LeanixError):
            await client.list_exports(ExportType.SNAPSHOT, deadline=time.deadline())
        assert tokens.call_count == 1


class TestInstance:
    async def test_one_within_the_domain_is_asked(
        self, router: respx.MockRouter, transport: Transport, time: FakeTime
    ) -> None:
        serve_tokens(router, instance_url="https://eu-5.leanix.net")
        there = router.get(f"https://eu-5.leanix.net{EXPORTS}").mock(httpx.Response(200, json={"data": []}))
        await make_client(transport, time).list_exports(ExportType.SNAPSHOT, deadline=time.deadline())
        assert there.called

    @pytest.mark.parametrize(
        "instance", ["http://acme.leanix.net", "https://acme.leanix.net.evil.example", "https://evilleanix.net", "x"]
    )
    async def test_any_other_is_not(
        self, instance: str, router: respx.MockRouter, transport: Transport, time: FakeTime
    ) -> None:
        serve_tokens(router, instance_url=instance)
        here = router.get(EXPORTS).mock(httpx.Response(200, json={"data": []}))
        await make_client(transport, time).list_exports(ExportType.SNAPSHOT, deadline=time.deadline())
        assert here.called
        assert {call.request.url.host for call in router.calls} == {"acme.leanix.net"}


async def test_rows_hide_their_keys() -> None:
    assert "k3y" not in repr(ExportList((ExportRow("e", "SNAPSHOT", "COMPLETED", download_key="k3y"),), None))
