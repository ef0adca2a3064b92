"""The simulated LeanIX over real sockets: as documented, and with every switch."""

from __future__ import annotations

import base64
import io
import time
import zipfile
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from leanix_backup.errors import UsageError
from leanix_backup.simulator import (
    SimulatedLeanix,
    SimulatorSettings,
    Switches,
    WorkspaceSettings,
    simulated_leanix_thread,
)
from tests.support.leanix_client import EXPORTS, TOKEN, PlainClient, claims_of, connected
from tests.support.replay import differences, read_changes, read_sheets, read_tables, replay

SMALL = SimulatorSettings(fact_sheets=30, changes_per_hour=1, history=timedelta(days=5))
QUICK: dict[str, Any] = {"duration_s": 0.0}


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedLeanix]:
    async with SimulatedLeanix(SMALL, Switches(**QUICK)) as running:
        yield running


@pytest.fixture
async def client(sim: SimulatedLeanix) -> AsyncIterator[PlainClient]:
    async with connected(sim) as connection:
        yield connection


class TestDocumented:
    async def test_a_token_as_documented(self, sim: SimulatedLeanix) -> None:
        async with connected(sim, login=False) as client:
            reply = await client.login(sim.api_token)
        body = reply.json()
        assert {**body, "access_token": ""} == {
            "scope": "",
            "expired": False,
            "access_token": "",
            "token_type": "bearer",
            "expires_in": 3599,
        }
        claims = claims_of(body["access_token"])
        assert claims.keys() >= {"exp", "iss", "jti", "sub", "instanceUrl", "principal"}
        assert claims["instanceUrl"] == sim.url
        assert claims["principal"]["id"] == sim.user_id
        assert claims["principal"]["permission"]["workspaceId"] == sim.workspace_id
        assert claims["principal"]["permission"]["role"] == "ADMIN"
        assert claims["exp"] - sim.clock.server_now().timestamp() == pytest.approx(3599, abs=5)

    async def test_bad_credentials_are_401(self, sim: SimulatedLeanix) -> None:
        async with connected(sim, login=False) as client:
            assert (await client.login("wrong")).status_code == 401
            assert (await client.list_exports()).status_code == 401
            client.http.headers["Authorization"] = "Bearer e30.e30.e30"
            assert (await client.list_exports()).status_code == 401
        assert sim.counters["tokens"] == 0

    async def test_an_export_from_start_to_spent(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        reply = await client.start()
        body = reply.json()
        assert body["status"] == "OK"
        assert body["type"] == "JobResponseData"
        assert body["data"]["message"] == "A new job is queued."
        assert body["data"]["synclogId"] is None
        row = await client.finished()
        assert body["data"]["jobId"].startswith("job:")
        assert body["data"]["jobId"] not in str(await client.rows())
        assert list(row) == [
            "id",
            "user",
            "type",
            "status",
            "createdAt",
            "deleteAt",
            "dryRun",
            "downloadKey",
            "factSheetTypes",
            "factSheetCount",
            "columnCount",
            "bookmark",
        ]
        assert row["user"]["id"] == sim.user_id
        asked = parsedate_to_datetime(reply.headers["date"])
        created, gone = (datetime.fromisoformat(row[key]) for key in ("createdAt", "deleteAt"))
        assert abs(created - asked) < timedelta(seconds=5)
        assert timedelta(minutes=9) < gone - created < timedelta(minutes=11)

        first, second = await client.download(row["downloadKey"]), await client.download(row["downloadKey"])

        assert first.content.startswith(b"PK\x03\x04")
        assert int(first.headers["content-length"]) == len(first.content)
        assert (second.status_code, second.json()["status"]) == (404, "ERROR")
        (after,) = await client.rows()
        assert (after["status"], after["downloadKey"]) == ("DOWNLOADED", None)
        assert (sim.counters["keys_spent"], sim.counters["downloads"], sim.counters["second_uses"]) == (1, 1, 1)

    async def test_the_list_has_its_defaults(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.extra_rows = 150
        first = (await client.list_exports()).json()
        assert (first["type"], len(first["data"])) == ("Export", 40)
        assert {row["type"] for row in first["data"]} == {"SNAPSHOT", "AUDIT_LOG"}
        assert first["total"] == 100
        assert base64.b64decode(first["endCursor"]) == b"array:39"
        created = [row["createdAt"] for row in first["data"]]
        assert created == sorted(created)

        everything = "SNAPSHOT,AUDIT_LOG,ARCHIVE"
        seen: list[str] = []
        cursor = ""
        while len(seen) < 150:
            page = (await client.list_exports(exportType=everything, pageSize=100, cursor=cursor)).json()
            seen += [row["id"] for row in page["data"]]
            cursor = page["endCursor"]
        assert len(set(seen)) == 150
        assert (await client.list_exports(cursor=cursor, exportType=everything)).json()["data"] == []
        mine = (await client.list_exports(exportType=everything, userId=sim.user_id)).json()
        assert (mine["data"], mine["total"], mine["endCursor"]) == ([], 0, None)

    @pytest.mark.parametrize(
        "query",
        [
            {"pageSize": 101},
            {"pageSize": 0},
            {"cursor": "nonsense"},
            {"sortDirection": "desc"},
            {"sorting": "nosuch"},
            {"exportType": "snapshot"},
        ],
    )
    async def test_a_wrong_list_parameter_is_400(self, client: PlainClient, query: dict[str, Any]) -> None:
        reply = await client.list_exports(**query)
        assert reply.status_code == 400
        assert reply.json()["errors"][0]["messages"]

    async def test_a_wrong_start_or_download_is_refused(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        assert (await client.start("EVERYTHING")).status_code == 400
        assert (await client.download("no-such-key")).status_code == 404
        assert (await client.download("")).status_code == 400
        elsewhere = await client.http.get(f"{EXPORTS}/downloads/another-workspace", params={"key": "k"})
        assert elsewhere.status_code == 403
        await client.start()
        key = (await client.finished())["downloadKey"]
        assert (await client.download(key, headers={"Accept": "application/json"})).status_code == 406
        assert sim.counters["keys_spent"] == 0

    async def test_technical_users_tell_their_expiry(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.technical_user_expiry = "2027-05-01T00:00:00Z"
        reply = await client.http.get("/services/mtm/v1/technicalusers", params={"workspaceId": sim.workspace_id})
        (user,) = reply.json()["data"]
        assert (user["id"], user["apiTokenData"]["expiry"]) == (sim.user_id, "2027-05-01T00:00:00.000Z")

    async def test_too_many_requests_a_minute(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.merge({"rate_limit_per_minute": 3, "retry_after": "seconds", "retry_after_s": 7})
        statuses = [(await client.list_exports()).status_code for _ in range(4)]
        refused = await client.list_exports()
        assert statuses == [200, 200, 200, 429]
        assert "USER_INTERVAL_REQUEST_LIMIT_EXCEEDED" in refused.text
        assert refused.headers["retry-after"] == "7"


class TestWorkbooks:
    async def test_all_three_open_and_tell_one_truth(self, tmp_path: Path) -> None:
        settings = SimulatorSettings(fact_sheets=40, changes_per_hour=2, history=timedelta(days=10), seed=9)
        paths = {name: tmp_path / f"{name}.xlsx" for name in ("first", "second", "changes", "archive")}
        async with SimulatedLeanix(settings, Switches(**QUICK)) as sim, connected(sim) as client:
            first, content = await client.take()
            paths["first"].write_bytes(content)
            sim.clock.advance(20 * 86400)
            sim.clock.skew = timedelta(hours=-3)  # bearers are the server's own business
            await client.login(sim.api_token)
            second, content = await client.take()
            paths["second"].write_bytes(content)
            alive, archived = await sim.fact_sheets(), await sim.fact_sheets(archived=True)
            sim.clock.skew = timedelta()
            _, content = await client.take("AUDIT_LOG", startDate=first["createdAt"])
            paths["changes"].write_bytes(content)
            _, content = await client.take("ARCHIVE")
            paths["archive"].write_bytes(content)

        tables, later = read_tables(paths["first"]), read_tables(paths["second"])
        assert {kind: sorted(later[kind]) for kind in alive} == alive
        until = datetime.fromisoformat(second["createdAt"]) + timedelta(hours=3)
        replay(tables, read_changes(paths["changes"]), datetime.fromisoformat(first["createdAt"]), until)
        assert differences(tables, later) == []
        archive = read_tables(paths["archive"])
        assert {kind: sorted(archive[kind]) for kind in archived} == archived

    async def test_an_archive_without_archived_fact_sheets_has_headers_only(self, tmp_path: Path) -> None:
        settings = SimulatorSettings(fact_sheets=20, history=timedelta(days=5), archiving=False)
        path = tmp_path / "archive.xlsx"
        async with SimulatedLeanix(settings, Switches(**QUICK)) as sim, connected(sim) as client:
            path.write_bytes((await client.take("ARCHIVE"))[1])
        sheets = read_sheets(path)
        assert "applicationBusinessCapabilitySu" in sheets
        assert all(len(rows) == 2 for name, rows in sheets.items() if name != "ReadMe")

    async def test_padding_makes_it_big_and_leaves_it_sound(
        self, sim: SimulatedLeanix, client: PlainClient, tmp_path: Path
    ) -> None:
        sim.switches.padding_bytes = 9_000_001
        path = tmp_path / "padded.xlsx"
        path.write_bytes((await client.take())[1])
        assert path.stat().st_size > 9_000_001
        assert "Application" in read_tables(path)
        with zipfile.ZipFile(path) as archive:
            assert archive.getinfo("xl/media/padding.bin").file_size == 9_000_001

    async def test_wide_sheets_and_two_workspaces(self, tmp_path: Path) -> None:
        one = WorkspaceSettings(name="one", api_token="token-one", fact_sheets=10, columns=60)
        two = WorkspaceSettings(name="two", api_token="token-two", fact_sheets=10)
        async with SimulatedLeanix(SimulatorSettings(workspaces=(one, two)), Switches(**QUICK)) as sim:
            ids = {name: sim.workspace(name).settings.workspace_id for name in ("one", "two")}
            async with connected(sim) as client:
                path = tmp_path / "one.xlsx"
                path.write_bytes((await client.take())[1])
                client.workspace_id = ids["two"]
                assert (await client.login("token-two")).status_code == 200
                assert await client.rows() == []
                sim.rotate_api_token("token-three", workspace="two")
                assert (await client.login("token-two")).status_code == 401
            assert await sim.fact_sheets(workspace="one") != await sim.fact_sheets(workspace="two")
        assert len(read_sheets(path)["Application"][0]) == 60


class TestRows:
    async def test_the_row_may_come_later(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.row_delay_s = 1800
        await client.start()
        assert await client.rows() == []
        sim.clock.advance(1800)
        assert (await client.finished())["status"] == "COMPLETED"

    async def test_rows_name_their_user_in_several_ways(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        await client.start()
        await client.finished()
        shown = {}
        for way in ("user_only", "both", "userId_only", "absent", "other_id"):
            sim.switches.merge({"row_user": way})
            (row,) = await client.rows()
            shown[way] = (row.get("userId"), row.get("user", {}).get("id"))
        other = sim.default.settings.row_user_id
        assert other != sim.user_id
        assert shown == {
            "user_only": (None, sim.user_id),
            "both": (sim.user_id, sim.user_id),
            "userId_only": (sim.user_id, None),
            "absent": (None, None),
            "other_id": (None, other),
        }

    async def test_optional_fields_may_be_absent(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.merge({"row_fields": "minimal", "row_shows_created_at": False, "duration_s": 1800})
        await client.start()
        (row,) = await client.rows()
        assert list(row) == ["id", "type", "status"]
        sim.clock.advance(1800)
        assert list(await client.finished()) == ["id", "type", "status", "downloadKey"]
        sim.switches.row_fields = "all"
        (row,) = await client.rows()
        assert row.keys() >= {"userId", "localFilename", "downloadFilename"}

    async def test_somebody_elses_newer_export(self, sim: SimulatedLeanix, client: PlainClient, tmp_path: Path) -> None:
        sim.switches.foreign_newer = True
        await client.start()
        newest, ours = await client.rows()
        assert (newest["status"], newest["type"]) == ("COMPLETED", "SNAPSHOT")
        assert newest["createdAt"] > ours["createdAt"]
        assert newest["user"]["id"] != ours["user"]["id"] == sim.user_id
        path = tmp_path / "theirs.xlsx"
        path.write_bytes((await client.download(newest["downloadKey"])).content)
        (row,) = read_tables(path)["Application"].values()
        assert row["name"] == "Somebody else's export"
        assert sim.counters["foreign_downloads"] == 1

    @pytest.mark.parametrize("after", ["vanishes", "DELETED"])
    @pytest.mark.parametrize("key", ["null", "absent", "kept"])
    async def test_after_delete_at(self, sim: SimulatedLeanix, client: PlainClient, after: str, key: str) -> None:
        sim.switches.merge({"after_delete": after, "gone_key": key, "second_use_status": 410})
        await client.start()
        row = await client.finished()
        sim.clock.advance(601)
        rows = await client.rows()
        assert (await client.download(row["downloadKey"])).status_code == 410
        if after == "vanishes":
            assert rows == []
        else:
            (gone,) = rows
            assert gone["status"] == "DELETED"
            shown = {"null": None, "kept": row["downloadKey"]}
            assert gone.get("downloadKey", "absent") == shown.get(key, "absent")

    @pytest.mark.parametrize("status", ["ERROR", "CANCELED", "DELETED", "DOWNLOADED"])
    async def test_exports_may_end_badly(self, sim: SimulatedLeanix, client: PlainClient, status: str) -> None:
        sim.switches.merge({"end_status": status, "odd_status": "THINKING", "odd_status_s": 5, "duration_s": 10})
        await client.start()
        assert [row["status"] for row in await client.rows()] == ["THINKING"]
        sim.clock.advance(6)
        assert [row["status"] for row in await client.rows()] == ["STARTED"]
        sim.clock.advance(6)
        row = await client.finished()
        assert (row["status"], row["downloadKey"]) == (status, None)
        sim.switches.duration_s = 0
        await client.start()
        assert (await client.finished())["status"] == "COMPLETED"

    async def test_fractions_of_seconds(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        await client.start()
        for digits, length in ((0, 20), (3, 24), (6, 27), (9, 30)):
            sim.switches.fraction_digits = digits
            (row,) = await client.rows()
            assert len(row["createdAt"]) == length

    async def test_the_servers_clock_may_be_hours_off(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.clock.skew = timedelta(hours=-7)
        reply = await client.start()
        row = await client.finished()
        theirs = parsedate_to_datetime(reply.headers["date"])
        assert timedelta(hours=6) < datetime.now(UTC) - theirs < timedelta(hours=8)
        assert abs(datetime.fromisoformat(row["createdAt"]) - theirs) < timedelta(seconds=5)

    async def test_speed_does_not_shorten_the_life_of_exports(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.clock.speed = 86400
        await client.login(sim.api_token)
        row, content = await client.take()
        assert content.startswith(b"PK")
        created, gone = (datetime.fromisoformat(row[key]) for key in ("createdAt", "deleteAt"))
        assert gone - created >= timedelta(days=600)


class TestStarting:
    async def test_a_second_export_queues(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.duration_s = 60
        await client.start()
        await client.start()
        await client.start("ARCHIVE")
        assert sorted(row["type"] for row in await client.rows()) == ["ARCHIVE", "SNAPSHOT"]
        while [row["status"] for row in await client.rows(exportType="SNAPSHOT")] != ["STARTED", "COMPLETED"]:
            sim.clock.advance(15)
        later, earlier = await client.rows(exportType="SNAPSHOT")
        assert later["createdAt"] > earlier["createdAt"]

    @pytest.mark.parametrize(("way", "status"), [("refuse_409", 409), ("refuse_429", 429), ("refuse_400", 400)])
    async def test_a_second_export_is_refused(
        self, sim: SimulatedLeanix, client: PlainClient, way: str, status: int
    ) -> None:
        sim.switches.merge({"second_export": way, "duration_s": 60})
        await client.start()
        assert (await client.start()).status_code == status
        assert (await client.start("ARCHIVE")).status_code == 200

    async def test_a_second_export_is_the_first(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.merge({"second_export": "deduplicate", "duration_s": 60})
        jobs = [(await client.start()).json()["data"]["jobId"] for _ in range(2)]
        assert jobs[0] == jobs[1]
        assert len(await client.rows()) == 1
        sim.switches.second_export = "parallel"
        await client.start()
        assert len(await client.rows()) == 2

    @pytest.mark.parametrize(("fault", "rows"), [("refuse", 0), ("works", 1), ("html", 0)])
    async def test_errors_that_may_have_worked(
        self, sim: SimulatedLeanix, client: PlainClient, fault: str, rows: int
    ) -> None:
        sim.switches.merge({"post_fault": fault, "post_fault_status": 503, "retry_after": "date"})
        reply = await client.start()
        assert reply.status_code == 503
        assert len(await client.rows()) == rows
        if fault != "works":
            assert parsedate_to_datetime(reply.headers["retry-after"]) > parsedate_to_datetime(reply.headers["date"])
        assert (await client.start()).status_code == 200

    @pytest.mark.parametrize(("fault", "rows"), [("cut", 0), ("works_cut", 1)])
    async def test_no_answer_at_all(self, sim: SimulatedLeanix, client: PlainClient, fault: str, rows: int) -> None:
        sim.switches.merge({"post_fault": fault})
        with pytest.raises(httpx.RemoteProtocolError):
            await client.start()
        assert len(await client.rows()) == rows

    async def test_only_administrators_may(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.role = "VIEWER"
        assert (await client.start()).status_code == 403
        reply = await client.login(sim.api_token)
        assert claims_of(reply.json()["access_token"])["principal"]["permission"]["role"] == "VIEWER"

    async def test_changelog_windows(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.audit_dates = "date_only"
        assert (await client.start("AUDIT_LOG", startDate="2026-01-01T00:00:00Z")).status_code == 400
        assert (await client.start("AUDIT_LOG", startDate="2026-01-01", endDate="")).status_code == 200
        assert (await client.start("SNAPSHOT", startDate="whatever")).status_code == 200


class TestFaults:
    async def test_lists_that_fail(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.merge({"list_fault": "status", "list_fault_status": 502, "list_fault_times": 2})
        assert [(await client.list_exports()).status_code for _ in range(3)] == [502, 502, 200]
        sim.switches.merge({"list_fault": "html", "list_fault_status": 500, "list_fault_times": 1})
        page = await client.list_exports()
        assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
        sim.switches.merge({"list_fault": "cut", "list_fault_times": 1})
        with pytest.raises(httpx.RemoteProtocolError):
            await client.list_exports()

    async def test_tokens_that_fail(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.merge({"token_fault_times": 1, "token_fault_status": 503})
        assert [(await client.login(sim.api_token)).status_code for _ in range(2)] == [503, 200]
        sim.revoke_tokens()
        assert (await client.list_exports()).status_code == 401
        sim.switches.merge({"token_expires_in_s": 100, "instance_url": "https://elsewhere.example.com"})
        reply = await client.login(sim.api_token)
        assert claims_of(reply.json()["access_token"])["instanceUrl"] == "https://elsewhere.example.com"
        assert (await client.list_exports()).status_code == 200
        sim.clock.advance(101)
        assert (await client.list_exports()).status_code == 401
        sim.switches.technical_user_expiry = "2020-01-01T00:00:00Z"
        assert (await client.login(sim.api_token)).status_code == 401

    @pytest.mark.parametrize("spends", [True, False])
    async def test_a_transfer_that_is_cut(self, sim: SimulatedLeanix, client: PlainClient, *, spends: bool) -> None:
        sim.switches.merge({"download_fault": "cut", "broken_transfer_spends": spends, "download_range": True})
        await client.start()
        key = (await client.finished())["downloadKey"]
        received = bytearray()
        with pytest.raises(httpx.RemoteProtocolError):
            await self._receive(client, key, received)
        assert len(received) == 1000
        (row,) = await client.rows()
        assert (row["downloadKey"] is None) == spends
        rest = await client.download(key, headers={"Range": "bytes=1000-"})
        if spends:
            assert rest.status_code == 404
        else:
            assert rest.status_code == 206
            assert zipfile.ZipFile(io.BytesIO(received + rest.content)).testzip() is None
        assert sim.counters["keys_spent"] == 1

    async def _receive(self, client: PlainClient, key: str, received: bytearray) -> None:
        path = f"{EXPORTS}/downloads/{client.workspace_id}"
        async with client.http.stream("GET", path, params={"key": key}) as reply:
            assert reply.status_code == 200
            async for chunk in reply.aiter_raw():
                received += chunk

    async def test_a_transfer_that_stalls(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.merge({"download_fault": "stall", "download_framing": "chunked"})
        await client.start()
        key = (await client.finished())["downloadKey"]
        received = bytearray()
        client.http.timeout = httpx.Timeout(5, read=0.2)
        with pytest.raises(httpx.ReadTimeout):
            await self._receive(client, key, received)
        assert len(received) == 1000

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            ("html200", "text/html"),
            ("json200", "application/json"),
            ("empty", "application/octet-stream"),
            ("truncated_zip", "application/octet-stream"),
            ("bit_flip", "application/octet-stream"),
            ("not_workbook", "application/octet-stream"),
        ],
    )
    async def test_answers_that_are_no_workbook(
        self, sim: SimulatedLeanix, client: PlainClient, fault: str, kind: str
    ) -> None:
        sim.switches.merge({"download_fault": fault})
        await client.start()
        reply = await client.download((await client.finished())["downloadKey"])
        assert (reply.status_code, reply.headers["content-type"]) == (200, kind)
        assert _is_whole_workbook(reply.content) is False
        assert _is_whole_workbook((await client.take())[1])

    async def test_a_zip_bomb(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.download_fault = "zip_bomb"
        _, content = await client.take()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            bomb = max(archive.infolist(), key=lambda member: member.file_size)
        assert bomb.file_size / bomb.compress_size > 900

    async def test_an_error_before_the_body_spends_nothing(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.download_fault = "status"
        await client.start()
        key = (await client.finished())["downloadKey"]
        assert [(await client.download(key)).status_code for _ in range(3)] == [503, 200, 404]

    async def test_chunked_throttled_and_slow(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.merge({"download_framing": "chunked"})
        await client.start()
        key = (await client.finished())["downloadKey"]
        size = (await sim_state(client))["exports"][0]["size_bytes"]
        sim.switches.merge({"download_bytes_per_s": 4 * size, "latency_s": 0.1})
        began = time.monotonic()
        reply = await client.download(key)
        assert time.monotonic() - began > 0.3
        assert reply.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in reply.headers
        assert len(reply.content) == size


class TestBrokenAnswers:
    """Answers that come in part, late, or in another shape; asked of each endpoint by the same words."""

    async def _ask(self, client: PlainClient, sim: SimulatedLeanix, what: str) -> httpx.Response:
        if what == "token":
            form = {"grant_type": "client_credentials"}
            return await client.http.post(TOKEN, auth=("apitoken", sim.api_token), data=form)
        return await (client.start() if what == "post" else client.list_exports())

    @pytest.mark.parametrize("what", ["token", "post", "list"])
    @pytest.mark.parametrize("fault", ["cut", "cut_header", "cut_body"])
    async def test_cut(self, sim: SimulatedLeanix, client: PlainClient, what: str, fault: str) -> None:
        sim.switches.merge({f"{what}_fault": fault, f"{what}_fault_times": 1})
        with pytest.raises(httpx.RemoteProtocolError if fault == "cut" else httpx.ReadError):
            await self._ask(client, sim, what)
        assert (await self._ask(client, sim, what)).status_code == 200
        started = 0 if what != "post" else 1 if fault == "cut" else 2
        assert sim.counters["exports_started"] == started, "an answer that has begun is one of an export that started"

    @pytest.mark.parametrize("what", ["token", "post", "list"])
    @pytest.mark.parametrize("fault", ["stall", "stall_body"])
    async def test_stalled(self, sim: SimulatedLeanix, client: PlainClient, what: str, fault: str) -> None:
        sim.switches.merge({f"{what}_fault": fault, f"{what}_fault_times": 1})
        client.http.timeout = httpx.Timeout(5, read=0.2)
        with pytest.raises(httpx.ReadTimeout):
            await self._ask(client, sim, what)
        assert (await self._ask(client, sim, what)).status_code == 200

    @pytest.mark.parametrize("what", ["token", "post", "list"])
    async def test_other_words(self, sim: SimulatedLeanix, client: PlainClient, what: str) -> None:
        sim.switches.merge({f"{what}_fault": "html", f"{what}_fault_times": 1, "retry_after": "garbage"})
        page = await self._ask(client, sim, what)
        assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert page.headers["retry-after"] == "in a while"
        sim.switches.merge({f"{what}_fault": "html200", f"{what}_fault_times": 1})
        page = await self._ask(client, sim, what)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        sim.switches.merge({f"{what}_fault": "cut_json", f"{what}_fault_times": 1})
        half = await self._ask(client, sim, what)
        assert half.status_code == 200
        with pytest.raises(ValueError, match=r"JSON|delimiter|Unterminated|Expecting"):
            half.json()

    @pytest.mark.parametrize("what", ["post", "list"])
    async def test_an_error_that_says_200(self, sim: SimulatedLeanix, client: PlainClient, what: str) -> None:
        sim.switches.merge({f"{what}_fault": "error200", f"{what}_fault_times": 1})
        reply = await self._ask(client, sim, what)
        assert (reply.status_code, reply.json()["status"]) == (200, "ERROR")
        assert sim.counters["exports_started"] == 0

    async def test_other_types(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.merge({"post_fault": "odd_types", "post_fault_times": 1, "list_fault_times": -1})
        assert isinstance((await client.start()).json()["data"], list)
        sim.switches.list_fault = "odd_types"
        assert isinstance((await client.list_exports()).json()["data"], dict)
        sim.switches.list_fault = "odd_rows"
        assert isinstance((await client.list_exports()).json()["data"][0], list)
        sim.switches.list_fault = "odd_ids"
        assert isinstance((await client.list_exports()).json()["data"][0]["id"], int)
        sim.switches.list_fault = "odd_statuses"
        assert (await client.list_exports()).json()["data"][0]["status"] is None
        sim.switches.merge({"token_fault": "odd_types", "token_fault_times": 1})
        reply = await self._ask(client, sim, "token")
        assert reply.json()["access_token"] == 17

    async def test_only_after_some_calls(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.merge({"list_fault": "status", "list_fault_after": 2, "list_fault_times": 1})
        assert [(await client.list_exports()).status_code for _ in range(4)] == [200, 200, 500, 200]
        sim.switches.merge({"token_fault_after": 1, "token_fault_times": -1})
        assert [(await client.login(sim.api_token)).status_code for _ in range(3)] == [200, 401, 401]

    async def test_bearers_that_are_revoked_meanwhile(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.revoke_after_lists = 2
        assert [(await client.list_exports()).status_code for _ in range(3)] == [200, 200, 401]
        await client.login(sim.api_token)
        assert (await client.list_exports()).status_code == 200

    async def test_a_key_that_comes_late(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.key_delay_s = 30
        await client.start()
        row = await client.finished()
        assert (row["status"], row["downloadKey"]) == ("COMPLETED", None)
        sim.clock.advance(31)
        (row,) = await client.rows()
        assert (await client.download(row["downloadKey"])).status_code == 200

    async def test_a_key_that_somebody_else_uses(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.key_taken_times = 1
        await client.start()
        row = await client.finished()
        assert (row["status"], row["downloadKey"] is None) == ("COMPLETED", False)
        assert (await client.download(row["downloadKey"])).status_code == 404
        (row,) = await client.rows()
        assert row["status"] == "DOWNLOADED"
        assert sim.counters["keys_spent"] == 0, "it was not we who spent it"

    @pytest.mark.parametrize("spends", [True, False])
    @pytest.mark.parametrize("fault", ["hang_up", "cut_header", "stall_header", "reset"])
    async def test_downloads_that_break(
        self, sim: SimulatedLeanix, client: PlainClient, fault: str, *, spends: bool
    ) -> None:
        sim.switches.merge({"download_fault": fault, "broken_transfer_spends": spends})
        await client.start()
        key = (await client.finished())["downloadKey"]
        timeout = httpx.Timeout(5, read=0.2)
        with pytest.raises((httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError)):
            await client.download(key, timeout=timeout)
        assert (await client.download(key)).status_code == (404 if spends else 200)
        assert sim.counters["keys_spent"] == 1

    async def test_a_maintenance_page_instead_of_a_file(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.download_fault = "html"
        await client.start()
        key = (await client.finished())["downloadKey"]
        assert [(await client.download(key)).status_code for _ in range(2)] == [503, 200]

    async def test_what_was_asked_is_noted(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.switches.merge({"rate_limit_per_minute": 1, "retry_after": "seconds", "retry_after_s": -3})
        await client.list_exports()
        await client.list_exports()
        await client.http.get("/admin/state")
        told = [(noted.method, noted.path, noted.status, noted.retry_after) for noted in sim.journal]
        assert told == [("POST", TOKEN, 200, None), ("GET", EXPORTS, 200, None), ("GET", EXPORTS, 429, "-3")]
        assert all(noted.asked_at <= (noted.ended_at or noted.asked_at) for noted in sim.journal)


class TestRedirects:
    async def test_to_another_origin_where_the_bearer_is_not_wanted(
        self, sim: SimulatedLeanix, client: PlainClient
    ) -> None:
        sim.switches.download_redirect = "other_origin"
        await client.start()
        key = (await client.finished())["downloadKey"]
        reply = await client.download(key)
        assert reply.status_code == 302
        assert reply.headers["location"].startswith(sim.blob_url + "/blob/")
        assert (await client.http.get(reply.headers["location"])).status_code == 400
        assert (await client.download(key)).status_code == 404
        assert sim.counters["blob_with_bearer"] == 1

    @pytest.mark.parametrize("spends", [True, False])
    async def test_on_the_same_origin(self, sim: SimulatedLeanix, client: PlainClient, *, spends: bool) -> None:
        sim.switches.merge({"download_redirect": "same_origin", "redirect_spends_key": spends})
        await client.start()
        key = (await client.finished())["downloadKey"]
        assert (await client.download(key)).status_code == 302
        again = await client.download(key)
        assert again.status_code == (404 if spends else 302)
        if not spends:
            third = await client.download(key)
            sim.switches.download_fault = "status"
            assert (await client.http.get(again.headers["location"])).status_code == 503
            whole = await client.http.get(again.headers["location"])
            assert _is_whole_workbook(whole.content)
            assert (await client.http.get(third.headers["location"])).status_code == 404
            assert (await client.download(key)).status_code == 404
        assert sim.counters["keys_spent"] == 1

    async def test_to_any_address(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        url = "http://blobs.example.com/x?sig=1"
        sim.switches.merge({"download_redirect": "url", "download_redirect_url": url})
        await client.start()
        reply = await client.download((await client.finished())["downloadKey"])
        assert reply.headers["location"] == url


class TestAdmin:
    async def test_switches_time_and_state(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        changed = await client.http.patch("/admin/switches", json={"extra_rows": 3})
        assert changed.json()["extra_rows"] == sim.switches.extra_rows == 3
        wrong = await client.http.patch("/admin/switches", json={"extra_row": 3})
        assert wrong.status_code == 400
        assert "did you mean 'extra_rows'?" in wrong.json()["errorMessage"]
        assert (await client.http.patch("/admin/switches", json=[1])).status_code == 400
        before = sim.clock.now()
        moved = await client.http.post("/admin/time", json={"advance_s": 3600, "speed": 2, "skew_s": -60})
        assert moved.json()["speed"] == 2
        assert sim.clock.now() - before >= timedelta(hours=1)
        for body in ({"advance_s": -1}, {"advance_s": "x"}, {"sped": 1}):
            assert (await client.http.post("/admin/time", json=body)).status_code == 400
        state = (await client.http.get("/admin/state", params={"world": "true"})).json()
        assert state["counters"]["tokens"] == 1
        assert sum(state["world"]["fact_sheets"].values()) > 0
        listed = (await client.http.get("/admin/world/fact-sheets")).json()
        assert listed == await sim.fact_sheets()

    async def test_rows_of_others_and_revoked_tokens(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        made = await client.http.post("/admin/exports", json={"type": "ARCHIVE", "offset_s": -5, "own": True})
        (row,) = await client.rows()
        assert made.json()["id"] == row["id"]
        assert (row["type"], row["user"]["id"]) == ("ARCHIVE", sim.user_id)
        assert (await client.http.post("/admin/exports", json={"type": "x"})).status_code == 400
        await client.http.post("/admin/tokens/revoke")
        assert (await client.list_exports()).status_code == 401

    async def test_it_can_be_switched_off(self) -> None:
        async with SimulatedLeanix(SimulatorSettings(admin=False)) as sim, connected(sim) as client:
            assert (await client.http.get("/admin/state")).status_code == 404


class TestLife:
    async def test_it_stops_at_once_with_an_open_transfer(self) -> None:
        async with SimulatedLeanix(SMALL, Switches(**QUICK, download_bytes_per_s=100)) as sim, connected(sim) as client:
            await client.start()
            key = (await client.finished())["downloadKey"]
            path = f"{EXPORTS}/downloads/{client.workspace_id}"
            async with client.http.stream("GET", path, params={"key": key}) as reply:
                assert reply.status_code == 200
                began = time.monotonic()
                await sim.stop()
                assert time.monotonic() - began < 2
        with pytest.raises(httpx.ConnectError):
            async with httpx.AsyncClient(trust_env=False) as http:
                await http.get(sim.url)

    async def test_it_stops_while_it_makes_a_world_and_a_workbook(self) -> None:
        settings = SimulatorSettings(fact_sheets=3000, changes_per_hour=50)
        with anyio.fail_after(10):
            async with SimulatedLeanix(settings, Switches(**QUICK)) as sim, connected(sim) as client:
                await client.start()

    async def test_loopback_only(self) -> None:
        with pytest.raises(UsageError, match=r"can't listen on 0\.0\.0\.0"):
            async with SimulatedLeanix(SimulatorSettings(host="0.0.0.0")):  # noqa: S104  (what is refused here)
                pass

    async def test_a_port_that_is_taken(self, sim: SimulatedLeanix) -> None:
        port = httpx.URL(sim.url).port or 0
        with pytest.raises(UsageError, match=f"can't listen on 127.0.0.1:{port}: Address already in use"):
            async with SimulatedLeanix(SimulatorSettings(port=port)):
                pass

    async def test_offline_nothing_listens_and_online_everything_is_as_it_was(self, sim: SimulatedLeanix) -> None:
        async with httpx.AsyncClient(base_url=sim.url, trust_env=False) as http:
            before = (await http.get("/admin/state")).json()["workspaces"][0]["id"]
            for _ in range(2):
                sim.go_offline()
                with pytest.raises(httpx.TransportError):  # the connection that was open is cut
                    await http.get("/admin/state")
                with pytest.raises(httpx.ConnectError):
                    await http.get("/admin/state")
                await sim.go_online()
                assert (await http.get("/admin/state")).json()["workspaces"][0]["id"] == before
            sim.go_offline()  # it can be stopped like that, too

    def test_in_a_thread(self) -> None:
        with simulated_leanix_thread(SMALL) as sim:
            reply = httpx.get(f"{sim.url}/admin/state", trust_env=False)
            assert reply.json()["workspaces"][0]["id"] == sim.workspace_id
            assert sum(len(ids) for ids in sim.fact_sheets().values()) > 0

    async def test_every_reply_has_the_servers_date(self, sim: SimulatedLeanix, client: PlainClient) -> None:
        sim.clock.skew = timedelta(days=1)
        for path in ("/nosuch", EXPORTS, f"{EXPORTS}/fullExport"):
            dates = (await client.http.get(path)).headers.get_list("date")
            assert len(dates) == 1
            assert abs(parsedate_to_datetime(dates[0]) - sim.clock.server_now()) < timedelta(seconds=5)


async def sim_state(client: PlainClient) -> dict[str, Any]:
    state: dict[str, Any] = (await client.http.get("/admin/state")).json()["workspaces"][0]
    return state


def _is_whole_workbook(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.testzip() is None and "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, zlib.error):
        return False
