"""The bell: real time and a real event loop, as APScheduler leaves no other way."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import anyio
import pytest

from leanix_backup import cron
from leanix_backup.schedule import Bell
from tests.support.log_lines import captured_log

ZONE = ZoneInfo("UTC")
SECOND = timedelta(seconds=1)


class Rings:
    """What was rung, and a bell that rings it."""

    def __init__(self, *, fails: bool = False, **schedules: str) -> None:
        self._fails = fails
        self.heard: list[tuple[str, datetime, datetime]] = []
        self._new = asyncio.Event()
        self.bell = Bell({name: cron.parse(text, ZONE) for name, text in schedules.items()}, self._ring)

    def _ring(self, name: str, due: datetime) -> None:
        self.heard.append((name, due, datetime.now(UTC)))
        self._new.set()
        if self._fails:
            raise ZeroDivisionError

    async def until(self, count: int) -> None:
        with anyio.fail_after(10):
            while len(self.heard) < count:
                self._new.clear()
                await self._new.wait()

    @property
    def dues(self) -> list[datetime]:
        return [due for _, due, _ in self.heard]


async def test_it_rings_when_due_and_says_when_that_was() -> None:
    rings = Rings(often="@every 1s", rarely="0 3 1 1 *")
    with captured_log() as log:
        rings.bell.start()
        try:
            await rings.until(2)
        finally:
            rings.bell.stop()
    for name, due, heard in rings.heard:
        assert name == "often"
        assert due.tzinfo is UTC
        assert due.microsecond == 0
        assert timedelta() <= heard - due < SECOND
    assert rings.dues[1] - rings.dues[0] == SECOND
    assert log.lines == []


async def test_several_that_were_missed_become_one() -> None:
    """A loop that was busy, or a laptop that slept, owes one run, not two."""
    rings = Rings(often="@every 1s")
    rings.bell.start()
    try:
        await rings.until(1)
        time.sleep(2.2)  # noqa: ASYNC251 -- the loop is to be blocked
        woke = datetime.now(UTC)
        await rings.until(3)
    finally:
        rings.bell.stop()
    assert rings.heard[1][2] - woke < SECOND / 2  # the one for all that were missed, at once
    assert rings.dues[2] > woke  # and then as usual
    assert rings.dues[2] - rings.dues[1] <= 3 * SECOND


async def test_stopped_it_is_silent_though_something_was_due() -> None:
    rings = Rings(often="@every 1s")
    rings.bell.start()
    await rings.until(1)
    time.sleep(1.1)  # noqa: ASYNC251 -- so that a ring is due when it is stopped
    rings.bell.stop()
    count = len(rings.heard)
    await anyio.sleep(1.05)
    assert len(rings.heard) == count


async def test_stopping_twice_or_before_the_start_is_no_error() -> None:
    trouble: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: trouble.append(context))
    rings = Rings(often="@every 1s")
    rings.bell.stop()
    rings.bell.start()
    rings.bell.stop()
    rings.bell.stop()
    await anyio.sleep(0.05)
    rings.bell.stop()
    assert trouble == []


async def test_waking_it_rings_nothing_that_is_not_due() -> None:
    rings = Rings(rarely="0 3 1 1 *")
    rings.bell.start()
    try:
        for _ in range(20):
            rings.bell.wake()
            await anyio.lowlevel.checkpoint()
        await anyio.sleep(0.05)
    finally:
        rings.bell.stop()
    assert rings.heard == []


async def test_who_hears_it_may_fail_and_it_rings_on() -> None:
    rings = Rings(often="@every 1s", fails=True)
    with captured_log() as log:
        rings.bell.start()
        try:
            await rings.until(2)
        finally:
            rings.bell.stop()
    assert any("ZeroDivisionError" in line.get("exception", "") for line in log.lines)  # and not in silence


@pytest.mark.parametrize("count", [0, 200])
async def test_any_number_of_jobs(count: int) -> None:
    schedules = {f"job{number}": "@every 1s" for number in range(count)}
    rings = Rings(fails=False, **schedules)
    rings.bell.start()
    try:
        await rings.until(count)
    finally:
        rings.bell.stop()
    assert {name for name, _, _ in rings.heard} == {f"job{number}" for number in range(count)}
