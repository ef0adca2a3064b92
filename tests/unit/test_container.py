"""What the Dockerfile and the compose files promise, as far as it shows without running them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from leanix_backup import __version__
from leanix_backup.config import load
from leanix_backup.simulator import DEFAULT_API_TOKEN

TOP = Path(__file__).parents[2]
DOCKERFILE = (TOP / "Dockerfile").read_text()
DEMO, REAL = TOP / "docker-compose.yml", TOP / "deploy" / "compose" / "docker-compose.yml"
STATE = "/var/lib/leanix-backup"


def instructions(word: str, text: str = DOCKERFILE) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [line.removeprefix(f"{word} ") for line in joined.splitlines() if line.startswith(f"{word} ")]


def services(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    for service in document["services"].values():
        for kind in ("configs", "secrets"):
            for used in service.get(kind, ()):
                assert used["source"] in document[kind]
        for used in service.get("volumes", ()):
            assert used.partition(":")[0] in document["volumes"]
    found: dict[str, Any] = document["services"]
    return found


def test_the_stages_are_those_that_are_documented() -> None:
    stages = [line.split()[2] for line in instructions("FROM")]
    assert stages[-1] == "runtime", "what a plain build makes"
    assert "demo" in stages
    bases = {line.split()[0] for line in instructions("FROM")} - set(stages)
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+-slim\S*", bases.pop())


def test_every_wheel_is_held_against_its_hash() -> None:
    installs = [
        part for run in instructions("RUN") for part in run.split("&&") if " install " in part and "pip" in part
    ]
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes --only-binary :all:" in re.sub(r"\s+", " ", install) or "--no-index" in install


def test_who_runs_and_how_it_is_asked() -> None:
    assert instructions("USER") == ["10001:0"]
    assert instructions("ENTRYPOINT") == ['["leanix-backup"]'], "no shell between a signal and the service"
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    (check,) = instructions("HEALTHCHECK")
    assert check.endswith('CMD ["leanix-backup", "health"]')
    (env,) = [
        dict(pair.split("=", 1) for pair in shlex.split(line)) for line in instructions("ENV") if "TMPDIR" in line
    ]
    assert env["TMPDIR"] == STATE
    assert f'image.version="{__version__}"' in DOCKERFILE


def test_only_what_the_image_is_made_of_is_sent_to_the_builder() -> None:
    rules = [line for line in (TOP / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert rules[0] == "*"
    sent = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]}
    assert all(any(word == each or word.startswith(f"{each}/") for each in sent) for word in copied), copied
    assert all(any(word == each or word.startswith(f"{each}/") for word in copied) for each in sent), sent


@pytest.mark.parametrize("path", [DEMO, REAL], ids=["demo", "real"])
def test_a_service_is_given_nothing_that_it_does_not_need(path: Path) -> None:
    for name, service in services(path).items():
        if not service["image"].startswith("leanix-backup:"):
            assert re.fullmatch(r"[\w.-]+/[\w.-]+:\d[\w.]*", service["image"]), "a version, from the usual registry"
            continue
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "ports" not in service
        if service["command"] == ["serve"]:
            assert {each.partition(":")[2] for each in service["volumes"]} == {STATE, "/backups"}
            assert service["configs"][0]["target"] == "/etc/leanix-backup/config.yaml"
            assert int(service["stop_grace_period"].removesuffix("s")) > 30


def test_the_real_one_is_limited_and_watched() -> None:
    service = services(REAL)["leanix-backup"]
    assert service["image"] == f"leanix-backup:{__version__}"
    assert service["user"] == "10001:0"
    assert service["healthcheck"]["test"] == ["CMD", "leanix-backup", "health"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["secrets"] == [{"source": "leanix-acme", "target": "/run/secrets/leanix-acme"}]


def test_what_they_configure_is_valid(tmp_path: Path) -> None:
    demo = load(TOP / "deploy" / "compose" / "demo.yaml", {})
    assert demo.workspaces["demo"].api_token.read() == DEFAULT_API_TOKEN
    simulator, bucket = services(DEMO)["simulator"], services(DEMO)["s3"]
    port = simulator["command"][simulator["command"].index("--port") + 1]
    assert demo.workspaces["demo"].url == f"http://127.0.0.1:{port}"
    assert f"-bucket={demo.destinations['offsite'].bucket}" in bucket["command"]  # type: ignore[union-attr]  # it is S3's
    real = (TOP / "deploy" / "compose" / "config.yaml").read_text()
    secret = services(REAL)["leanix-backup"]["secrets"][0]["target"]
    (tmp_path / "token").write_text("token")
    config = tmp_path / "config.yaml"
    config.write_text(real.replace(secret, str(tmp_path / "token")))
    assert {job.export.value for job in load(config, {}).jobs.values()} == {"SNAPSHOT", "AUDIT_LOG", "ARCHIVE"}
