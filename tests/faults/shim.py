"""The shim that kills a process at its N-th durable step: build it, aim it, read what it counted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("kill_at.c")


@dataclass(frozen=True, slots=True)
class Step:
    """One counted call: its number, what was called (`fsync`, `rename`, `link`, `unlink`), and on which path."""

    number: int
    kind: str
    path: Path


@dataclass(frozen=True, slots=True)
class Aim:
    """The shim, and at which step it kills, `before` or `after` the call; without `at` steps are only counted."""

    library: Path
    at: int | None = None
    when: str = "before"


def why_not() -> str | None:
    """Say why the shim can't be used here; None where it can."""
    if sys.platform != "linux":
        return "LD_PRELOAD is Linux's"
    if shutil.which("cc") is None:
        return "there is no C compiler (cc) to build the shim with"
    return None


def build(folder: Path) -> Path:
    """Compile the shim into a folder."""
    library = folder / "kill_at.so"
    command: list[str | Path] = [
        "cc",
        "-shared",
        "-fPIC",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        library,
        SOURCE,
        "-ldl",
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return library


def aimed(env: Mapping[str, str], roots: Iterable[Path], log: Path, aim: Aim) -> dict[str, str]:
    """Say in an environment at which step a process dies, counting what it does to files below `roots`."""
    said = {
        "LD_PRELOAD": str(aim.library),
        "KILL_ROOT": ":".join(map(str, roots)),
        "KILL_LOG": str(log),
        "KILL_WHEN": aim.when,
    }
    return dict(env) | said | ({"KILL_AT": str(aim.at)} if aim.at is not None else {})


def steps(log: Path) -> list[Step]:
    """Read what was counted, in its order."""
    if not log.exists():
        return []
    found = [line.split(" ", 2) for line in log.read_text().splitlines()]
    return [Step(int(number), kind, Path(path)) for number, kind, path in found]
