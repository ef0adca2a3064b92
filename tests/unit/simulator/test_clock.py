from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leanix_backup.simulator.clock import SimClock

START = datetime(2027, 3, 28, tzinfo=UTC)


class Ticks:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_world_time_runs_as_fast_as_it_is_told() -> None:
    ticks = Ticks()
    clock = SimClock(start=START, speed=60, monotonic=ticks)
    ticks.now += 2
    assert clock.now() == START + timedelta(minutes=2)
    clock.speed = 1
    ticks.now += 5
    assert clock.now() == START + timedelta(minutes=2, seconds=5)


def test_it_jumps_ahead_and_never_back() -> None:
    clock = SimClock(start=START, monotonic=Ticks())
    clock.advance(3600)
    assert clock.now() == START + timedelta(hours=1)
    with pytest.raises(ValueError, match="only goes forward"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="only goes forward"):
        clock.speed = -1


def test_the_servers_clock_may_be_off_without_the_world_noticing() -> None:
    clock = SimClock(start=START, skew=timedelta(hours=-5), monotonic=Ticks())
    assert clock.server_now() == START - timedelta(hours=5)
    assert clock.now() == START
    assert clock.to_world(clock.to_server(START)) == START


def test_spans_are_in_the_clients_seconds() -> None:
    clock = SimClock(start=START, speed=3600, monotonic=Ticks())
    assert clock.span(600) == timedelta(seconds=600 * 3600)
    clock.speed = 0
    assert clock.span(600) == timedelta(seconds=600)
