"""`demo` and `simulate`, as a stranger starts them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import Counter
from pathlib import Path

from tests.support import installed
from tests.support.stored import stored


def test_the_demo_makes_two_backups_of_each_export(tmp_path: Path) -> None:
    env = dict(os.environ)
    done = installed.run("demo", env=env, cwd=tmp_path, timeout=110)
    assert done.status == 0, done.err
    found = stored(tmp_path / "leanix-backup-demo" / "backups")
    counts = Counter(manifest["export"]["type"] for manifest in found.values())
    assert set(counts) == {"SNAPSHOT", "AUDIT_LOG", "ARCHIVE"}
    assert min(counts.values()) >= 2
    for path in found:
        assert path.name in done.out, "the table says where they lie"
    config = tmp_path / "leanix-backup-demo" / "config.yaml"
    assert installed.run("--config", config, "list", env=env).out.count("demo") >= 6
    assert "SNAPSHOT" in installed.run("--config", config, "show", "demo/snapshot@latest", env=env).out


def test_simulate_serves_alone(tmp_path: Path) -> None:
    with subprocess.Popen(
        [installed.COMMAND, "simulate", "--fact-sheets", "20"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            said = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
            assert said
            env = installed.environment(tmp_path, said[0])
            assert installed.run("backup", "snapshot", env=env).status == 0
            server.send_signal(signal.SIGTERM)
            assert server.wait(10) == 0
        finally:
            if server.poll() is None:
                server.kill()
    assert len(stored(tmp_path / "backups")) == 1
