"""What survives: a destination that was down, a lost `state_dir`, a missed schedule, a hole in the changelog."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leanix_backup.simulator import SimulatedLeanixThread
from tests.support import installed
from tests.support.stored import leftovers, stored

WINDOWS = {"JOBS__AUDIT_LOG__AUDIT_LOG": '{"overlap": "1h", "initial_lookback": "9d", "max_window": "3d"}'}


def held(env: dict[str, str]) -> dict[str, Any]:
    (workspace,) = installed.run("coverage", "--json", env=env).report["workspaces"]
    assert workspace["workspace"] == "acme"
    found: dict[str, Any] = workspace
    return found


def test_what_a_destination_refused_goes_there_later(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    env = installed.environment(
        tmp_path,
        leanix.url,
        DESTINATIONS__OTHER__TYPE="local",
        DESTINATIONS__OTHER__PATH=str(blocked),
        DEFAULTS__DESTINATIONS="disk,other",
    )
    first = installed.run("backup", "snapshot", "--json", env=env)
    assert first.status == 3
    assert len(leftovers(tmp_path / "state")) == 1
    blocked.unlink()
    second = installed.run("backup", "snapshot", env=env)
    assert second.status == 0, second.err
    (late,) = [line for line in second.events if line.get("late")]
    assert (late["event"], late["destination"]) == ("backup_stored", "other")
    assert late["run_id"] == first.report["runs"][0]["run_id"]
    assert leftovers(tmp_path / "state") == []
    here, there = stored(tmp_path / "backups"), stored(blocked)
    assert {path.name: path.read_bytes() for path in here} == {path.name: path.read_bytes() for path in there}
    assert len(here) == 2


def test_a_service_ships_late_what_a_destination_refused(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    blocked = tmp_path / "backups"
    blocked.write_text("a file where the folder should be")
    env = installed.environment(tmp_path, leanix.url)
    assert installed.run("backup", "snapshot", env=env).status == 1
    blocked.unlink()
    with sqlite3.connect(tmp_path / "state" / "ledger.sqlite") as ledger:  # the minute of waiting is over
        ledger.execute("UPDATE shipments SET next_try_at = '2020-01-01T00:00:00.000000Z'")
    with installed.started("serve", env=env) as service:
        service.wait_for("backup_stored", late=True)
        assert service.stop() == 0
    assert len(stored(blocked)) == 1
    assert leftovers(tmp_path / "state") == []
    assert leanix.counters["posts"] == 1


def test_a_schedule_missed_while_down_is_caught_up_once(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url)
    with installed.started("serve", env=env) as service:
        service.wait_for("service_started")
        service.stop()
    assert leanix.counters["posts"] == 0, "nothing was missed: it is a new installation"
    with sqlite3.connect(tmp_path / "state" / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE schedules SET due_at = '2020-06-01T00:00:00.000000Z'")
    found: dict[Path, dict[str, Any]] = {}
    for expected in (1, 1):
        with installed.started("serve", env=env) as service:
            service.wait_for("service_started")
            if not stored(tmp_path / "backups"):
                service.wait_for("run_finished", outcome="succeeded")
            service.stop()
        found = stored(tmp_path / "backups")
        assert len(found) == expected
    ((_, manifest),) = found.items()
    assert manifest["trigger"] == "catch_up"
    assert manifest["scheduled_at"] == f"{datetime.now(UTC).year}-01-01T00:00:00Z", "the newest that was missed"


def test_a_lost_state_dir_loses_no_coverage(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url, exports="AUDIT_LOG", **WINDOWS)
    assert installed.run("backup", "audit_log", env=env).status == 0
    listed, before = installed.run("list", env=env).out, held(env)
    status = installed.run("status", "--json", env=env).report["jobs"]
    shutil.rmtree(tmp_path / "state")
    assert installed.run("list", env=env).out == listed
    assert installed.run("status", "--json", env=env).report["jobs"] == status
    again = installed.run("backup", "audit_log", env=env)
    assert again.status == 0
    assert [line["event"] for line in again.events].count("ledger_rebuilt") == 1
    (started,) = [line for line in again.events if line["event"] == "run_started"]
    end = datetime.fromisoformat(before["held"][-1]["end"])
    assert datetime.fromisoformat(started["window_start"]) == end - timedelta(hours=1)
    assert len(held(env)["held"]) == 1


def test_a_damaged_ledger_is_set_aside(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url)
    assert installed.run("backup", "snapshot", env=env).status == 0
    ledger = tmp_path / "state" / "ledger.sqlite"
    ledger.write_bytes(b"this is no ledger" * 1000)
    done = installed.run("backup", "snapshot", env=env)
    assert done.status == 0
    (rebuilt,) = [line for line in done.events if line["event"] == "ledger_rebuilt"]
    assert Path(rebuilt["kept_at"]).read_bytes().startswith(b"this is no ledger")


def test_a_hole_is_found_and_filled(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url, exports="AUDIT_LOG", **WINDOWS)
    assert installed.run("backup", "audit_log", env=env).status == 0
    found = sorted(stored(tmp_path / "backups"))
    assert len(found) == 3, "nine days in windows of three"
    assert len(held(env)["held"]) == 1
    assert installed.run("status", env=env).status == 0
    middle = found[1]
    middle.unlink()
    middle.with_suffix("").with_suffix(".manifest.json").unlink()
    assert len(held(env)["held"]) == 2
    broken = installed.run("status", env=env)
    assert broken.status == 1
    assert "hole" in broken.out
    assert "MISSING" in installed.run("coverage", env=env).out
    mended = installed.run("backup", "audit_log", env=env)
    assert mended.status == 0
    assert [line["event"] for line in mended.events].count("coverage_gap_found") == 1
    assert len(held(env)["held"]) == 1
    assert installed.run("status", env=env).status == 0


@pytest.mark.parametrize("inclusive", [True, False])
def test_a_server_that_takes_dates_only(tmp_path: Path, leanix: SimulatedLeanixThread, *, inclusive: bool) -> None:
    leanix.switches.merge({"audit_dates": "date_only", "audit_end_inclusive": inclusive})
    env = installed.environment(tmp_path, leanix.url, exports="AUDIT_LOG", **WINDOWS)
    done = installed.run("backup", "audit_log", env=env)
    assert done.status == 0, done.err
    manifests = [manifest for _, manifest in sorted(stored(tmp_path / "backups").items())]
    assert len(manifests) == 3
    for manifest in manifests:
        assert manifest["attempts"] == 1, "falling back costs no attempt"
        asked, window = manifest["window"]["asked"], manifest["window"]
        assert asked["start"] == window["start"][:10]
    assert [manifest["window"]["asked"]["end"] is None for manifest in manifests] == [False, False, True]
    for manifest in manifests[:-1]:
        assert manifest["window"]["asked"]["end"] > manifest["window"]["end"][:10]
    assert len(held(env)["held"]) == 1
    assert leanix.counters["posts"] == 4, "one was refused; then it was known"


def test_a_month_of_windows_says_what_is_missing_as_json(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url, exports="AUDIT_LOG", **WINDOWS)
    assert installed.run("coverage", "--json", env=env).status == 3, "the destination is not there yet"
    assert installed.run("backup", "audit_log", env=env).status == 0
    workspace = held(env)
    assert json.loads(json.dumps(workspace)) == workspace
    (stretch,) = workspace["held"]
    assert datetime.fromisoformat(stretch["end"]) - datetime.fromisoformat(stretch["start"]) == timedelta(days=9)


def test_dates_may_be_asked_for_from_the_start_whatever_other_jobs_run(
    tmp_path: Path, leanix: SimulatedLeanixThread
) -> None:
    leanix.switches.merge({"audit_dates": "date_only"})
    settings = '{"overlap": "1h", "initial_lookback": "2d", "max_window": "3d", "date_only": true}'
    env = installed.environment(tmp_path, leanix.url, exports="SNAPSHOT,AUDIT_LOG", JOBS__AUDIT_LOG__AUDIT_LOG=settings)
    done = installed.run("backup", "snapshot", "audit_log", env=env)
    assert done.status == 0, done.err
    assert leanix.counters["posts"] == 2, "none was refused"


def test_a_window_that_is_refused_in_either_form_is_no_reason_for_dates(
    tmp_path: Path, leanix: SimulatedLeanixThread
) -> None:
    leanix.switches.merge({"audit_max_days": 1.0})
    env = installed.environment(tmp_path, leanix.url, exports="AUDIT_LOG", **WINDOWS)
    done = installed.run("backup", "audit_log", "--json", env=env)
    assert done.status == 1
    assert {run["error"]["code"] for run in done.report["runs"]} == {"request_refused"}
    assert leanix.counters["posts"] == 2 * len(done.report["runs"]), "each was asked for with times first"


def test_status_needs_no_secret_and_names_a_wrong_age(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(
        tmp_path, leanix.url, WORKSPACES__ACME__API_TOKEN="", WORKSPACES__ACME__API_TOKEN_FILE="/not/there"
    )
    (tmp_path / "backups").mkdir()
    assert installed.run("status", env=env).status == 0
    refused = installed.run("status", "--max-age", "soon", env=env)
    assert refused.status == 2
    assert "26h" in refused.err


def test_what_was_left_of_a_job_that_is_gone_is_ended_and_said(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"duration_s": 60})
    env = installed.environment(tmp_path, leanix.url)
    with installed.started("backup", "snapshot", env=env) as left:
        left.wait_for("export_requested")
        left.stop()
    ended: list[dict[str, Any]] = []
    for start in ("first", "second"):
        with installed.started("serve", env=installed.environment(tmp_path, leanix.url, exports="ARCHIVE")) as service:
            service.wait_for("service_started")
            service.stop()
            ended = [line for line in service.events if line["event"] == "run_finished"]
        if start == "first":
            assert [(line["job"], line["error_code"]) for line in ended] == [("snapshot", "job_removed")]
    assert ended == [], "it is said once"
    assert "job_removed" in installed.run("status", env=env).out


def test_what_waits_for_a_destination_that_is_gone_is_said(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    env = installed.environment(
        tmp_path,
        leanix.url,
        DESTINATIONS__OTHER__TYPE="local",
        DESTINATIONS__OTHER__PATH=str(blocked),
        DEFAULTS__DESTINATIONS="disk,other",
    )
    assert installed.run("backup", "snapshot", env=env).status == 3
    again = installed.run("backup", "snapshot", env=installed.environment(tmp_path, leanix.url))
    assert again.status == 0
    (warning,) = [line for line in again.events if line["event"] == "config_warning"]
    assert warning["path"] == "jobs.snapshot"
    assert "1 of its artifacts" in warning["message"]
    assert "other" in warning["message"]
    assert len(leftovers(tmp_path / "state")) == 1, "the only copy that is missing there is not dropped"
