"""The manifests and units in `deploy/`: each says what the documents promise; its own tool takes it, if it is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from leanix_backup import __version__
from leanix_backup.config import load

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES, SYSTEMD = DEPLOY / "kubernetes", DEPLOY / "systemd"
UNITS = ("leanix-backup.service", "leanix-backup@.service")
JOBS = ("nightly", "changelog", "archive")
MOST_EXPOSED = 1.2


def manifests(*paths: Path) -> dict[str, dict[str, Any]]:
    found = [each for path in paths for each in yaml.safe_load_all(path.read_text())]
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in found}


def pods() -> dict[str, dict[str, Any]]:
    known = manifests(
        KUBERNETES / "base" / "deployment.yaml", *(KUBERNETES / "overlays" / "cronjobs").glob("[!k]*.yaml")
    )
    return {
        name: (each["spec"] if each["kind"] == "Deployment" else each["spec"]["jobTemplate"]["spec"])["template"][
            "spec"
        ]
        for name, each in known.items()
    }


def test_every_pod_is_restricted() -> None:
    assert set(pods()) == {"Deployment/leanix-backup", *(f"CronJob/leanix-backup-{job}" for job in JOBS)}
    for pod in pods().values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["terminationGracePeriodSeconds"] > 30
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "limits" in container["resources"]
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_the_service_is_alone_and_watched() -> None:
    deployment = manifests(KUBERNETES / "base" / "deployment.yaml")["Deployment/leanix-backup"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    pod = deployment["template"]["spec"]
    assert "runAsUser" not in pod["securityContext"], "OpenShift gives one"
    for probe in ("startupProbe", "livenessProbe"):
        assert pod["containers"][0][probe]["exec"]["command"] == ["leanix-backup", "health"]


@pytest.mark.parametrize("job", JOBS)
def test_a_cron_job_does_not_export_again_in_vain(job: str) -> None:
    spec = manifests(KUBERNETES / "overlays" / "cronjobs" / f"{job}.yaml")[f"CronJob/leanix-backup-{job}"]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    run = spec["jobTemplate"]["spec"]
    assert run["podFailurePolicy"]["rules"][0] == {
        "action": "FailJob",
        "onExitCodes": {"containerName": "leanix-backup", "operator": "In", "values": [2, 3, 4]},
    }
    pod = run["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["containers"][0]["name"] == "leanix-backup"
    assert pod["containers"][0]["args"] == ["backup", job]


def test_the_cron_jobs_are_the_configuration_s(tmp_path: Path) -> None:
    text = (KUBERNETES / "base" / "config.yaml").read_text()
    (tmp_path / "token").write_text("token")
    config = tmp_path / "config.yaml"
    config.write_text(text.replace("/run/secrets/leanix-acme", str(tmp_path / "token")))
    assert set(load(config, {}).jobs) == set(JOBS)
    assert text == (DEPLOY / "compose" / "config.yaml").read_text()


@pytest.mark.parametrize("where", ["base", "overlays/fixed-user", "overlays/openshift", "overlays/cronjobs"])
def test_kustomize_renders_it(where: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl here")
    done = subprocess.run([kubectl, "kustomize", KUBERNETES / where], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rendered = [each for each in yaml.safe_load_all(done.stdout) if each]
    assert {each["metadata"]["namespace"] for each in rendered} == {"leanix-backup"}
    kinds = sorted(each["kind"] for each in rendered)
    assert ("Deployment" in kinds) == (where != "overlays/cronjobs")
    assert kinds.count("CronJob") == (3 if where == "overlays/cronjobs" else 0)
    (config,) = [each["metadata"]["name"] for each in rendered if each["kind"] == "ConfigMap"]
    assert done.stdout.count(f"name: {config}\n") == 1 + sum(kind in {"Deployment", "CronJob"} for kind in kinds)
    assert set(re.findall(r"image: (\S+)", done.stdout)) == {f"leanix-backup:{__version__}"}
    assert ("runAsUser: 10001" in done.stdout) == (where in {"overlays/fixed-user", "overlays/cronjobs"})


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_exposes_little(unit: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze here")
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", SYSTEMD / unit],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= MOST_EXPOSED
    assert f"rates both units {found[1]} " in (DEPLOY.parent / "docs" / "systemd.md").read_text()


def test_the_units_are_valid(tmp_path: Path) -> None:
    """With a command and a user that every machine has, as the units' own are not installed here."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze here")
    for path in SYSTEMD.glob("*.[st][ei][rm]*"):
        text = path.read_text().replace("/opt/leanix-backup/bin/leanix-backup", "/bin/true")
        text = re.sub(r"(?m)^(User|Group)=.*$", r"\1=root", text)
        (tmp_path / path.name.replace("@", "@nightly")).write_text(text)
    units = sorted(tmp_path.iterdir())
    assert [unit.name for unit in units] == [
        "leanix-backup.service",
        "leanix-backup@nightly.service",
        "leanix-backup@nightly.timer",
    ]
    done = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "leanix-backup" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_gives_the_grace_its_time(unit: str) -> None:
    text = (SYSTEMD / unit).read_text()
    stop = re.search(r"(?m)^TimeoutStopSec=(\d+)$", text)
    assert stop
    assert int(stop[1]) > 30
    if unit == UNITS[0]:
        assert "RestartPreventExitStatus=2 4\n" in text
