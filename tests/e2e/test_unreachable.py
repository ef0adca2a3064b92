"""A LeanIX that is not there: what is said of it, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanix_backup.simulator import SimulatorSettings, simulated_leanix_thread
from tests.faults import look
from tests.support import installed, skipped_time
from tests.support.skipped_time import SkippedTime


@pytest.mark.skipif(skipped_time.why_not() is not None, reason=str(skipped_time.why_not()))
def test_a_changelog_whose_windows_could_not_be_planned_has_failed_like_any_other_run(tmp_path: Path) -> None:
    with (
        SkippedTime() as skipped,
        simulated_leanix_thread(SimulatorSettings(fact_sheets=5), timing=skipped.timing) as leanix,
    ):
        env = installed.environment(tmp_path, leanix.url, exports="AUDIT_LOG") | skipped.env()
        leanix.go_offline()
        done = installed.run("backup", "--all", "--json", env=env)
        assert done.status == 1
        (run,) = done.report["runs"]
        assert run["error"]["code"] == "connect_failed"
        assert [line["run_id"] for line in done.finished()] == [run["run_id"]]
        assert [(known.run_id, known.outcome) for known in look.runs(tmp_path / "state")] == [(run["run_id"], "failed")]
        (job,) = installed.run("status", "--json", env=env).report["jobs"]
        assert job["state"] == "failing"
        assert job["last_error"]["code"] == "connect_failed"
