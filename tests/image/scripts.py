"""The image, built and run by scripts, for a machine without a container engine.

`BUILDER CONTEXT TAG DOCKERFILE` builds the last stage; `RUNNER [-e N=V]… [-v HOST:INSIDE]… TAG [ARG…]` runs the image
as its own user, with RUN_ENTRYPOINT in place of its entry point. They know no target, no user and no read-only root:
a Dockerfile cut off after a stage makes the first, one that adds a USER the second, and root of this machine remounts
the root file system of what is about to start. Processes are numbered as on this machine.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from tests.image.engine import BUILD_S, FIXED, Ended, Engine, Running, Setting, call, must

# It says its number, and goes on when its root file system is what it should be.
_WAIT_THEN_RUN = 'echo $$; read -r _; exec leanix-backup "$@"'


@dataclass(slots=True)
class _Container(Running):
    engine: Scripts
    setting: Setting
    process: subprocess.Popen[str]
    pid: int

    @override
    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    @override
    def execute(self, *words: str) -> Ended:
        return call(self.engine.runner, *self.setting.options(), self.engine.tag_for(self.setting), *words)

    @override
    def wait(self, timeout: float) -> Ended:
        out, err = self.process.communicate(timeout=timeout)
        # The runner passes on that it failed, not how; what was run is what it says last.
        said = re.findall(r"(?:exit status|exited with status) (\d+)", err)
        return Ended(int(said[0]) if self.process.returncode and said else self.process.returncode, out, err)


@dataclass(slots=True)
class Scripts(Engine):
    """A builder and a runner."""

    builder: str
    runner: str
    tag: str
    work: Path
    _users: dict[str, str] = field(default_factory=dict)
    _first: str = ""

    @override
    def build(self, context: Path) -> None:
        dockerfile = context / "Dockerfile"
        stages = re.split(r"(?m)^(?=FROM )", dockerfile.read_text())
        last = next(number for number, stage in enumerate(stages) if re.match(r"FROM \S+ AS demo\n", stage))
        self._first = stages[1].partition("\n")[0] + "\n"
        demo = self.work / "Dockerfile.demo"
        demo.write_text("".join(stages[: last + 1]))
        must(call(self.builder, context, f"{self.tag}-demo", demo, timeout=BUILD_S))
        must(call(self.builder, context, self.tag, dockerfile, timeout=BUILD_S))

    @override
    def plain(self, *words: str) -> Ended:
        return call(self.runner, self.tag, *words)

    @override
    @contextmanager
    def started(self, setting: Setting, *words: str) -> Iterator[Running]:
        command = [self.runner, *setting.options(), self.tag_for(setting), "-c", _WAIT_THEN_RUN, "sh", *words]
        with subprocess.Popen(
            command,
            env=os.environ | {"RUN_ENTRYPOINT": "/bin/sh"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            pid = int(process.stdout.readline())
            root = str(Path(f"/proc/{pid}/root").readlink())
            must(call("nsenter", "--target", str(pid), "--mount", "mount", "-o", "remount,bind,ro", root))
            process.stdin.write("\n")
            process.stdin.flush()
            try:
                yield _Container(self, setting, process, pid)
            finally:
                if process.poll() is None:
                    os.kill(pid, signal.SIGKILL)

    def tag_for(self, setting: Setting) -> str:
        """Name the image in which a user is the one; it is built when it is first asked for."""
        tag = f"{self.tag}-demo" if setting.demo else self.tag
        if setting.user == FIXED:
            return tag
        derived = f"{tag}-{setting.user.partition(':')[0]}"
        if derived not in self._users:
            empty = self.work / "empty"
            empty.mkdir(exist_ok=True)
            dockerfile = self.work / f"Dockerfile.{len(self._users)}"
            # The builder fails on a file that names no image of Python, so one is named and not used.
            dockerfile.write_text(f"{self._first}FROM {tag}\nUSER {setting.user}\n")
            must(call(self.builder, empty, derived, dockerfile, timeout=BUILD_S))
            self._users[derived] = setting.user
        return derived
