"""`serve`, killed by SIGKILL at random moments, over and over; then stopped in good order."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import pytest

from leanix_backup.model import ExportType
from tests.faults import look
from tests.faults.case import check_left, scene
from tests.support import installed

_DEATHS = 5
_EXPORTS = [export.value for export in ExportType]
_OFTEN = {f"JOBS__{export}__SCHEDULE": "@every 2s" for export in _EXPORTS}


@pytest.mark.timeout(300)  # seven processes, which take their time where others use the machine
@pytest.mark.parametrize("seed", [1])
def test_whatever_a_killed_service_had_begun_is_ended_once(seed: int) -> None:
    chance = random.Random(seed)
    with scene(",".join(_EXPORTS), more=_OFTEN) as here:
        finished: Counter[str] = Counter()
        for _ in range(_DEATHS):
            with installed.started("serve", env=here.env) as service:
                service.wait_for("service_started")
                time.sleep(chance.uniform(0.0, 2.5))  # not to wait for something: the moment of death is left to chance
                assert service.stop(signal.SIGKILL) == -signal.SIGKILL
            finished.update(_finished(service))
        with installed.started("serve", env=here.env) as service:
            for export in _EXPORTS:
                service.wait_for("run_finished", export=export, outcome="succeeded", count=2)
            assert service.stop() == 0
        finished.update(_finished(service))
        # What the last one was told to let go of is ended by hand; what had ended is not done again.
        done = installed.run("backup", "--all", "--json", env=here.env)
        assert done.status == 0, done.err
        finished.update(line["run_id"] for line in done.finished())

        assert check_left(here) == []
        runs = look.runs(here.state_dir)
        assert {run.run_id for run in runs} == set(finished)
        assert max(finished.values()) <= 2
        due = Counter((run.job, run.scheduled_at) for run in runs if run.trigger == "schedule")
        assert due
        assert set(due.values()) == {1}, "no due time was answered twice"
        assert here.leanix.counters["exports_started"] <= len(runs) + _DEATHS * len(_EXPORTS)


def _finished(service: installed.Running) -> list[str]:
    return [line["run_id"] for line in service.events if line["event"] == "run_finished"]
