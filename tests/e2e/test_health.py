"""`health`: cheap, and right about a service that lives, hangs, was killed, or ended in good order."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from leanix_backup.simulator import SimulatedLeanixThread
from tests.support import installed

_CPU_S = 0.060


def wait_until_unhealthy(*arguments: str, env: dict[str, str]) -> installed.Result:
    deadline = time.monotonic() + 30
    while (found := installed.run("health", *arguments, env=env)).status == 0:
        assert time.monotonic() < deadline, found.out
    return found


def test_a_service_without_a_port_lives_hangs_and_goes_on(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    env = installed.environment(tmp_path, leanix.url, HTTP__LISTEN="null")
    assert installed.run("health", env=env).status == 1
    with installed.started("serve", env=env) as service:
        service.wait_for("service_started")
        found = installed.run("health", env=env)
        assert (found.status, found.err) == (0, "")
        assert re.fullmatch(rf"healthy: process {service.process.pid} beat \d s ago\n", found.out)
        service.process.send_signal(signal.SIGSTOP)
        found = wait_until_unhealthy("--max-age", "6s", env=env)
        assert found.status == 1
        assert re.fullmatch(
            rf"unhealthy: the last beat is \d+ s old: process {service.process.pid} is stuck\n", found.out
        )
        service.process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + 30
        while installed.run("health", "--max-age", "6s", env=env).status != 0:
            assert time.monotonic() < deadline
        assert service.stop() == 0
    found = installed.run("health", env=env)
    assert found.status == 1
    assert "no service" in found.out


def test_a_killed_service_is_told_at_once(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    state = tmp_path / "state"
    config = tmp_path / "config.yaml"
    env = installed.environment(tmp_path, leanix.url) | {"LEANIX_BACKUP_CONFIG": str(config)}
    config.write_text(yaml.safe_dump({"state_dir": env.pop("LEANIX_BACKUP__STATE_DIR")}))
    with installed.started("serve", env=env) as service:
        service.wait_for("service_started")
        assert installed.run("health", env=env).status == 0
        assert installed.run("--config", config, "health", env=env).status == 0
        service.stop(signal.SIGKILL)
    for words in (["health"], ["health", f"--state-dir={state}"], ["health", "--max-age", "1h"]):
        found = installed.run(*words, env=env)
        assert found.status == 1
        assert f"process {service.process.pid}, which left the last beat, has ended" in found.out


def test_it_costs_next_to_nothing(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"log: {{level: info}}\nstate_dir: {tmp_path}\n")
    costs = []
    for _ in range(7):
        process = subprocess.Popen(
            [installed.COMMAND, "health", "--config", config], stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}
        )
        assert process.stdout is not None
        assert b"no service runs on" in process.stdout.read()
        process.stdout.close()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 1
        costs.append(usage.ru_utime + usage.ru_stime)
    assert min(costs) <= _CPU_S, costs


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv[1:] = ['health', '--state-dir', sys.argv[1]]\n"
        "from leanix_backup.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    heavy = {
        "typer",
        "click",
        "rich",
        "anyio",
        "asyncio",
        "pydantic",
        "yaml",
        "json",
        "pathlib",
        "dataclasses",
        "logging",
    }
    assert not heavy & (set(done.stdout.split()) - before_any_import())


def before_any_import() -> set[str]:
    """What this interpreter's own start loads, such as for an editable install."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["health", "--help"], 0, "--state-dir"),
        (["health", "more"], 2, "unexpected extra argument"),
        (["health", "--max-age", "soon"], 2, "no duration"),
        (["health", "--max-age", "1h"], 1, "no service"),
        (["health", "--config", "/missing.yaml"], 1, "/missing.yaml can't be read"),
    ],
)
def test_words(tmp_path: Path, words: list[str], status: int, said: str) -> None:
    env = {"PATH": os.environ["PATH"], "LEANIX_BACKUP__STATE_DIR": str(tmp_path)}
    if "--config" in words:
        del env["LEANIX_BACKUP__STATE_DIR"]
    found = installed.run(*words, env=env)
    assert found.status == status
    assert said in found.out + found.err


def test_the_first_process_of_a_container_can_be_stopped_before_it_serves(tmp_path: Path) -> None:
    """The kernel drops a signal that process 1 does not handle; here it still reads its configuration."""
    unshare = shutil.which("unshare")
    namespace = [unshare or "unshare", "--map-root-user", "--pid", "--fork", "--kill-child"]
    if unshare is None or subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nobody may make a namespace here")
    config = tmp_path / "config.yaml"
    os.mkfifo(config)
    with subprocess.Popen([*namespace, installed.COMMAND, "--config", config, "serve"]) as outer:
        writer = os.open(config, os.O_WRONLY)  # returns when it has opened the other end, and now waits for words
        try:
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            assert len(children) == 1
            os.kill(int(children[0]), signal.SIGTERM)
            assert outer.wait(20) == 143
        finally:
            os.close(writer)
            if outer.poll() is None:
                outer.kill()
