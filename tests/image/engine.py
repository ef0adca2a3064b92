"""Two ways to build and run the image: Docker, and scripts for a machine without its engine.

Whatever runs, runs as it should in production: on a read-only root, as the user that is asked for, with nothing to
write to but the volumes it is given, on the host's network, where the simulated workspace is.
"""

from __future__ import annotations

import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

FIXED = "10001:0"
ANY = "1000730000:0"
BUILD_S = 900.0
RUN_S = 120.0


@dataclass(frozen=True, slots=True)
class Setting:
    """Who runs in a container, and what it is given.

    Attributes:
        user: The uid and gid.
        volumes: Folders of the host, by where they are inside.
        env: Variables.
        demo: Whether it is the demo's image.
    """

    user: str = FIXED
    volumes: Mapping[str, Path] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    demo: bool = False

    def options(self) -> list[str]:
        """The options that both runners know."""
        volumes = [word for inside, host in self.volumes.items() for word in ("-v", f"{host}:{inside}")]
        return [*volumes, *(word for name, value in self.env.items() for word in ("-e", f"{name}={value}"))]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a container had to say."""

    status: int
    out: str
    err: str


class Running(ABC):
    """A container that goes on."""

    @abstractmethod
    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its first process."""

    @abstractmethod
    def execute(self, *words: str) -> Ended:
        """Run the command in it once more, beside what runs."""

    @abstractmethod
    def wait(self, timeout: float) -> Ended:
        """Wait for its end."""


class Engine(ABC):
    """Builds the image from a folder, and runs it."""

    @abstractmethod
    def build(self, context: Path) -> None:
        """Build both targets."""

    @abstractmethod
    def plain(self, *words: str) -> Ended:
        """Run the image as it is, with none of the settings."""

    @abstractmethod
    def started(self, setting: Setting, *words: str) -> AbstractContextManager[Running]:
        """Start a container; it is gone when the block is left."""

    def run(self, setting: Setting, *words: str) -> Ended:
        """Run a container to its end."""
        with self.started(setting, *words) as running:
            return running.wait(RUN_S)


def call(*words: str | Path, env: Mapping[str, str] | None = None, timeout: float = RUN_S) -> Ended:
    """Run a command of this machine to its end."""
    done = subprocess.run(
        words, capture_output=True, text=True, env=env, timeout=timeout, check=False, stdin=subprocess.DEVNULL
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def must(ended: Ended) -> Ended:
    """Fail with what it said, unless it ended well."""
    assert ended.status == 0, f"{ended.out}\n{ended.err}"
    return ended
