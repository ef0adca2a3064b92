"""The time that skips over waits: does it skip them, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leanix_backup.simulator import SimulatorSettings, Switches, simulated_leanix_thread
from tests.support import skipped_time
from tests.support.skipped_time import SkippedTime

HOUR = 3600.0
START = datetime(2027, 3, 1, tzinfo=UTC)

pytestmark = pytest.mark.skipif(skipped_time.why_not() is not None, reason=str(skipped_time.why_not()))


@pytest.fixture
def skipped() -> Iterator[SkippedTime]:
    with SkippedTime(START) as made:
        yield made


@contextmanager
def child(code: str, skipped: SkippedTime, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python code in the skipped time; it prints JSON lines."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=os.environ | skipped.env(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(code: str, skipped: SkippedTime, *arguments: str) -> Any:
    """Run Python code in the skipped time to its end and return what it printed."""
    with child(code, skipped, *arguments) as process:
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        return json.loads(out)


SLEEPS = """
import asyncio, json, time
before = time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME)
asyncio.run(asyncio.sleep(3600))
time.sleep(60)
after = time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME)
print(json.dumps([later - earlier for earlier, later in zip(before, after)]))
"""


def test_waits_are_skipped_on_every_clock(skipped: SkippedTime) -> None:
    since, monotonic, now = time.monotonic(), skipped.monotonic(), skipped.now()
    assert now - START < timedelta(seconds=10)
    passed = run(SLEEPS, skipped)
    real = time.monotonic() - since
    assert real < 20
    for seconds in (*passed, skipped.monotonic() - monotonic, (skipped.now() - now).total_seconds()):
        assert HOUR + 60 <= seconds < HOUR + 60 + real


def test_the_wall_clock_can_be_set_back_while_monotonic_time_goes_on(skipped: SkippedTime) -> None:
    run(SLEEPS, skipped)
    before = skipped.monotonic()
    skipped.set_wall(START - timedelta(days=1))
    told = run("import json, time; print(json.dumps([time.time(), time.monotonic()]))", skipped)
    assert 0 <= told[0] - (START - timedelta(days=1)).timestamp() < 20
    assert before < told[1] < skipped.monotonic()
    skipped.advance(HOUR)
    assert skipped.monotonic() > before + HOUR
    for ahead in (timedelta(), timedelta(days=400)):
        at = skipped.at(skipped.now() + ahead) - skipped.monotonic()
        assert at == pytest.approx(ahead.total_seconds(), abs=0.1)
    with pytest.raises(ValueError, match="forward"):
        skipped.advance(-1)


WORKS = """
import asyncio, hashlib, json, os, tempfile, threading, time
def work():
    since = time.process_time()
    while time.process_time() - since < 0.3:
        hashlib.sha256(bytes(1_000_000)).digest()
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(20):
            file.write(bytes(100_000))
            file.flush()
            os.fsync(file.fileno())
async def main():
    await asyncio.sleep(86400)
    before = time.monotonic()
    await asyncio.wait_for(asyncio.to_thread(work), 3600)
    print(json.dumps(time.monotonic() - before))
asyncio.run(main())
"""


def test_work_in_a_thread_is_not_skipped_over(skipped: SkippedTime) -> None:
    assert 0.3 <= run(WORKS, skipped) < 20


LOCKS = """
import json, threading, time
time.sleep(86400 * 30)
before = time.monotonic()
threading.Event().wait(0.05)
done = []
def spin():
    while not done:
        pass
threads = [threading.Thread(target=spin) for _ in range(2)]
for thread in threads:
    thread.start()
condition = threading.Condition()
with condition:
    condition.wait(0.05)
done.append(True)
for thread in threads:
    thread.join(30)
print(json.dumps([time.monotonic() - before, any(thread.is_alive() for thread in threads)]))
"""


def test_waits_for_locks_end_in_real_time(skipped: SkippedTime) -> None:
    passed, stuck = run(LOCKS, skipped)
    assert 0.1 <= passed < 20
    assert not stuck


WAITS = """
import json, time
print("begun", flush=True)
time.sleep(3600)
print(json.dumps(time.time()))
"""


def test_nothing_is_skipped_while_somebody_is_busy(skipped: SkippedTime) -> None:
    with child(WAITS, skipped) as process:
        with skipped.busy():
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
            assert skipped.now() - START < timedelta(seconds=30)
        assert process.wait(30) == 0
    assert skipped.now() - START >= timedelta(hours=1)


def test_a_limit_is_not_skipped_over_and_a_leap_goes_past_what_was_due(skipped: SkippedTime) -> None:
    limit = skipped.monotonic() + 1800
    with child(WAITS, skipped) as process:
        with skipped.not_beyond(limit + 60), skipped.not_beyond(limit):
            while skipped.monotonic() < limit:
                time.sleep(0.001)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
            assert skipped.monotonic() < limit + 30
        skipped.leap_to(limit + 5 * HOUR)
        assert process.wait(30) == 0
        assert process.stdout is not None
        woken = float(process.stdout.read().splitlines()[1])
    assert 5.5 * HOUR <= woken - START.timestamp() < 5.5 * HOUR + 60


ASKS = """
import asyncio, json, sys, time
import httpx
async def main():
    await asyncio.sleep(86400)
    took = []
    async with httpx.AsyncClient(timeout=60) as client:
        for _ in range(3):
            before = time.monotonic()
            try:
                status = (await client.get(sys.argv[1])).status_code
            except httpx.ReadTimeout:
                status = 0
            took.append([status, time.monotonic() - before])
    print(json.dumps(took))
asyncio.run(main())
"""


@pytest.mark.parametrize(("latency_s", "status", "passes"), [(0.0, 401, 0.0), (30.0, 401, 30.0), (90.0, 0, 60.0)])
def test_a_server_keeps_a_client_waiting_in_the_same_time(
    skipped: SkippedTime, latency_s: float, status: int, passes: float
) -> None:
    since = time.monotonic()
    with simulated_leanix_thread(
        SimulatorSettings(fact_sheets=1), Switches(latency_s=latency_s), timing=skipped.timing
    ) as leanix:
        took = run(ASKS, skipped, f"{leanix.url}/services/pathfinder/v1/exports")
        assert timedelta(days=1) <= leanix.clock.now() - START < timedelta(days=1, minutes=10)
    assert time.monotonic() - since < 20
    for answered, seconds in took:
        assert answered == status
        assert passes <= seconds < passes + 5
