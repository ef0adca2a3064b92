"""`backup` against a real server: whose export is taken, and what a wrong answer does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leanix_backup.simulator import SimulatedLeanixThread
from tests.support import installed
from tests.support.stored import fact_sheet_ids, leftovers, stored


def world(leanix: SimulatedLeanixThread, *, archived: bool = False) -> dict[str, set[str]]:
    found = leanix.fact_sheets(archived=archived)
    return {kind: set(ids) for kind, ids in found.items() if ids}


def held(path: Path) -> dict[str, set[str]]:
    return {kind: ids for kind, ids in fact_sheet_ids(path).items() if ids}


def test_every_export_is_stored_with_its_manifest(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url, exports="SNAPSHOT,AUDIT_LOG,ARCHIVE")
    done = installed.run("backup", "--all", "--json", env=env)
    assert done.status == 0, done.err
    runs = {run["export"]: run for run in done.report["runs"]}
    assert set(runs) == {"SNAPSHOT", "AUDIT_LOG", "ARCHIVE"}
    found = stored(tmp_path / "backups")
    assert len(found) == 3
    for path, manifest in found.items():
        run = runs[manifest["export"]["type"]]
        assert manifest["run_id"] == run["run_id"]
        assert run["outcome"] == "succeeded"
        assert run["error"] is None
        assert run["sha256"] == manifest["file"]["sha256"]
        assert run["stored"] == [{"destination": "disk", "key": path.relative_to(tmp_path / "backups").as_posix()}]
        assert manifest["workspace"]["id"] == leanix.workspace_id
        if manifest["export"]["type"] == "SNAPSHOT":
            assert held(path) == world(leanix)
            assert run["fact_sheets"] == sum(len(ids) for ids in world(leanix).values())
        if manifest["export"]["type"] == "ARCHIVE":
            assert held(path) == world(leanix, archived=True)
    assert leftovers(tmp_path / "state") == []
    assert leanix.counters["keys_spent"] == 3
    assert (next(iter(found)).stat().st_mode & 0o777) == 0o600
    assert ((tmp_path / "backups").stat().st_mode & 0o777) == 0o700


def take_one(tmp_path: Path, leanix: SimulatedLeanixThread, **more: str) -> tuple[installed.Result, dict[str, Any]]:
    env = installed.environment(tmp_path, leanix.url, **more)
    done = installed.run("backup", "snapshot", "--json", env=env, timeout=90)
    assert done.status == 0, done.err
    ((path, manifest),) = stored(tmp_path / "backups").items()
    assert held(path) == world(leanix)
    assert leanix.counters["keys_spent"] == 1
    return done, manifest


def test_another_users_newer_export_is_left_alone(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"foreign_newer": True})
    _, manifest = take_one(tmp_path, leanix)
    assert manifest["technical_user_id"] == leanix.user_id


def test_a_row_that_appears_late_is_waited_for(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"row_delay_s": 10.0, "foreign_newer": True})
    done, _ = take_one(tmp_path, leanix)
    assert done.report["runs"][0]["duration_s"] > 10


def test_a_list_of_many_pages_is_read(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"extra_rows": 150, "foreign_newer": True})
    take_one(tmp_path, leanix)


def test_rows_with_nothing_but_what_may_be_relied_on(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"row_fields": "minimal", "row_shows_created_at": False})
    _, manifest = take_one(tmp_path, leanix, DEFAULTS__EXPORT_TIMEOUT="12s")
    assert manifest["export"]["id"]


def test_the_servers_clock_may_be_hours_off(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"foreign_newer": True})
    leanix.clock.skew = timedelta(hours=-7)
    done, _ = take_one(tmp_path, leanix)
    requested = next(line for line in done.events if line["event"] == "export_requested")
    assert requested["clock_offset_s"] == pytest.approx(-7 * 3600, abs=5)


def test_where_two_could_be_ours_neither_is_taken(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"row_user": "absent", "foreign_newer": True})
    env = installed.environment(tmp_path, leanix.url, DEFAULTS__EXPORT_TIMEOUT="12s")
    done = installed.run("backup", "snapshot", "--json", env=env)
    assert done.status == 1
    (run,) = done.report["runs"]
    assert run["error"]["code"] == "export_ambiguous"
    assert "technical user" in run["error"]["hint"]
    assert leanix.counters["keys_spent"] == 0
    assert not (tmp_path / "backups").exists()


def test_rows_that_name_another_id_than_the_token(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"row_user": "other_id"})
    env = installed.environment(tmp_path, leanix.url, DEFAULTS__EXPORT_TIMEOUT="12s")
    done = installed.run("backup", "snapshot", "--json", env=env)
    assert done.status == 1
    assert done.report["runs"][0]["error"]["code"] == "export_not_found"
    assert "user_id" in done.report["runs"][0]["error"]["hint"]
    env["LEANIX_BACKUP__WORKSPACES__ACME__USER_ID"] = leanix.default.settings.row_user_id
    assert installed.run("backup", "snapshot", env=env).status == 0


@pytest.mark.parametrize(
    ("fault", "code", "kept"),
    [
        ("html200", "artifact_html", False),
        ("json200", "artifact_json", False),
        ("empty", "artifact_empty", False),
        ("truncated_zip", "artifact_truncated", True),
        ("bit_flip", "artifact_corrupt", True),
        ("not_workbook", "artifact_not_workbook", True),
        ("zip_bomb", "artifact_bomb", True),
    ],
)
def test_what_is_no_whole_workbook_is_rejected(
    tmp_path: Path, leanix: SimulatedLeanixThread, fault: str, code: str, *, kept: bool
) -> None:
    leanix.switches.merge({"download_fault": fault, "download_fault_times": -1})
    done = installed.run("backup", "snapshot", "--json", env=installed.environment(tmp_path, leanix.url))
    assert done.status == 1
    (run,) = done.report["runs"]
    assert run["outcome"] == "failed"
    assert run["error"]["code"] == code
    assert run["error"]["hint"]
    (rejected,) = [line for line in done.events if line["event"] == "artifact_rejected"]
    assert rejected["error_code"] == code
    assert not (tmp_path / "backups").exists()
    assert leftovers(tmp_path / "state") == []
    assert (tmp_path / "state" / "rejected" / "snapshot.xlsx").exists() == kept


def test_a_fresh_export_cures_a_broken_download(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"download_fault": "cut", "download_fault_times": 1, "broken_transfer_spends": True})
    done, manifest = take_one_despite(tmp_path, leanix, DEFAULTS__ATTEMPTS="2")
    assert manifest["attempts"] == 2
    (broken,) = [line for line in done.events if line["event"] == "download_interrupted"]
    assert broken["key_still_listed"] is False
    assert leanix.counters["posts"] == 2


def test_a_key_that_is_still_there_is_used_again(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"download_fault": "cut", "download_fault_times": 1, "broken_transfer_spends": False})
    done, manifest = take_one_despite(tmp_path, leanix)
    assert manifest["attempts"] == 1
    (broken,) = [line for line in done.events if line["event"] == "download_interrupted"]
    assert broken["key_still_listed"] is True
    assert leanix.counters["posts"] == 1


def take_one_despite(
    tmp_path: Path, leanix: SimulatedLeanixThread, **more: str
) -> tuple[installed.Result, dict[str, Any]]:
    done = installed.run("backup", "snapshot", "--json", env=installed.environment(tmp_path, leanix.url, **more))
    assert done.status == 0, done.err
    ((path, manifest),) = stored(tmp_path / "backups").items()
    assert held(path) == world(leanix)
    assert leftovers(tmp_path / "state") == []
    return done, manifest


@pytest.mark.parametrize("fault", ["works", "works_cut"])
def test_a_request_that_worked_without_an_answer_is_not_sent_again(
    tmp_path: Path, leanix: SimulatedLeanixThread, fault: str
) -> None:
    leanix.switches.merge({"post_fault": fault, "post_fault_times": 1, "foreign_newer": True})
    _, manifest = take_one(tmp_path, leanix)
    assert leanix.counters["posts"] == 1
    assert manifest["export"]["job_id"] is None


def test_a_request_that_did_not_work_is_sent_again_after_looking(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"post_fault": "cut", "post_fault_times": 1})
    _, manifest = take_one(tmp_path, leanix, DEFAULTS__EXPORT_TIMEOUT="9s", DEFAULTS__ATTEMPTS="2")
    assert manifest["attempts"] == 2
    assert leanix.counters["posts"] == 2


@pytest.mark.parametrize("status", ["ERROR", "CANCELED", "DELETED", "DOWNLOADED"])
def test_an_export_that_is_lost_gets_another_attempt(
    tmp_path: Path, leanix: SimulatedLeanixThread, status: str
) -> None:
    leanix.switches.merge({"end_status": status, "end_status_times": 1})
    _, manifest = take_one_despite(tmp_path, leanix, DEFAULTS__ATTEMPTS="2")
    assert manifest["attempts"] == 2


def test_a_list_that_fails_is_a_look_that_brought_nothing(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"list_fault": "html", "list_fault_times": 2, "duration_s": 3.0})
    take_one(tmp_path, leanix)


def test_a_redirect_elsewhere_is_followed_without_the_bearer(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"download_redirect": "other_origin", "download_framing": "chunked"})
    take_one(tmp_path, leanix)


def test_an_archive_without_fact_sheets_is_a_success(tmp_path: Path) -> None:
    from leanix_backup.simulator import SimulatorSettings, Switches, simulated_leanix_thread  # noqa: PLC0415 -- this test alone has a world of its own

    with simulated_leanix_thread(
        SimulatorSettings(fact_sheets=10, archiving=False), Switches(duration_s=0.1)
    ) as leanix:
        env = installed.environment(tmp_path, leanix.url, exports="ARCHIVE")
        done = installed.run("backup", "archive", "--json", env=env)
    assert done.status == 0, done.err
    ((_, manifest),) = stored(tmp_path / "backups").items()
    assert manifest["content"]["empty"] is True
    assert sum(manifest["content"]["fact_sheets"].values()) == 0


def test_a_wrong_token_says_what_to_do(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url, WORKSPACES__ACME__API_TOKEN="not-the-token-at-all")
    done = installed.run("backup", "snapshot", "--json", env=env)
    assert done.status == 1
    assert done.report["runs"][0]["error"]["code"] == "token_rejected"
    assert "not-the-token-at-all" not in done.out + done.err


def test_another_workspace_under_the_same_name_is_refused(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url)
    assert installed.run("backup", "snapshot", env=env).status == 0
    from leanix_backup.simulator import SimulatorSettings, simulated_leanix_thread  # noqa: PLC0415 -- the sandbox of this test

    with simulated_leanix_thread(SimulatorSettings(seed=99, fact_sheets=5)) as sandbox:
        env["LEANIX_BACKUP__WORKSPACES__ACME__URL"] = sandbox.url
        done = installed.run("backup", "snapshot", "--json", env=env)
        assert sandbox.counters["posts"] == 0
    assert done.status == 1
    assert done.report["runs"][0]["error"]["code"] == "workspace_changed"


def test_one_destination_of_two_that_fails_makes_it_partial(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    (tmp_path / "file").write_text("not a folder")
    env = installed.environment(
        tmp_path,
        leanix.url,
        DESTINATIONS__OTHER__TYPE="local",
        DESTINATIONS__OTHER__PATH=str(tmp_path / "file" / "backups"),
        DEFAULTS__DESTINATIONS="disk,other",
    )
    done = installed.run("backup", "snapshot", "--json", env=env)
    assert done.status == 3
    (run,) = done.report["runs"]
    assert run["outcome"] == "partial"
    assert [copy["destination"] for copy in run["stored"]] == ["disk"]
    assert [(copy["destination"], copy["error"]["code"]) for copy in run["failed"]] == [
        ("other", "destination_invalid")
    ]
    assert len(stored(tmp_path / "backups")) == 1
    assert len(leftovers(tmp_path / "state")) == 1, "the only file that can still go to the other one"


def test_a_second_run_of_the_same_export_waits_or_says_who(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"duration_s": 3.0})
    env = installed.environment(tmp_path, leanix.url)
    with installed.started("backup", "snapshot", env=env) as first:
        first.wait_for("export_requested")
        refused = installed.run("backup", "snapshot", "--no-wait", env=env)
        assert refused.status == 4
        assert f"process {first.process.pid}" in refused.err
        assert first.process.wait(30) == 0
    assert installed.run("backup", "snapshot", env=env).status == 0
    assert len(stored(tmp_path / "backups")) == 2


def test_no_secret_is_written_at_any_level(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url, LOG__LEVEL="debug")
    keys: set[str] = set()
    done = installed.run("backup", "snapshot", env=env)
    assert done.status == 0
    keys |= {export.key for export in leanix.default.book.exports if export.key}
    tokens = set(leanix._services.tokens._bearers)
    assert keys
    assert tokens
    written = (
        done.out
        + done.err
        + "".join(
            path.read_text(errors="replace")
            for path in tmp_path.rglob("*")
            if path.is_file() and path.suffix != ".xlsx"
        )
    )
    for secret in keys | tokens | {env["LEANIX_BACKUP__WORKSPACES__ACME__API_TOKEN"]}:
        assert secret not in written
    assert any(line["event"] == "export_polled" for line in done.events), "debug was on"
