"""The tools of the crash matrix: do they count what they say, and kill where they are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import shim

_STEPS = """
import os, sys, threading
root = sys.argv[1]
def work(name):
    path = os.path.join(root, name)
    with open(path, "wb") as file:
        file.write(b"whole")
        os.fsync(file.fileno())
    os.rename(path, path + ".moved")
    os.link(path + ".moved", path + ".linked")
    os.unlink(path + ".moved")
for name in sys.argv[2:]:
    thread = threading.Thread(target=work, args=(name,))
    thread.start()
    thread.join()
with open(os.path.join(os.path.dirname(root), "elsewhere"), "wb") as file:
    os.fsync(file.fileno())
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (reason := shim.why_not()) is not None:
        pytest.skip(reason)
    return shim.build(tmp_path_factory.mktemp("shim"))


def run(library: Path, tmp_path: Path, *, at: int | None = None, when: str = "before") -> tuple[int, list[shim.Step]]:
    (tmp_path / "root").mkdir()
    log = tmp_path / "steps"
    env = shim.aimed(os.environ, [tmp_path / "another", tmp_path / "root"], log, shim.Aim(library, at, when))
    done = subprocess.run([sys.executable, "-c", _STEPS, tmp_path / "root", "a", "b"], env=env, check=False, timeout=30)
    return done.returncode, shim.steps(log)


def test_it_counts_over_all_threads_and_only_below_its_roots(library: Path, tmp_path: Path) -> None:
    status, steps = run(library, tmp_path)
    assert status == 0
    assert [(step.number, step.kind) for step in steps] == list(
        enumerate(["fsync", "rename", "link", "unlink"] * 2, start=1)
    )
    names = ["a", "a.moved", "a.linked", "a.moved", "b", "b.moved", "b.linked", "b.moved"]
    assert [step.path for step in steps] == [tmp_path / "root" / name for name in names]


@pytest.mark.parametrize(
    ("at", "when", "left"),
    [
        (1, "before", {"a"}),
        (2, "before", {"a"}),
        (2, "after", {"a.moved"}),
        (3, "before", {"a.moved"}),
        (3, "after", {"a.moved", "a.linked"}),
        (4, "after", {"a.linked"}),
        (7, "before", {"a.linked", "b.moved"}),
    ],
)
def test_it_kills_there_and_nowhere_else(library: Path, tmp_path: Path, at: int, when: str, left: set[str]) -> None:
    status, steps = run(library, tmp_path, at=at, when=when)
    assert status == -signal.SIGKILL
    assert len(steps) == at
    assert {path.name for path in (tmp_path / "root").iterdir()} == left


def test_a_step_that_is_never_reached_kills_nobody(library: Path, tmp_path: Path) -> None:
    status, steps = run(library, tmp_path, at=9)
    assert status == 0
    assert len(steps) == 8
