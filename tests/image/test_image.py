"""The image does what it is for, as the users and on the file systems that companies give it."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from leanix_backup import __version__
from leanix_backup.simulator import DEFAULT_API_TOKEN, SimulatedLeanixThread
from tests.image.engine import ANY, FIXED, Engine, Running, Setting, must
from tests.support.installed import parse_events
from tests.support.seaweed import ADMIN, seaweedfs, secret_of

pytestmark = pytest.mark.timeout(1200)
USERS = pytest.mark.parametrize("user", [FIXED, ANY])
STATE, BACKUPS = "/var/lib/leanix-backup", "/backups"


def volume(path: Path, user: str) -> Path:
    """A folder as a volume comes: empty, for group 0, or where this machine lets nobody give files away, for all."""
    path.mkdir()
    if os.geteuid() == 0:
        os.chown(path, int(user.partition(":")[0]), 0)
        path.chmod(0o770)
    else:
        path.chmod(0o777)
    return path


def setting(tmp_path: Path, user: str, url: str, **more: str) -> Setting:
    """What a user would give to a container: two volumes, a secret's file, and variables for the rest."""
    token = tmp_path / "token"
    token.write_text(DEFAULT_API_TOKEN)
    token.chmod(0o644)
    env = {
        "WORKSPACES__ACME__URL": url,
        "WORKSPACES__ACME__API_TOKEN_FILE": "/run/secrets/leanix-acme",
        "DESTINATIONS__DISK__TYPE": "local",
        "DESTINATIONS__DISK__PATH": BACKUPS,
        "DEFAULTS__DESTINATIONS": "disk",
        "DEFAULTS__RETENTION": "forever",
        "DEFAULTS__POLL": '{"first": "1s", "factor": 1.2, "ceiling": "2s"}',
        "JOBS__NIGHTLY__WORKSPACE": "acme",
        "JOBS__NIGHTLY__EXPORT": "SNAPSHOT",
        "JOBS__NIGHTLY__SCHEDULE": "@yearly",
        "HTTP__LISTEN": "null",
    }
    return Setting(
        user=user,
        volumes={
            STATE: volume(tmp_path / "state", user),
            BACKUPS: volume(tmp_path / "backups", user),
            "/run/secrets/leanix-acme": token,
        },
        env={f"LEANIX_BACKUP__{name}": value for name, value in (env | more).items()},
    )


def wait_until(what: Callable[[], bool], *, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.3)  # nothing can be waited for through a container's wall


def is_healthy(service: Running, *words: str) -> bool:
    return service.execute("health", *words).status == 0


def test_as_it_is_it_says_its_version(engine: Engine) -> None:
    assert must(engine.plain("--version")).out == f"leanix-backup {__version__}\n"


@USERS
def test_the_demo(engine: Engine, tmp_path: Path, user: str) -> None:
    ended = engine.run(Setting(user=user, volumes={STATE: volume(tmp_path / "state", user)}, demo=True), "demo")
    assert ended.status == 0, ended.err
    assert len(re.findall(r"\.xlsx\n", ended.out)) >= 6


@USERS
def test_a_backup_is_made_listed_read_back_and_fetched(
    engine: Engine, leanix: SimulatedLeanixThread, tmp_path: Path, user: str
) -> None:
    given = setting(tmp_path, user, leanix.url)
    (run,) = json.loads(must(engine.run(given, "backup", "nightly", "--json")).out)["runs"]
    assert run["outcome"] == "succeeded"
    (listed,) = json.loads(must(engine.run(given, "list", "--json")).out)["backups"]
    assert run["run_id"].startswith(listed["run_id"])
    (checked,) = json.loads(must(engine.run(given, "verify", run["run_id"], "--json")).out)["checked"]
    assert checked["ok"] is True
    must(engine.run(given, "fetch", "acme/snapshot@latest", "-o", f"{STATE}/fetched.xlsx"))
    if os.geteuid() == 0:
        (stored,) = (tmp_path / "backups").rglob("*.xlsx")
        assert stored.stat().st_uid == int(user.partition(":")[0])
        assert stored.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "state" / "fetched.xlsx").read_bytes() == stored.read_bytes()


def test_a_backup_goes_to_s3(engine: Engine, leanix: SimulatedLeanixThread, tmp_path: Path) -> None:
    """With what is left of botocore in the image."""
    with seaweedfs() as server:
        offsite = {
            "TYPE": "s3",
            "BUCKET": server.new_bucket(),
            "ENDPOINT_URL": server.url,
            "REGION": "us-east-1",
            "ACCESS_KEY_ID": ADMIN,
            "SECRET_ACCESS_KEY": secret_of(ADMIN),
        }
        more = {f"DESTINATIONS__OFFSITE__{name}": value for name, value in offsite.items()}
        given = setting(tmp_path, FIXED, leanix.url, **more | {"DEFAULTS__DESTINATIONS": "disk,offsite"})
        (run,) = json.loads(must(engine.run(given, "backup", "nightly", "--json")).out)["runs"]
        assert {copy["destination"] for copy in run["stored"]} == {"disk", "offsite"}
        checked = json.loads(must(engine.run(given, "verify", run["run_id"], "--json")).out)["checked"]
        assert [each["ok"] for each in checked] == [True, True]


@USERS
def test_a_termination_ends_the_service_within_the_grace(
    engine: Engine, leanix: SimulatedLeanixThread, tmp_path: Path, user: str
) -> None:
    leanix.switches.merge({"duration_s": 600.0})
    given = setting(tmp_path, user, leanix.url, JOBS__NIGHTLY__SCHEDULE="@every 1s", SHUTDOWN_GRACE="10s")
    with engine.started(given, "serve") as service:
        wait_until(lambda: is_healthy(service))
        wait_until(lambda: leanix.counters["posts"] == 1)
        service.signal(signal.SIGTERM)
        since = time.monotonic()
        ended = service.wait(30)
        assert time.monotonic() - since < 10
    assert ended.status == 0, ended.err
    events = [line["event"] for line in parse_events(ended.err)]
    assert "service_started" in events
    assert events[-3:] == ["service_stopping", "run_interrupted", "service_stopped"]


def test_a_service_whose_loop_hangs_is_unhealthy(engine: Engine, leanix: SimulatedLeanixThread, tmp_path: Path) -> None:
    given = setting(tmp_path, FIXED, leanix.url)
    with engine.started(given, "serve") as service:
        wait_until(lambda: is_healthy(service))
        service.signal(signal.SIGSTOP)
        wait_until(lambda: not is_healthy(service, "--max-age", "8s"))
        found = service.execute("health", "--max-age", "8s")
        assert found.status == 1
        assert re.search(r"unhealthy: the last beat is \d+ s old: process \d+ is stuck", found.out)
        service.signal(signal.SIGCONT)
        wait_until(lambda: is_healthy(service, "--max-age", "8s"))
        service.signal(signal.SIGTERM)
        assert service.wait(30).status == 0


def test_the_image_that_backs_up_holds_no_simulator(engine: Engine, tmp_path: Path) -> None:
    ended = engine.run(Setting(volumes={STATE: volume(tmp_path / "state", FIXED)}), "simulate")
    assert ended.status == 2
    assert "simulator_missing" in ended.err


@pytest.mark.parametrize("words", [("serve",), ("backup", "nightly")])
def test_a_volume_of_somebody_else_is_told(
    engine: Engine, leanix: SimulatedLeanixThread, tmp_path: Path, words: tuple[str, ...]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    given = setting(tmp_path, FIXED, leanix.url)
    os.chown(tmp_path / "state", 4711, 4711)
    ended = engine.run(given, *words)
    assert ended.status == 1
    assert "Traceback" not in ended.err
    assert "state_dir" in ended.err
