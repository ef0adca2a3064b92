"""Retention as a user meets it: the service's runs prune, `prune` says why, a shrink keeps everything waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leanix_backup.model import ExportType
from leanix_backup.simulator import SimulatedLeanixThread, SimulatorSettings, Switches, simulated_leanix_thread
from tests.support import installed
from tests.support.backups import made
from tests.support.stored import leftovers, stored

KEEP_TWO = '{"keep_last": 2}'


@contextmanager
def workspace(fact_sheets: int) -> Iterator[SimulatedLeanixThread]:
    settings = SimulatorSettings(fact_sheets=fact_sheets, changes_per_hour=0, history=timedelta(days=1))
    with simulated_leanix_thread(settings, Switches(duration_s=0.1)) as server:
        yield server


def environment(folder: Path, url: str, **more: str) -> dict[str, str]:
    return installed.environment(folder, url, **({"DEFAULTS__RETENTION": KEEP_TWO} | more))


def reader(folder: Path, **more: str) -> dict[str, str]:
    """Say what `prune` needs, and no more: no URL, no token."""
    said = environment(folder, "https://acme.leanix.net", **more)
    return {name: value for name, value in said.items() if "API_TOKEN" not in name}


def backup(env: dict[str, str]) -> tuple[int, dict[str, Any]]:
    done = installed.run("backup", "snapshot", "--json", env=env)
    return done.status, done.report["runs"][0]


def plans(env: dict[str, str], *arguments: str, status: int = 0) -> list[dict[str, Any]]:
    done = installed.run("prune", *arguments, "--json", env=env)
    assert done.status == status, done.err
    found: list[dict[str, Any]] = done.report["plans"]
    return found


def lay(folder: Path, *days: int, export: ExportType = ExportType.SNAPSHOT) -> list[str]:
    """Put backups of so many days ago into the destination."""
    now = datetime.now(UTC).replace(microsecond=0)
    found = []
    for day in days:
        each = made(f"{day:08x}", taken_at=now - timedelta(days=day), export=export)
        each.lay(folder / "backups")
        found.append(each.key.artifact)
    return found


def test_each_run_prunes_where_it_was_stored(tmp_path: Path) -> None:
    with workspace(20) as leanix:
        env = environment(tmp_path, leanix.url)
        runs = [backup(env) for _ in range(4)]
    assert [(status, run["outcome"], run["pruned"]) for status, run in runs] == [
        (0, "succeeded", 0),
        (0, "succeeded", 0),
        (0, "succeeded", 1),
        (0, "succeeded", 1),
    ]
    kept = {manifest["run_id"] for manifest in stored(tmp_path / "backups").values()}
    assert kept == {run["run_id"] for _, run in runs[2:]}


def test_where_the_service_may_not_prune_the_command_does(tmp_path: Path) -> None:
    with workspace(20) as leanix:
        env = environment(tmp_path, leanix.url, DESTINATIONS__DISK__PRUNE="command")
        for _ in range(3):
            status, run = backup(env)
            assert (status, run["pruned"]) == (0, 0)
    (plan,) = plans(env, "--dry-run")
    assert (plan["workspace"], plan["export"], plan["destination"]) == ("acme", "SNAPSHOT", "disk")
    assert (len(plan["keep"]), len(plan["remove"])) == (2, 1)
    assert all(each["reasons"] for each in plan["keep"])
    assert plan["removed"] is None
    assert len(stored(tmp_path / "backups")) == 3, "a dry run deletes nothing"
    (plan,) = plans(env)
    assert plan["removed"] == [plan["remove"][0]["key"]]
    assert len(stored(tmp_path / "backups")) == 2
    assert plans(env)[0]["remove"] == []


def test_without_leanix_a_token_or_a_state_dir(tmp_path: Path) -> None:
    keys = lay(tmp_path, 4, 3, 2, 1)
    done = installed.run("prune", env=reader(tmp_path))
    assert done.status == 0, done.err
    assert "2 stay, 2 gone" in done.out
    assert all(key in done.out for key in keys)
    assert len(stored(tmp_path / "backups")) == 2
    assert not (tmp_path / "state").exists()


def test_where_nobody_may_it_says_so(tmp_path: Path) -> None:
    lay(tmp_path, 4, 3, 2, 1)
    (plan,) = plans(reader(tmp_path, DESTINATIONS__DISK__PRUNE="never"))
    assert (plan["remove"], len(plan["keep"])) == ([], 4)
    assert plan["keep"][0]["reasons"] == ["destinations.disk.prune is never"]
    assert len(stored(tmp_path / "backups")) == 4


def test_what_jobs_left_that_are_gone_goes_by_its_age_alone(tmp_path: Path) -> None:
    lay(tmp_path, 900, 800, 30, 2, export=ExportType.ARCHIVE)
    lay(tmp_path, 4, 3, 2, 1)
    env = reader(tmp_path)
    (plan,) = plans(env, "--retired")
    assert (plan["export"], plan["remove"]) == ("ARCHIVE", []), "nothing says how old they may get"
    (plan,) = plans(env, "--retired", "--delete-after", "2y")
    assert len(plan["removed"]) == 2
    assert len(stored(tmp_path / "backups")) == 6
    (plan,) = plans(env, "--retired", "--delete-after", "1d")
    assert (len(plan["removed"]), len(plan["keep"])) == (1, 1), "never all"
    odd = installed.run("prune", "--delete-after", "1d", env=env)
    assert (odd.status, odd.out) == (2, "")
    odd = installed.run("prune", "--retired", "--delete-after", "6m", env=env)
    assert (odd.status, "6mo" in odd.err) == (2, True)


def test_a_destination_that_is_down_does_not_keep_the_others(tmp_path: Path) -> None:
    lay(tmp_path, 4, 3, 2, 1)
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    env = reader(
        tmp_path,
        DESTINATIONS__OTHER__TYPE="local",
        DESTINATIONS__OTHER__PATH=str(blocked),
        DEFAULTS__DESTINATIONS="disk,other",
    )
    done = installed.run("prune", "--json", env=env)
    assert done.status == 3
    assert [each["destination"] for each in done.report["plans"]] == ["disk"]
    assert [each["destination"] for each in done.report["errors"]] == ["other"]
    assert len(stored(tmp_path / "backups")) == 2


def test_a_shrink_is_stored_and_nothing_goes_until_it_is_accepted(tmp_path: Path) -> None:
    more = {"JOBS__SNAPSHOT__SHRINK_GUARD": "20%"}
    with workspace(5000) as leanix:
        for _ in range(2):
            assert backup(environment(tmp_path, leanix.url, **more))[0] == 0
    with workspace(500) as leanix:
        env = environment(tmp_path, leanix.url, **more)
        run: dict[str, Any] = {}
        for count in (3, 4):
            status, run = backup(env)
            assert (status, run["outcome"], run["error"]["code"]) == (3, "partial", "fact_sheets_shrank")
            assert "accept" in run["error"]["hint"]
            assert (run["fact_sheets"], run["pruned"], len(run["stored"])) == (500, 0, 1)
            assert len(stored(tmp_path / "backups")) == count
            assert leftovers(tmp_path / "state") == [], "it was stored: the spool is not where it stays"
        (plan,) = plans(env)
        assert (plan["remove"], len(plan["keep"])) == ([], 4)
        assert any("shrank" in reason for each in plan["keep"] for reason in each["reasons"])
        assert installed.run("accept", run["run_id"], env=env).status == 2, "without a reason"
        assert installed.run("accept", "ffffffff", "--reason", "x", env=env).status == 2
        accepted = installed.run("accept", run["run_id"], "--reason", "a cleaning day", env=env)
        assert accepted.status == 0, accepted.err
        (line,) = accepted.events
        assert (line["event"], line["reason"]) == ("shrink_accepted", "a cleaning day")
        status, run = backup(env)
        assert (status, run["outcome"], run["pruned"]) == (0, "succeeded", 3)
    assert len(stored(tmp_path / "backups")) == 2


def test_a_normal_one_ends_the_waiting_by_itself(tmp_path: Path) -> None:
    more = {"JOBS__SNAPSHOT__SHRINK_GUARD": "20%"}
    for count, status, pruned in ((100, 0, 0), (100, 0, 0), (10, 3, 0), (95, 0, 2)):
        with workspace(count) as leanix:
            found, run = backup(environment(tmp_path, leanix.url, **more))
            assert (found, run["pruned"]) == (status, pruned)
