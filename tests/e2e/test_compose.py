"""The demo of docker-compose.yml without Docker: its own commands, in a network that only they share."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import installed
from tests.support.seaweed import binary

TOP = Path(__file__).parents[2]


def test_the_demo_s_parts_fit_each_other(tmp_path: Path) -> None:
    weed, unshare, network = binary(), shutil.which("unshare"), shutil.which("ip")
    if weed is None or unshare is None or network is None:
        pytest.skip("weed, unshare or ip is not there")
    namespace = [unshare, "--map-root-user", "--net", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*namespace, network, "link", "set", "lo", "up"], capture_output=True, check=False).returncode:
        pytest.skip("nobody may make a network here")
    services: dict[str, Any] = yaml.safe_load((TOP / "docker-compose.yml").read_text())["services"]
    for name in ("data", "backups", "state", "temp"):
        (tmp_path / name).mkdir()
    config = tmp_path / "config.yaml"
    config.write_text((TOP / "deploy/compose/demo.yaml").read_text().replace("/backups", str(tmp_path / "backups")))
    s3 = [word.replace("/data", str(tmp_path / "data")) for word in services["s3"]["command"]]
    keys = [f"{name}={value}" for name, value in services["s3"]["environment"].items()]
    is_up = services["simulator"]["healthcheck"]["test"]
    assert is_up[:2] == ["CMD", "python3"]
    command = str(installed.COMMAND)
    script = f"""
        ip link set lo up
        env {shlex.join([*keys, str(weed), *s3])} >weed.log 2>&1 &
        {shlex.join([command, *services["simulator"]["command"]])} >simulator.log 2>&1 &
        for _ in $(seq 200); do {shlex.join([sys.executable, *is_up[2:]])} 2>/dev/null && break; sleep 0.2; done
        {shlex.join([command, "--config", str(config), "backup", "--all", "--json"])} 2>backup.log
    """
    clean = {name: value for name, value in installed.environment(tmp_path, "").items() if "LEANIX_BACKUP" not in name}
    done = subprocess.run(
        [*namespace, "sh", "-c", script],
        cwd=tmp_path,
        env=clean | {"LEANIX_BACKUP__STATE_DIR": str(tmp_path / "state"), "TMPDIR": str(tmp_path / "temp")},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    for left in Path("/tmp").glob("seaweedfs-s3-*8333.sock"):  # it keeps them there whatever TMPDIR says
        left.unlink()
    said = "\n".join(path.read_text()[-2000:] for path in tmp_path.glob("*.log"))
    assert done.returncode == 0, done.stderr + said
    runs = json.loads(done.stdout)["runs"]
    assert {run["job"] for run in runs} == {"snapshot", "archive", "changelog"}
    for run in runs:
        assert {copy["destination"] for copy in run["stored"]} == {"disk", "offsite"}, said
