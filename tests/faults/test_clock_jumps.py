"""The clocks of the service's own machine are set, and it is suspended: no run is lost, and none is made twice."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leanix_backup.simulator import SimulatorSettings, Switches, simulated_leanix_thread
from tests.support import installed, skipped_time
from tests.support.skipped_time import SkippedTime
from tests.support.stored import stored

HOUR = timedelta(hours=1)
START = datetime(2027, 6, 1, 0, 50, tzinfo=UTC)
_MIDNIGHT = START.replace(minute=0)


@pytest.mark.skipif(skipped_time.why_not() is not None, reason=str(skipped_time.why_not()))
def test_each_due_time_is_answered_once_however_the_clock_jumps(tmp_path: Path) -> None:
    settings = SimulatorSettings(fact_sheets=5, changes_per_hour=0)
    with (
        SkippedTime(START) as skipped,
        simulated_leanix_thread(settings, Switches(duration_s=5.0), timing=skipped.timing) as leanix,
    ):
        env = installed.environment(tmp_path, leanix.url, JOBS__SNAPSHOT__SCHEDULE="@hourly") | skipped.env()

        def pass_until(instant: datetime) -> None:
            """Let time go on until then, and stand still there but for what really passes."""
            until = skipped.at(instant)
            limits.enter_limit(until)
            while skipped.monotonic() < until:
                time.sleep(0.005)

        limits = _Limits(skipped)
        limits.enter_limit(skipped.monotonic())
        with installed.started("serve", env=env) as service:
            service.wait_for("service_started")
            pass_until(_MIDNIGHT + 1.1 * HOUR)
            assert _answered(service) == [1]
            skipped.set_wall(skipped.now() - HOUR)
            pass_until(_MIDNIGHT + 1.1 * HOUR)
            assert _answered(service) == [1], "what it had answered before it was set back is not due again"
            pass_until(_MIDNIGHT + 2.1 * HOUR)
            assert _answered(service) == [1, 2]
            skipped.advance(5.15 * HOUR.total_seconds())  # a machine that slept
            pass_until(_MIDNIGHT + 7.3 * HOUR)
            assert _answered(service) == [1, 2, 7], "what was due meanwhile is one run"
            assert service.stop() == 0
        with installed.started("serve", env=env) as service:
            service.wait_for("service_started")
            pass_until(_MIDNIGHT + 7.45 * HOUR)
            assert _answered(service) == [], "the run that it woke up for has answered all that was due"
            skipped.set_wall(skipped.now() + 3 * HOUR)
            pass_until(_MIDNIGHT + 11.1 * HOUR)
            assert _answered(service) == [10, 11]
            limits.lift()
            assert service.stop() == 0
        assert len(stored(tmp_path / "backups")) == 5
        assert leanix.counters["exports_started"] == 5


class _Limits:
    """One limit after the other, without a moment between them in which time could run away."""

    def __init__(self, skipped: SkippedTime) -> None:
        self._skipped = skipped
        self._present: Any = None

    def enter_limit(self, instant: float) -> None:
        limit = self._skipped.not_beyond(instant)
        limit.__enter__()
        self.lift()
        self._present = limit

    def lift(self) -> None:
        if self._present is not None:
            self._present.__exit__(None, None, None)
            self._present = None


def _answered(service: installed.Running) -> list[float]:
    """List the due times whose runs succeeded, in hours after midnight."""
    done = {line["run_id"] for line in service.events if line["event"] == "run_finished"}
    begun = [line for line in service.events if line["event"] == "run_started" and line["run_id"] in done]
    return [(datetime.fromisoformat(line["scheduled_at"]) - _MIDNIGHT) / HOUR for line in begun]
