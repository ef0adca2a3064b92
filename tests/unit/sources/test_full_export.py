"""An attempt at an export, from the question to the key, in a workspace that others use too (design §2.1, §2.2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from leanix_backup.errors import ExportLostError, LeanixError
from leanix_backup.events import Event
from leanix_backup.leanix import ExportRow, LeanixClient, Started
from leanix_backup.model import Asked, ExportType
from leanix_backup.sources.full_export import Ready
from leanix_backup.sources.ownership import Intent
from tests.support.fake_time import START, FakeTime
from tests.support.log_lines import captured_log
from tests.unit.sources.conftest import Row, World, make_export

Found = tuple[Intent, Started | None, ExportRow]


async def up_to_row(client: LeanixClient, time: FakeTime, **more: Any) -> ExportRow:
    """Prepare, request and find."""
    export, _ = make_export(client, time, **more)
    intent = await export.prepare()
    return await export.find(intent, await export.request(None))


async def up_to_key(client: LeanixClient, time: FakeTime, **more: Any) -> Ready:
    export, _ = make_export(client, time, **more)
    intent = await export.prepare()
    return await export.wait(await export.find(intent, await export.request(None)))


async def refused(client: LeanixClient, time: FakeTime, **more: Any) -> LeanixError:
    with pytest.raises(LeanixError) as caught:
        await up_to_key(client, time, **more)
    assert caught.value.hint
    return caught.value


def done(after: float = 30) -> dict[float, str]:
    return {0: "STARTED", after: "COMPLETED"}


class TestPrepare:
    async def test_remembers_the_ids_of_that_type_and_the_servers_time(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.ahead = timedelta(hours=-7)
        world.rows = [Row("e1"), Row("e2", user="them"), Row("a1", type="ARCHIVE")]
        export, watch = make_export(client, time)
        intent = await export.prepare()
        assert intent == Intent(ExportType.SNAPSHOT, frozenset({"e1", "e2"}), START - timedelta(hours=7), "user-1")
        assert watch.polls == 0

    async def test_all_ids_of_a_long_list(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [Row(f"e{number}", created=-number) for number in range(150)]
        export, _ = make_export(client, time)
        assert len((await export.prepare()).seen_ids) == 150

    async def test_a_configured_user_id_overrides_the_tokens(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        assert world.rows == []
        export, _ = make_export(client, time, user_id="other")
        assert (await export.prepare()).user_id == "other"

    async def test_nothing_is_started_where_the_list_cannot_be_had(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.list_answer = lambda _seconds: httpx.Response(503)
        assert (await refused(client, time)).code == "unavailable"
        assert world.started_at == []


class TestFind:
    async def test_ours_is_there_at_once(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [Row("e1", appears=-100)]
        world.rows.append(Row("ours", appears=0.001))
        time.on_sleep = lambda: None
        assert (await up_to_row(client, time)).id == "ours"
        assert time.passed < 5

    @pytest.mark.parametrize("late", [10, 60, 119])
    async def test_ours_appears_late(self, late: float, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [Row("ours", appears=late)]
        assert (await up_to_row(client, time)).id == "ours"
        assert time.passed >= late

    async def test_somebody_elses_newer_completed_one_is_not_taken(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [
            Row("theirs", user="them", appears=1, created=11, statuses={0: "COMPLETED"}),
            Row("ours", appears=10, created=10, statuses=done()),
        ]
        ready = await up_to_key(client, time)
        assert ready.row.id == "ours"

    async def test_ours_among_a_hundred_and_fifty(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        old = [Row(f"e{number}", created=-number - 10, statuses={0: "DOWNLOADED"}) for number in range(150)]
        busy = [Row(f"t{number}", user="them", appears=1, created=20) for number in range(120)]
        world.rows = [*old, *busy, Row("ours", appears=1, statuses=done())]
        assert (await up_to_key(client, time)).row.id == "ours"

    @pytest.mark.parametrize("hours", [-26, -7, 7, 300])
    @pytest.mark.parametrize("user", ["user-1", None])
    async def test_with_the_servers_clock_hours_off(
        self, hours: float, user: str | None, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.ahead = timedelta(hours=hours)
        world.rows = [Row("old", user=user, created=-60), Row("ours", user=user, appears=10, statuses=done())]
        assert (await up_to_key(client, time)).row.id == "ours"

    async def test_an_old_row_that_comes_back_into_the_list_is_not_ours(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("old", appears=1, created=-3600), Row("ours", appears=10)]
        assert (await up_to_row(client, time)).id == "ours"

    async def test_with_nothing_but_what_a_row_must_have(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("ours", user=None, appears=3, more={"createdAt": None}, statuses=done())]
        world.says_date = False
        assert (await up_to_key(client, time)).row.id == "ours"
        assert time.passed >= 120  # nobody's row is ours only where no other came in all of `row_wait`

    async def test_of_two_nameless_ones_neither_is_taken(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("one", user=None, appears=5), Row("two", user=None, appears=100)]
        error = await refused(client, time)
        assert (error.code, error.retryable) == ("export_ambiguous", False)
        assert "one" in error.message
        assert "two" in error.message
        assert time.passed >= 120

    async def test_of_two_of_ours_neither_is_taken(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [Row("one", appears=5), Row("two", appears=5)]
        assert (await refused(client, time)).code == "export_ambiguous"

    async def test_a_user_by_another_id_than_the_tokens_is_said_with_the_ids_seen(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("e77", user="us-by-another-id", appears=1)]
        error = await refused(client, time)
        assert error.code == "export_not_found"
        assert "e77" in error.message
        assert "user_id" in error.hint

    async def test_and_found_once_that_id_is_configured(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("e77", user="us-by-another-id", appears=1)]
        assert (await up_to_row(client, time, user_id="us-by-another-id")).id == "e77"

    async def test_none_after_the_wait(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [Row("old")]
        error = await refused(client, time)
        assert error.code == "export_not_found"
        assert 120 <= time.passed < 140
        assert world.started_at == [0]

    async def test_one_that_appears_with_the_last_look_counts(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("ours", appears=120)]
        assert (await up_to_row(client, time)).id == "ours"

    async def test_faults_of_the_list_are_looks_that_brought_nothing(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.list_answer = lambda seconds: httpx.Response(503) if 0 < seconds < 100 else None
        world.rows = [Row("ours", appears=5)]
        assert (await up_to_row(client, time)).id == "ours"

    async def test_where_the_list_fails_up_to_the_end_of_the_wait_one_good_look_is_still_due(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.list_answer = lambda seconds: httpx.Response(503) if 0 < seconds < 200 else None
        world.rows = [Row("ours", user=None, appears=5)]
        assert (await up_to_row(client, time)).id == "ours"
        assert 200 <= time.passed < 260

    async def test_where_the_list_can_not_be_read_any_more_nothing_is_said_of_rows(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        """Else it would claim that the export is not in a list that nobody has seen."""
        world.list_answer = lambda seconds: httpx.Response(502) if seconds > 0 or world.started_at else None
        world.rows = [Row("ours", appears=5)]
        with pytest.raises(LeanixError) as caught:
            await up_to_row(client, time)
        assert (caught.value.code, caught.value.retryable) == ("server_error", False)


class TestUnknownOutcome:
    UNKNOWN = (httpx.Response(500), httpx.Response(502), httpx.Response(504), httpx.ReadTimeout("x"))

    @pytest.mark.parametrize("answer", UNKNOWN, ids=str)
    async def test_it_had_worked(
        self, answer: httpx.Response | Exception, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.start_answer = answer
        world.rows = [Row("ours", appears=30, statuses=done(60))]
        with captured_log() as log:
            assert (await up_to_key(client, time)).row.id == "ours"
        assert len(world.started_at) == 1
        assert log.names.count("retry_scheduled") == 1

    @pytest.mark.parametrize("answer", UNKNOWN, ids=str)
    async def test_it_had_not(
        self, answer: httpx.Response | Exception, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.start_answer = answer
        error = await refused(client, time)
        assert (error.code, error.retryable) == ("export_outcome_unknown", True)
        assert time.passed >= 120
        assert len(world.started_at) == 1

    async def test_a_login_page_instead_of_an_answer_may_have_worked_too(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.start_answer = httpx.Response(200, html="<html>please log in</html>")
        world.rows = [Row("ours", appears=5)]
        assert (await up_to_row(client, time)).id == "ours"
        assert len(world.started_at) == 1

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (httpx.Response(400), "request_refused"),
            (httpx.Response(403), "forbidden"),
            (httpx.Response(404), "not_found"),
        ],
    )
    async def test_a_refusal_is_known_at_once(
        self, answer: httpx.Response, code: str, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.start_answer = answer
        assert (await refused(client, time)).code == code
        assert time.slept == []

    async def test_the_wait_is_that_of_the_row_and_within_the_timeout(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.start_answer = httpx.Response(502)
        assert (await refused(client, time, timeout=30, row_wait=10)).code == "export_outcome_unknown"
        assert 10 <= time.passed <= 30


class TestWait:
    async def test_until_it_is_completed(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [Row("ours", appears=1, statuses=done(600))]
        with captured_log() as log:
            ready = await up_to_key(client, time)
        assert (ready.row.id, ready.key) == ("ours", "k3y")
        assert 600 <= time.passed <= 670
        (line,) = log.of(Event.EXPORT_COMPLETED)
        assert line["export_id"] == "ours"
        assert line["polls"] == len(world.looked_at) - 1  # the first look was the one before the request
        assert line["waited_s"] == pytest.approx(time.passed)
        assert "k3y" not in log.text
        assert "acme.example" not in log.text

    async def test_it_was_completed_before_the_first_look(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("ours", appears=0.5, statuses={0: "COMPLETED"})]
        assert (await up_to_key(client, time)).key == "k3y"
        assert time.passed < 5

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            ("ERROR", "export_failed"),
            ("CANCELED", "export_canceled"),
            ("DELETED", "export_deleted"),
            ("DOWNLOADED", "export_downloaded_elsewhere"),
        ],
    )
    @pytest.mark.parametrize("after", [0, 50])
    async def test_what_only_a_new_attempt_can_cure(
        self, status: str, code: str, after: float, *, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        statuses: dict[float, str] = {0: "STARTED"} | {after: status}
        world.rows = [Row("ours", appears=1, statuses=statuses)]
        error = await refused(client, time)
        assert isinstance(error, ExportLostError)
        assert (error.code, error.retryable) == (code, True)
        assert "ours" in error.message

    @pytest.mark.parametrize("status", ["THINKING", "PENDING", "completed", "FINISHED"])
    async def test_an_unknown_status_is_polled_on_and_said(
        self, status: str, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("ours", appears=1, statuses={0: status, 300: "COMPLETED"})]
        with captured_log() as log:
            assert (await up_to_key(client, time)).row.status == "COMPLETED"
        assert status in {line["status"] for line in log.of(Event.EXPORT_POLLED) if "status" in line}

    async def test_completed_without_a_key_is_not_ready(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("ours", appears=1, statuses=done(10), key=None)]
        assert (await refused(client, time, timeout=600)).code == "export_timeout"

    async def test_a_row_that_is_gone_for_good_is_deleted(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("ours", appears=1, vanishes=100)]
        error = await refused(client, time)
        assert (error.code, error.retryable) == ("export_deleted", True)
        assert time.passed < 400

    async def test_a_row_that_is_gone_for_a_moment_is_not(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("ours", appears=1, vanishes=100), Row("ours", appears=130, statuses=done(200))]
        assert (await up_to_key(client, time)).row.id == "ours"

    async def test_faults_of_the_list_do_not_count_as_gone(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("ours", appears=1, statuses=done(900))]
        world.list_answer = lambda seconds: httpx.ReadTimeout("x") if 20 < seconds < 850 else None
        assert (await up_to_key(client, time)).row.id == "ours"

    async def test_somebody_elses_success_is_not_ours(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [
            Row("ours", appears=1, statuses={0: "STARTED", 100: "ERROR"}),
            Row("theirs", user="them", appears=20, statuses={0: "COMPLETED"}),
            Row("ours-by-hand", appears=30, statuses={0: "COMPLETED"}),
        ]
        assert (await refused(client, time)).code == "export_failed"

    async def test_it_never_ends(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [Row("ours", appears=1)]
        error = await refused(client, time, timeout=1000)
        assert (error.code, error.retryable) == ("export_timeout", False)
        assert time.passed == pytest.approx(1000)
        assert world.looked_at[-1] == pytest.approx(1000)  # the last look is at the very end

    async def test_the_wall_clock_jumps(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        """The machine's clock is set while we wait; the server's clock goes on as it did."""
        world.rows = [Row("ours", appears=1)]
        jumps = iter([timedelta(days=400), timedelta(days=-800)])

        def jump() -> None:
            if time.passed > 300 and (by := next(jumps, None)) is not None:
                time.utc_now += by
                world.ahead -= by

        time.on_sleep = jump
        assert (await refused(client, time, timeout=1000)).code == "export_timeout"
        assert time.passed == pytest.approx(1000)

    async def test_request_and_wait_share_the_timeout(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [Row("ours", appears=100)]
        assert (await refused(client, time, timeout=300)).code == "export_timeout"
        assert time.passed == pytest.approx(300)


class TestKeyIsListed:
    async def ready(self, client: LeanixClient, world: World, time: FakeTime, *after: Row) -> bool:
        world.rows = [Row("ours", appears=0.5, statuses={0: "COMPLETED"})]
        export, _ = make_export(client, time)
        intent = await export.prepare()
        ready = await export.wait(await export.find(intent, await export.request(None)))
        world.rows = list(after)
        return await export.key_is_listed(ready)

    async def test_while_it_is(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        assert await self.ready(client, world, time, Row("ours", statuses={0: "COMPLETED"}))

    @pytest.mark.parametrize(
        "row",
        [
            Row("ours", statuses={0: "DOWNLOADED"}),
            Row("ours", statuses={0: "DELETED"}),
            Row("ours", statuses={0: "COMPLETED"}, key=None),
            Row("ours", statuses={0: "COMPLETED"}, key="another"),
            Row("theirs", statuses={0: "COMPLETED"}),
        ],
        ids=range(5),
    )
    async def test_when_it_is_not(self, row: Row, client: LeanixClient, world: World, time: FakeTime) -> None:
        assert not await self.ready(client, world, time, row)

    async def test_when_nobody_can_tell(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [Row("ours", appears=0.5, statuses={0: "COMPLETED"})]
        export, _ = make_export(client, time)
        intent = await export.prepare()
        ready = await export.wait(await export.find(intent, await export.request(None)))
        world.list_answer = lambda _seconds: httpx.Response(503)
        assert not await export.key_is_listed(ready)


async def test_an_audit_log_asks_for_its_stretch(client: LeanixClient, world: World, time: FakeTime) -> None:
    world.rows = [Row("ours", type="AUDIT_LOG", appears=0.5)]
    export, _ = make_export(client, time, export=ExportType.AUDIT_LOG)
    intent = await export.prepare()
    started = await export.request(Asked("2027-03-30", None))
    assert (await export.find(intent, started)).type == "AUDIT_LOG"
    assert started is not None
    assert started.job_id == "job:1"
