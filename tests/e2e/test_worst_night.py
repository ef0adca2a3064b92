"""What goes wrong around a run: clocks, volumes, files and jobs that are not what they were."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leanix_backup.simulator import SimulatedLeanixThread
from tests.e2e.test_pruning import workspace
from tests.support import installed
from tests.support.stored import leftovers, stored

TWO = {"DESTINATIONS__OTHER__TYPE": "local", "DEFAULTS__DESTINATIONS": "disk,other"}


def with_two(folder: Path, url: str, **more: str) -> dict[str, str]:
    return installed.environment(folder, url, **(TWO | {"DESTINATIONS__OTHER__PATH": str(folder / "other")} | more))


def in_ledger(folder: Path, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(folder / "state" / "ledger.sqlite")) as ledger, ledger:
        ledger.execute(statement, values)


def one_run(done: installed.Result) -> dict[str, Any]:
    (run,) = done.report["runs"]
    found: dict[str, Any] = run
    return found


def a_file_where_the_folder_was(folder: Path) -> Path:
    other = folder / "other"
    other.write_text("a file where the folder should be")
    return other


def test_a_due_time_that_a_wrong_clock_answered_silences_nothing(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url, JOBS__SNAPSHOT__SCHEDULE="@every 2s")
    with installed.started("serve", env=env) as service:
        service.wait_for("service_started")
        service.stop()
    in_ledger(tmp_path, "UPDATE schedules SET due_at = ?", "2099-01-01T00:00:00.000000Z")
    with installed.started("serve", env=env) as service:
        (said,) = service.wait_for("clock_set_back")
        assert said["known_due_at"] == "2099-01-01T00:00:00Z"
        service.wait_for("run_finished", outcome="succeeded")
        assert service.stop() == 0


def test_a_file_that_is_lost_between_two_destinations_is_no_success(
    tmp_path: Path, leanix: SimulatedLeanixThread
) -> None:
    blocked = a_file_where_the_folder_was(tmp_path)
    env = with_two(tmp_path, leanix.url)
    first = installed.run("backup", "snapshot", "--json", env=env)
    assert first.status == 3
    in_ledger(tmp_path, "UPDATE runs SET outcome = NULL, finished_at = NULL")  # as if it had died before its end
    (artifact,) = leftovers(tmp_path / "state")
    artifact.unlink()
    blocked.unlink()
    again = installed.run("backup", "snapshot", "--json", env=env)
    lost = again.report["runs"][0]
    assert (again.status, lost["outcome"], lost["error"]["code"]) == (3, "partial", "artifact_lost")
    assert [copy["destination"] for copy in lost["stored"]] == ["disk"]
    assert leanix.counters["exports_started"] == 1
    held = {manifest["run_id"] for manifest in stored(tmp_path / "backups").values()}
    assert held == {lost["run_id"]}
    assert installed.run("backup", "snapshot", env=env).status == 0, "and the next one is whole again"
    assert len(stored(tmp_path / "other")) == 1


@pytest.mark.parametrize("damage", ["gone", "cut short"])
def test_what_is_owed_and_not_whole_any_more_is_given_up_and_said(
    damage: str, tmp_path: Path, leanix: SimulatedLeanixThread
) -> None:
    blocked = a_file_where_the_folder_was(tmp_path)
    env = with_two(tmp_path, leanix.url)
    assert installed.run("backup", "snapshot", env=env).status == 3
    (artifact,) = leftovers(tmp_path / "state")
    artifact.unlink() if damage == "gone" else artifact.write_bytes(artifact.read_bytes()[:-100])
    blocked.unlink()
    again = installed.run("backup", "snapshot", "--json", env=env)
    assert again.status == 0, "the new one is whole"
    (said,) = [line for line in again.events if line["event"] == "destination_failed"]
    assert (said["destination"], said["error_code"]) == ("other", "artifact_lost")
    assert len(stored(tmp_path / "other")) == 1
    third = installed.run("backup", "snapshot", "--json", env=env)
    assert [line for line in third.events if line["event"] == "destination_failed"] == []


def test_a_backup_by_hand_is_not_an_old_run_that_was_left(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url)
    assert installed.run("backup", "snapshot", env=env).status == 0
    in_ledger(tmp_path, "UPDATE runs SET outcome = NULL, export_created_at = ?", "2020-01-01T00:00:00.000000Z")
    again = installed.run("backup", "snapshot", "--json", env=env)
    assert again.status == 0
    assert [run["outcome"] for run in again.report["runs"]] == ["succeeded", "succeeded"]
    assert leanix.counters["exports_started"] == 2


def test_a_destination_that_was_taken_out_meanwhile_fails_nothing(
    tmp_path: Path, leanix: SimulatedLeanixThread
) -> None:
    assert installed.run("backup", "snapshot", env=with_two(tmp_path, leanix.url)).status == 0
    in_ledger(tmp_path, "UPDATE runs SET outcome = NULL")
    again = installed.run("backup", "snapshot", "--json", env=installed.environment(tmp_path, leanix.url))
    assert again.status == 0, again.err
    assert one_run(again)["outcome"] == "succeeded"
    assert leanix.counters["exports_started"] == 1


def test_a_volume_that_is_not_mounted_is_no_new_folder(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url)
    assert installed.run("backup", "snapshot", env=env).status == 0
    (tmp_path / "backups").rename(tmp_path / "elsewhere")
    away = installed.run("backup", "snapshot", "--json", env=env)
    assert (away.status, one_run(away)["error"]["code"]) == (1, "destination_missing")
    assert not (tmp_path / "backups").exists()
    assert len(leftovers(tmp_path / "state")) == 1
    (tmp_path / "elsewhere").rename(tmp_path / "backups")
    back = installed.run("backup", "snapshot", env=env)
    assert back.status == 0
    assert len(stored(tmp_path / "backups")) == 3, "what was in the spool has arrived, too"


@pytest.mark.parametrize("days", [-2, 2])
def test_a_changelog_is_not_asked_for_by_clocks_that_are_days_apart(
    days: int, tmp_path: Path, leanix: SimulatedLeanixThread
) -> None:
    env = installed.environment(tmp_path, leanix.url, exports="AUDIT_LOG")
    leanix.clock.skew = timedelta(days=days)
    odd = installed.run("backup", "audit_log", "--json", env=env)
    assert (odd.status, one_run(odd)["error"]["code"]) == (1, "clocks_differ")
    assert leanix.counters["posts"] == 0
    leanix.clock.skew = timedelta(hours=days * 5)
    assert installed.run("backup", "audit_log", env=env).status == 0
    held = installed.run("coverage", "--json", env=env).report["workspaces"][0]["held"]
    assert datetime.fromisoformat(held[-1]["end"]) <= datetime.now(UTC)


def test_a_guard_of_one_job_keeps_the_backups_of_all_that_lie_together(tmp_path: Path) -> None:
    more = {
        "DEFAULTS__RETENTION": json.dumps({"keep_last": 1}),
        "JOBS__SNAPSHOT__SHRINK_GUARD": "20%",
        "JOBS__SECOND__WORKSPACE": "acme",
        "JOBS__SECOND__EXPORT": "SNAPSHOT",
        "JOBS__SECOND__SCHEDULE": "@yearly",
    }
    with workspace(200) as leanix:
        assert installed.run("backup", "snapshot", env=installed.environment(tmp_path, leanix.url, **more)).status == 0
    with workspace(20) as leanix:
        env = installed.environment(tmp_path, leanix.url, **more)
        for job in ("second", "snapshot", "second"):
            done = installed.run("backup", job, "--json", env=env)
            assert (done.status, one_run(done)["pruned"]) == (3, 0)
    counts = {sum(each["content"]["fact_sheets"].values()) for each in stored(tmp_path / "backups").values()}
    assert counts == {200, 20}, "the last good one is still there"


def test_a_ledger_that_can_not_be_written_at_start_is_one_message(
    tmp_path: Path, leanix: SimulatedLeanixThread
) -> None:
    env = installed.environment(tmp_path, leanix.url)
    assert installed.run("backup", "snapshot", env=env).status == 0
    in_ledger(
        tmp_path,
        "CREATE TRIGGER full BEFORE INSERT ON schedules BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    done = installed.run("serve", env=env)
    assert done.status == 1
    assert "ledger_unusable" in done.err
    assert "Traceback" not in done.err
    assert [line["event"] for line in done.events if line["event"] == "service_started"] == []
