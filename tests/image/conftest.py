"""The image, built from what a clean clone holds. Collected only where a builder is named: it takes minutes.

`make image-test` names it: IMAGE_BUILDER and IMAGE_RUNNER are `docker`, or scripts that take what `scripts` gives them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from leanix_backup.simulator import SimulatedLeanixThread, SimulatorSettings, Switches, simulated_leanix_thread
from tests.image.docker import Docker
from tests.image.engine import Engine
from tests.image.scripts import Scripts

_TOP = Path(__file__).parents[2]
_TAG = "leanix-backup:image-test"
_BUILDER = os.environ.get("IMAGE_BUILDER", "")
_RUNNER = os.environ.get("IMAGE_RUNNER", _BUILDER)
collect_ignore_glob = [] if _BUILDER else ["test_*.py"]


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clean clone would hold: nothing that git ignores."""
    there = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 -- the user's git
        cwd=_TOP,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (_TOP / name).is_file():
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_TOP / name, there / name)
    return there


@pytest.fixture(scope="session")
def engine(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The built image, `demo` beside it."""
    work = tmp_path_factory.mktemp("engine")
    made: Engine = Docker(_BUILDER, _TAG) if Path(_BUILDER).name == "docker" else Scripts(_BUILDER, _RUNNER, _TAG, work)
    made.build(clone)
    return made


@pytest.fixture
def leanix() -> Iterator[SimulatedLeanixThread]:
    settings = SimulatorSettings(fact_sheets=40, changes_per_hour=2, history=timedelta(days=10))
    with simulated_leanix_thread(settings, Switches(duration_s=0.2)) as server:
        yield server
