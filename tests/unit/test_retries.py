"""Trying again: what another try may cure, never sooner than asked, never beyond the deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import anyio
import pytest
import stamina

from leanix_backup.clock import Clock
from leanix_backup.errors import BackupError, LeanixError, StoreError
from leanix_backup.events import Event, Log
from leanix_backup.retries import retrying
from tests.support.fake_time import FakeTime
from tests.support.log_lines import Captured, captured_log


@pytest.fixture(autouse=True)
def no_backoff() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10_000):
        yield


@pytest.fixture
def log() -> Iterator[Captured]:
    with captured_log() as captured:
        yield captured


def failing(*errors: Exception, then: str = "done") -> tuple[Callable[[], Awaitable[str]], list[int]]:
    """Make a call that raises these one after the other and then works; the list counts its tries."""
    left, tried = list(errors), [0]

    async def call() -> str:
        tried[0] += 1
        if left:
            raise left.pop(0)
        return then

    return call, tried


def fault(retry_after: float | None = None) -> LeanixError:
    return LeanixError("a fault", code="server_error", retryable=True, retry_after=retry_after)


async def attempt(call: Callable[[], Awaitable[str]], time: FakeTime, *, tries: int = 6, seconds: float = 3600) -> str:
    return await retrying(call, what="x", clock=time.clock, log=Log(), deadline=time.deadline(seconds), tries=tries)


async def test_the_first_success_counts(log: Captured) -> None:
    call, tried = failing(fault(), StoreError("full"), fault(3))
    assert await attempt(call, FakeTime(spread=1)) == "done"
    assert tried == [4]
    scheduled = log.of(Event.RETRY_SCHEDULED)
    assert [(line["attempt"], line["wait_s"], line["error_code"]) for line in scheduled] == [
        (1, 0.5, "server_error"),
        (2, 1.0, "destination_error"),
        (3, 3, "server_error"),
    ]
    assert {(line["what"], line["level"]) for line in scheduled} == {("x", "warning")}


@pytest.mark.parametrize("error", [BackupError("no"), LeanixError("no"), ValueError("no"), OSError("no")])
async def test_what_says_nothing_of_another_try_is_not_tried_again(error: Exception, log: Captured) -> None:
    call, tried = failing(error)
    with pytest.raises(type(error)) as caught:
        await attempt(call, FakeTime())
    assert caught.value is error
    assert tried == [1]
    assert log.lines == []


@pytest.mark.parametrize("tries", [1, 2, 6])
async def test_tries_are_counted(tries: int) -> None:
    last = fault()
    call, tried = failing(*(fault() for _ in range(tries - 1)), last, fault())
    with pytest.raises(LeanixError) as caught:
        await attempt(call, FakeTime(), tries=tries)
    assert caught.value is last
    assert tried == [tries]


async def test_an_error_that_can_be_cured_turns_into_one_that_cannot() -> None:
    call, tried = failing(fault(), LeanixError("no", code="token_rejected"))
    with pytest.raises(LeanixError, match="no"):
        await attempt(call, FakeTime())
    assert tried == [2]


async def test_a_wait_beyond_the_deadline_fails_at_once_and_says_so() -> None:
    call, tried = failing(fault(retry_after=31_536_000))
    time = FakeTime()
    with pytest.raises(LeanixError) as caught:
        await attempt(call, time, seconds=60)
    assert tried == [1]
    assert not caught.value.retryable
    assert "31536000 s" in caught.value.hint
    assert time.slept == []


async def test_a_wait_up_to_the_deadline_is_taken() -> None:
    call, tried = failing(fault(retry_after=60))
    assert await attempt(call, FakeTime(), seconds=60) == "done"
    assert tried == [2]


async def test_no_time_left_for_our_own_wait_keeps_the_error_as_it_was() -> None:
    call, tried = failing(fault())
    with pytest.raises(LeanixError) as caught:
        await attempt(call, FakeTime(), seconds=0.1)
    assert tried == [1]
    assert caught.value.retryable  # a new attempt, with time of its own, may work


@pytest.mark.parametrize("real", [False, True])
async def test_a_cancellation_is_no_error_to_try_again(*, real: bool) -> None:
    tried = 0

    async def hang() -> str:
        nonlocal tried
        tried += 1
        await anyio.sleep_forever()
        return "never"

    if real:
        task = asyncio.create_task(attempt(hang, FakeTime()))
        while not tried:
            await anyio.lowlevel.checkpoint()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        with anyio.move_on_after(0.01) as scope:
            await attempt(hang, FakeTime())
        assert scope.cancelled_caught
    assert tried == 1


class TestForReal:
    """With stamina as it is outside of tests."""

    @pytest.fixture(autouse=True)
    def no_backoff(self) -> Iterator[None]:
        with stamina.set_testing(False):
            yield

    async def test_the_wait_is_waited(self) -> None:
        call, tried = failing(fault(retry_after=0.3))
        clock, since = Clock(uniform=lambda low, _high: low), time.monotonic()
        assert await retrying(call, what="x", clock=clock, log=Log(), deadline=clock.deadline(5)) == "done"
        assert tried == [2]
        assert time.monotonic() - since >= 0.3

    async def test_a_wait_can_be_cancelled(self) -> None:
        call, tried = failing(fault(retry_after=60))
        with anyio.move_on_after(0.05) as scope:
            await attempt(call, FakeTime())
        assert scope.cancelled_caught
        assert tried == [1]

    async def test_no_line_of_the_library_with_the_calls_arguments(self, log: Captured) -> None:
        call, _ = failing(fault(retry_after=0.01), fault(retry_after=0.01))
        await attempt(call, FakeTime(spread=-1))
        assert set(log.names) == {"retry_scheduled"}
