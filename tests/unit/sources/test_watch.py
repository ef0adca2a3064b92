"""Looking again and again: what a look that failed is, and when enough is enough."""

from __future__ import annotations

from itertools import pairwise

import httpx
import pytest

from leanix_backup.errors import LeanixError
from leanix_backup.events import Event
from leanix_backup.leanix import LeanixClient
from tests.support.fake_time import FakeTime
from tests.support.log_lines import captured_log
from tests.unit.sources.conftest import Row, World, make_watch


async def test_the_pace_is_that_of_the_design(client: LeanixClient, time: FakeTime) -> None:
    watch = make_watch(client, time)
    for _ in range(30):
        await watch.pause()
    assert time.slept[:6] == [2, 2, 2, 2, 2, 2]
    assert time.slept[-1] == 60
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(time.slept))
    assert watch.waited_s == pytest.approx(sum(time.slept))


@pytest.mark.parametrize("spread", [-1, 1])
async def test_chance_is_five_percent(spread: float, client: LeanixClient) -> None:
    drawn = FakeTime(spread=spread)
    await make_watch(client, drawn).pause()
    assert drawn.slept == [pytest.approx(2 * (1 + 0.05 * spread))]


async def test_no_wait_ends_after_the_deadline_and_after_it_there_is_none(client: LeanixClient, time: FakeTime) -> None:
    watch = make_watch(client, time, timeout=5)
    for _ in range(3):
        await watch.pause()
    assert time.slept == [2, 2, 1]
    with pytest.raises(LeanixError) as caught:
        await watch.pause()
    assert caught.value.code == "export_timeout"
    assert "export_timeout" in caught.value.hint


async def test_something_else_may_be_due_sooner(client: LeanixClient, time: FakeTime) -> None:
    watch = make_watch(client, time)
    await watch.pause(at_most=0.5)
    await watch.pause(at_most=500)
    assert time.slept == [0.5, 2]


async def test_a_jump_of_the_wall_clock_changes_nothing(client: LeanixClient, time: FakeTime) -> None:
    watch = make_watch(client, time, timeout=100)
    time.utc_now = time.utc_now.replace(year=2100)
    await watch.pause()
    time.utc_now = time.utc_now.replace(year=1999)
    await watch.pause()
    assert time.slept == [2, 2]
    assert watch.deadline.remaining == 96


class TestLooks:
    async def test_one_brings_rows_and_is_counted(self, client: LeanixClient, world: World, time: FakeTime) -> None:
        world.rows = [Row("e1")]
        watch = make_watch(client, time)
        for _ in range(3):
            found = await watch.look(stop=lambda _row: False)
            assert found is not None
            assert [row.id for row in found.rows] == ["e1"]
        assert watch.polls == 3

    @pytest.mark.parametrize(
        "fault",
        [
            httpx.Response(429),
            httpx.Response(500),
            httpx.Response(502, html="<html>"),
            httpx.Response(503),
            httpx.Response(504),
            httpx.Response(200, html="<html>maintenance</html>"),
            httpx.Response(200),
            httpx.ConnectError("x"),
            httpx.ReadTimeout("x"),
            httpx.ReadError("x"),
        ],
        ids=str,
    )
    async def test_one_that_fails_is_one_that_brought_nothing_for_as_long_as_it_takes(
        self, fault: httpx.Response | Exception, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.list_answer = lambda _seconds: fault
        watch = make_watch(client, time)
        with captured_log() as log:
            for _ in range(50):
                assert await watch.look(stop=lambda _row: False) is None
        assert watch.polls == 50
        assert len(world.looked_at) == 50  # each look is one request: the next one is due soon enough
        assert len(log.of(Event.EXPORT_POLLED)) == 50
        assert all(line["error_code"] for line in log.lines)

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            (httpx.Response(400), "request_refused"),
            (httpx.Response(403), "forbidden"),
            (httpx.Response(404), "not_found"),
            (httpx.Response(200, json={"data": None}), "reply_invalid"),
        ],
    )
    async def test_what_waiting_cannot_cure_comes_out_after_three_in_a_row(
        self, fault: httpx.Response, code: str, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.list_answer = lambda _seconds: fault
        watch = make_watch(client, time)
        assert await watch.look(stop=lambda _row: False) is None
        assert await watch.look(stop=lambda _row: False) is None
        with pytest.raises(LeanixError) as caught:
            await watch.look(stop=lambda _row: False)
        assert caught.value.code == code

    @pytest.mark.parametrize("between", [None, httpx.Response(503)])
    async def test_in_a_row_means_in_a_row(
        self, between: httpx.Response | None, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        refused = httpx.Response(403)
        answers: list[httpx.Response | None] = [refused, refused, between, refused, refused, between]
        world.list_answer = lambda _seconds: answers.pop(0)
        watch = make_watch(client, time)
        for _ in range(6):
            await watch.look(stop=lambda _row: False)
        assert watch.polls == 6

    async def test_the_next_one_comes_no_sooner_than_asked(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.list_answer = lambda _seconds: httpx.Response(429, headers={"Retry-After": "45"})
        watch = make_watch(client, time)
        await watch.look(stop=lambda _row: False)
        await watch.pause()
        await watch.pause()
        assert time.slept[0] == 45
        assert time.slept[1] < 45  # asked for once, not for ever

    async def test_not_even_where_something_else_is_due_sooner(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.list_answer = lambda _seconds: httpx.Response(429, headers={"Retry-After": "45"})
        watch = make_watch(client, time)
        await watch.look(stop=lambda _row: False)
        await watch.pause(at_most=1)
        assert time.slept == [45]

    async def test_a_wait_beyond_the_deadline_fails_at_once_and_for_good(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        """Else the run would wait that long before its next attempt."""
        world.list_answer = lambda _seconds: httpx.Response(429, headers={"Retry-After": "31536000"})
        watch = make_watch(client, time)
        with pytest.raises(LeanixError) as caught:
            await watch.look(stop=lambda _row: False)
        assert caught.value.code == "rate_limited"
        assert not caught.value.retryable
        assert "31536000" in caught.value.hint
        assert time.slept == []

    async def test_at_the_deadline_it_says_why_the_list_could_not_be_read(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.list_answer = lambda _seconds: httpx.Response(503)
        error = await _watched_to_the_end(client, time)
        assert (error.code, error.retryable) == ("unavailable", False)
        assert "could not be read" in error.message
        assert error.hint

    async def test_bad_looks_now_and_then_are_no_reason(
        self, client: LeanixClient, world: World, time: FakeTime
    ) -> None:
        world.rows = [Row("e1")]
        world.list_answer = lambda seconds: httpx.Response(503) if seconds > 55 or seconds % 20 > 5 else None
        error = await _watched_to_the_end(client, time)
        assert error.code == "export_timeout"


async def _watched_to_the_end(client: LeanixClient, time: FakeTime) -> LeanixError:
    watch = make_watch(client, time, timeout=60)

    async def watched() -> None:
        while True:
            await watch.look(stop=lambda _row: False)
            await watch.pause()

    with pytest.raises(LeanixError) as caught:
        await watched()
    return caught.value
