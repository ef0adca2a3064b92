"""Wrong input on the command line: one clear message with a hint, the right exit status, never a traceback."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from leanix_backup import __version__
from leanix_backup.simulator import SimulatedLeanixThread
from tests.support import installed

CANARY = "canary-a1b2c3d4e5f6"
VALID = f"""\
workspaces:
  acme:
    url: https://acme.leanix.net
    api_token: {CANARY}
destinations:
  disk:
    type: local
    path: backups
defaults:
  destinations: [disk]
  retention: forever
jobs:
  nightly:
    workspace: acme
    export: SNAPSHOT
    schedule: "30 2 * * *"
    timezone: Europe/Berlin
state_dir: state
"""

MISTAKES = {
    "unknown key": ("schedule:", "shedule:", "jobs.nightly.shedule", "did you mean"),
    "duplicate key": ("    type: local", "    type: local\n    type: local", "destinations.disk.type", "line"),
    "unknown zone": ("Europe/Berlin", "Europe/Berlim", "jobs.nightly.timezone", "Europe/Berlin"),
    "never fires": ("30 2 * * *", "0 0 30 2 *", "jobs.nightly.schedule", ""),
    "six fields": ("30 2 * * *", "0 30 2 * * *", "jobs.nightly.schedule", "five"),
    "http": ("https://acme", "http://acme", "workspaces.acme.url", "https"),
    "no such workspace": ("workspace: acme", "workspace: acma", "jobs.nightly.workspace", "acme"),
    "no such destination": ("[disk]", "[dusk]", "defaults.destinations", "disk"),
    "no retention": ("  retention: forever\n", "", "jobs.nightly", "retention"),
    "colliding names": (
        "jobs:\n",
        "jobs:\n  a-b: &x\n    workspace: acme\n    export: ARCHIVE\n    schedule: '@weekly'\n  a_b: *x\n",
        "jobs.a",
        "",
    ),
    "jobs that disagree": (
        "jobs:\n",
        "jobs:\n  weekly: {workspace: acme, export: SNAPSHOT, schedule: '@weekly', retention: {keep_last: 3}}\n",
        "jobs.",
        "retention",
    ),
    "no YAML": ("30 2 * * *", '30 2" * * *', "", "quote"),
}


def bare() -> dict[str, str]:
    return {name: value for name, value in installed.environment(Path(), "").items() if "LEANIX_BACKUP" not in name}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_the_configuration_without_a_mistake_is_valid(tmp_path: Path) -> None:
    done = installed.run("config", "validate", "--config", write(tmp_path, VALID), env=bare(), cwd=tmp_path)
    assert done.status == 0, done.err
    assert "valid" in done.out


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_has_its_message(tmp_path: Path, mistake: str) -> None:
    before, after, where, word = MISTAKES[mistake]
    assert before in VALID
    path = write(tmp_path, VALID.replace(before, after, 1))
    for command in (["serve"], ["backup", "nightly"], ["config", "validate"], ["next"]):
        done = installed.run("--config", path, *command, env=bare(), cwd=tmp_path)
        assert done.status == 2
        messages = [line for line in done.err.splitlines() if line.startswith("error:")]
        assert messages, done.err
        assert any(where in line and word in line for line in messages), done.err
        assert any(f"{path}:" in line for line in messages), "its line is named"
        assert CANARY not in done.err
        assert done.out == ""
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.yaml"], "nothing was made"


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = VALID
    for mistake in ("unknown key", "unknown zone", "http", "no such workspace"):
        before, after, _, _ = MISTAKES[mistake]
        text = text.replace(before, after, 1)
    env = bare() | {"LEANIX_BACKUP__JOBS__NIGHTLY__JITER": "5m"}
    done = installed.run("config", "validate", "--config", write(tmp_path, text), env=env, cwd=tmp_path)
    assert done.status == 2
    messages = [line for line in done.err.splitlines() if line.startswith("error:")]
    assert len(messages) >= 5, done.err
    assert any("LEANIX_BACKUP__JOBS__NIGHTLY__JITER" in line and "JITTER" in line for line in messages)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = installed.run("--config", tmp_path / "nothing.yaml", "serve", env=bare())
    assert done.status == 2
    assert "nothing.yaml" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["backup", "nosuchjob"], ["nosuchjob", "nightly"]),
        (["backup", "nightyl"], ["did you mean nightly"]),
        (["backup"], ["nightly", "--all"]),
        (["backup", "nightly", "--all"], ["--all"]),
        (["list", "--destination", "dosk"], ["disk"]),
        (["list", "--export", "snapshat"], ["snapshot"]),
        (["next", "--after", "yesterday"], ["2027-03-27"]),
        (["next", "-n", "0"], ["-n"]),
        (["snapshots"], ["list"]),
        (["restore", "x"], ["fetch"]),
        (["frobnicate"], ["frobnicate"]),
        (["backup", "--nope"], ["--nope"]),
    ],
)
def test_wrong_words(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    path = write(tmp_path, VALID)
    (tmp_path / "backups").mkdir()
    done = installed.run("--config", path, *arguments, env=bare(), cwd=tmp_path)
    assert done.status == 2
    assert all(word in done.err for word in words), done.err
    assert done.out == ""


def test_a_workspace_that_nobody_knows(tmp_path: Path) -> None:
    path = write(tmp_path, VALID)
    (tmp_path / "backups").mkdir()
    done = installed.run("--config", path, "list", "--workspace", "nosuch", env=bare(), cwd=tmp_path)
    assert done.status == 2
    assert "nosuch" in done.err
    assert "acme" in done.err


def test_reading_needs_no_workspace_and_no_state(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url)
    assert installed.run("backup", "snapshot", env=env).status == 0
    reader = bare() | {
        "LEANIX_BACKUP__DESTINATIONS__DISK__TYPE": "local",
        "LEANIX_BACKUP__DESTINATIONS__DISK__PATH": str(tmp_path / "backups"),
    }
    done = installed.run("list", "--json", env=reader)
    assert done.status == 0, done.err
    (found,) = done.report["backups"]
    assert (found["workspace"], found["export"]) == ("acme", "SNAPSHOT")
    assert [copy["destination"] for copy in found["copies"]] == ["disk"]
    for selector in (
        found["run_id"],
        found["copies"][0]["key"],
        "acme/snapshot@latest",
        f"acme/snapshot@{found['taken_at'][:10]}",
    ):
        shown = installed.run("show", selector, "--json", env=reader)
        assert shown.status == 0, shown.err
        assert shown.report["manifest"]["run_id"].startswith(found["run_id"])
    assert installed.run("list", env=reader).out.count("acme") == 1
    assert "sha256" in installed.run("show", "acme/snapshot@latest", env=reader).out
    for wrong in ("acme/snapshot@2020-01-01", "acme/snapshots@latest", "deadbeef", "xyz", "acma/snapshot@latest"):
        refused = installed.run("show", wrong, env=reader)
        assert refused.status == 2
        assert "hint" in refused.err


def test_a_destination_that_is_down_does_not_hide_the_others(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url)
    assert installed.run("backup", "snapshot", env=env).status == 0
    env |= {
        "LEANIX_BACKUP__DESTINATIONS__GONE__TYPE": "local",
        "LEANIX_BACKUP__DESTINATIONS__GONE__PATH": str(tmp_path / "not-mounted"),
    }
    done = installed.run("list", "--json", env=env)
    assert done.status == 3
    assert len(done.report["backups"]) == 1
    assert [error["destination"] for error in done.report["errors"]] == ["gone"]


def test_next_says_what_daylight_saving_does(tmp_path: Path) -> None:
    path = write(tmp_path, VALID)
    done = installed.run(
        "--config", path, "next", "--json", "-n", "3", "--after", "2027-03-27", env=bare(), cwd=tmp_path
    )
    (job,) = done.report["jobs"]
    assert [run[:10] for run in job["runs"]] == ["2027-03-27", "2027-03-28", "2027-03-29"]
    assert len(job["notes"]) == 1
    done = installed.run(
        "--config", path, "next", "--json", "-n", "3", "--after", "2027-10-30", env=bare(), cwd=tmp_path
    )
    (job,) = done.report["jobs"]
    assert [run[:10] for run in job["runs"]] == ["2027-10-30", "2027-10-31", "2027-11-01"]


def test_printed_configuration_masks_secrets(tmp_path: Path) -> None:
    done = installed.run("config", "show", "--config", write(tmp_path, VALID), env=bare(), cwd=tmp_path)
    assert done.status == 0
    assert CANARY not in done.out
    assert "acme.leanix.net" in done.out


def test_example_and_schema_are_what_lies_in_the_repository() -> None:
    top = Path(__file__).parents[2] / "config"
    assert installed.run("config", "example", env=bare()).out == (top / "leanix-backup.example.yaml").read_text()
    printed = installed.run("config", "schema", env=bare()).out
    assert printed == (top / "leanix-backup.schema.json").read_text()
    assert json.loads(printed)


def test_version_and_module(tmp_path: Path) -> None:
    assert installed.run("--version", env=bare()).out == f"leanix-backup {__version__}\n"
    assert installed.run(env=bare()).status == 2
    assert installed.run("--help", env=bare()).status == 0
    python = installed.COMMAND.with_name("python")
    done = subprocess.run(
        [python, "-m", "leanix_backup", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"leanix-backup {__version__}\n"
