"""`serve`: schedules, side by side, signals; configured by environment and by YAML."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from leanix_backup.simulator import (
    SimulatedLeanixThread,
    SimulatorSettings,
    Switches,
    WorkspaceSettings,
    simulated_leanix_thread,
)
from tests.support import installed
from tests.support.stored import fact_sheet_ids, leftovers, stored

EXPORTS = ("SNAPSHOT", "AUDIT_LOG", "ARCHIVE")
EVERY_SECOND = {f"JOBS__{export}__SCHEDULE": "@every 1s" for export in EXPORTS}


def check_stored(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    found = stored(tmp_path / "backups")
    assert {manifest["export"]["type"] for manifest in found.values()} == set(EXPORTS)
    for path, manifest in found.items():
        assert manifest["trigger"] == "schedule"
        if manifest["export"]["type"] != "AUDIT_LOG":
            archived = manifest["export"]["type"] == "ARCHIVE"
            there = {kind: set(ids) for kind, ids in leanix.fact_sheets(archived=archived).items() if ids}
            assert {kind: ids for kind, ids in fact_sheet_ids(path).items() if ids} == there


def test_nothing_but_environment(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url, exports=",".join(EXPORTS), **EVERY_SECOND)
    with installed.started("serve", env=env) as service:
        for export in EXPORTS:
            service.wait_for("run_finished", export=export, outcome="succeeded")
        assert service.stop() == 0
        events = service.events
    check_stored(tmp_path, leanix)
    assert events[0]["event"] == "service_started"
    assert events[-1]["event"] == "service_stopped"
    # one run of an export at a time: what was due meanwhile was skipped, or waited
    for export in EXPORTS:
        open_runs: set[str] = set()
        for line in events:
            if line.get("export") != export:
                continue
            if line["event"] == "run_started":
                assert not open_runs
                open_runs.add(line["run_id"])
            elif line["event"] == "run_finished":
                open_runs.remove(line["run_id"])


def test_the_same_from_yaml(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    (tmp_path / "token").write_text(leanix.api_token + "\n")
    config = {
        "workspaces": {"acme": {"url": leanix.url, "api_token_file": str(tmp_path / "token")}},
        "destinations": {"disk": {"type": "local", "path": str(tmp_path / "backups")}},
        "defaults": {"destinations": ["disk"], "retention": "forever", "poll": {"first": "1s", "ceiling": "2s"}},
        "jobs": {
            export.lower(): {"workspace": "acme", "export": export, "schedule": "@every 1s"} for export in EXPORTS
        },
        "state_dir": str(tmp_path / "state"),
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    env = {name: value for name, value in installed.environment(tmp_path, "").items() if "LEANIX_BACKUP" not in name}
    with installed.started("--config", path, "serve", env=env) as service:
        for export in EXPORTS:
            service.wait_for("run_finished", export=export, outcome="succeeded")
        assert service.stop() == 0
    check_stored(tmp_path, leanix)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_waiting_for_an_export_stops_at_once(
    tmp_path: Path, leanix: SimulatedLeanixThread, number: signal.Signals
) -> None:
    leanix.switches.merge({"duration_s": 600.0})
    env = installed.environment(tmp_path, leanix.url, JOBS__SNAPSHOT__SCHEDULE="@every 1s")
    with installed.started("serve", env=env) as service:
        service.wait_for("export_requested")
        assert service.stop(number, timeout=5) == 0
        events = [line["event"] for line in service.events]
    assert "run_interrupted" in events
    assert "run_finished" not in events, "it has not ended: the next start goes on"
    assert leftovers(tmp_path / "state") == []
    leanix.switches.merge({"duration_s": 0.0})
    leanix.clock.advance(600)
    with installed.started("serve", env=env | {"LEANIX_BACKUP__JOBS__SNAPSHOT__SCHEDULE": "@yearly"}) as service:
        service.wait_for("run_resumed")
        service.wait_for("run_finished", outcome="succeeded")
        assert service.stop() == 0
    assert leanix.counters["posts"] == 1, "the export that was waited for was adopted"
    assert len(stored(tmp_path / "backups")) == 1


def test_a_download_may_use_the_grace(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"download_bytes_per_s": 20_000})
    env = installed.environment(tmp_path, leanix.url, JOBS__SNAPSHOT__SCHEDULE="@every 1s")
    with installed.started("serve", env=env) as service:
        service.wait_for("download_started")
        assert service.stop() == 0
        assert [line["outcome"] for line in service.events if line["event"] == "run_finished"] == ["succeeded"]
    assert len(stored(tmp_path / "backups")) == 1


def test_the_second_signal_ends_at_once(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"download_fault": "stall", "download_fault_times": -1})
    env = installed.environment(tmp_path, leanix.url, JOBS__SNAPSHOT__SCHEDULE="@every 1s", SHUTDOWN_GRACE="5m")
    with installed.started("serve", env=env) as service:
        service.wait_for("download_started")
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("service_stopping")
        assert service.stop(signal.SIGINT, timeout=5) == 0
    assert leftovers(tmp_path / "state") == []


def test_the_grace_has_an_end(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"download_fault": "stall", "download_fault_times": -1})
    env = installed.environment(tmp_path, leanix.url, JOBS__SNAPSHOT__SCHEDULE="@every 1s", SHUTDOWN_GRACE="1s")
    with installed.started("serve", env=env) as service:
        service.wait_for("download_started")
        assert service.stop(timeout=10) == 0


def test_one_service_per_state_dir(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url)
    with installed.started("serve", env=env) as service:
        service.wait_for("service_started")
        second = installed.run("serve", env=env)
        assert second.status == 4
        assert f"process {service.process.pid}" in second.err
        assert service.stop() == 0


def test_workspaces_run_side_by_side(tmp_path: Path) -> None:
    first = WorkspaceSettings(name="acme", fact_sheets=10, history=timedelta(days=1))
    second = WorkspaceSettings(
        name="umbrella", api_token="another-token", seed=7, fact_sheets=10, history=timedelta(days=1)
    )
    with simulated_leanix_thread(SimulatorSettings(workspaces=(first, second)), Switches(duration_s=3.0)) as leanix:
        env = installed.environment(
            tmp_path,
            leanix.url,
            JOBS__SNAPSHOT__SCHEDULE="@every 5s",
            WORKSPACES__UMBRELLA__URL=leanix.url,
            WORKSPACES__UMBRELLA__API_TOKEN="another-token",
            JOBS__OTHER__WORKSPACE="umbrella",
            JOBS__OTHER__EXPORT="SNAPSHOT",
            JOBS__OTHER__SCHEDULE="@every 5s",
        )
        with installed.started("serve", env=env) as service:
            service.wait_for("run_finished", count=2, outcome="succeeded")
            service.stop()
            order = [
                (line["event"], line["workspace"])
                for line in service.events
                if line["event"] in ("run_started", "run_finished")
            ]
    assert {event for event, _ in order[:2]} == {"run_started"}
    assert {workspace for _, workspace in order[:2]} == {"acme", "umbrella"}
    ids = {
        manifest["workspace"]["name"]: manifest["workspace"]["id"] for manifest in stored(tmp_path / "backups").values()
    }
    assert ids == {"acme": first.workspace_id, "umbrella": second.workspace_id}


def test_a_run_that_takes_longer_than_its_schedule_is_skipped_not_queued(
    tmp_path: Path, leanix: SimulatedLeanixThread
) -> None:
    leanix.switches.merge({"duration_s": 4.0})
    env = installed.environment(tmp_path, leanix.url, JOBS__SNAPSHOT__SCHEDULE="@every 1s")
    with installed.started("serve", env=env) as service:
        (skipped, *_) = service.wait_for("run_skipped", count=2)
        assert skipped["reason"] == "overlap"
        service.wait_for("run_finished", outcome="succeeded")
        assert leanix.counters["posts"] <= 2
        service.stop()


def test_a_service_survives_a_workspace_that_is_down(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    leanix.switches.merge({"token_fault_status": 403, "token_fault_times": 1})
    env = installed.environment(tmp_path, leanix.url, JOBS__SNAPSHOT__SCHEDULE="@every 1s")
    with installed.started("serve", env=env) as service:
        (failed,) = service.wait_for("run_finished", outcome="failed")
        assert failed["error_code"] == "forbidden"
        service.wait_for("run_finished", outcome="succeeded")
        assert service.stop() == 0


def test_a_rotated_token_needs_no_restart(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    token = tmp_path / "token"
    token.write_text(leanix.api_token)
    leanix.switches.merge({"token_expires_in_s": 2})
    env = installed.environment(
        tmp_path,
        leanix.url,
        JOBS__SNAPSHOT__SCHEDULE="@every 1s",
        WORKSPACES__ACME__API_TOKEN="",
        WORKSPACES__ACME__API_TOKEN_FILE=str(token),
    )
    with installed.started("serve", env=env) as service:
        service.wait_for("run_finished", outcome="succeeded")
        leanix.rotate_api_token("a-new-token-of-the-same-user")
        service.wait_for("run_finished", outcome="failed", error_code="token_rejected")
        token.write_text("a-new-token-of-the-same-user\n")
        before = len(service.wait_for("run_finished", outcome="succeeded"))
        service.wait_for("run_finished", count=before + 1, outcome="succeeded")
        assert service.stop() == 0
