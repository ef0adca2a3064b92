"""A volume of a few MiB that can really be full: a tmpfs in a mount namespace of a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).parents[2]


def on_small_volume(folder: Path, script: str, *, size: str = "4m") -> dict[str, Any]:
    """Run a script with `folder` being such a volume, and return the JSON that it printed.

    Skips the test where this machine lets nobody mount.
    """
    mount = f"mount -t tmpfs -o size={size} tmpfs {folder}"
    namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    able = subprocess.run([*namespace, mount], capture_output=True, check=False, timeout=30)
    if able.returncode != 0:
        pytest.skip("nobody may mount here")
    code = folder.parent / "script.py"
    code.write_text(script)
    done = subprocess.run(
        [*namespace, f"{mount} && exec {sys.executable} {code} {folder}"],
        capture_output=True,
        check=False,
        timeout=60,
        cwd=_REPOSITORY,
        env={
            "PYTHONPATH": f"{_REPOSITORY}:{_REPOSITORY / 'daemon'}",
            "PATH": "/usr/bin:/bin",
            "PYTHONWARNINGS": "error",
        },
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found
