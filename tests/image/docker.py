"""The image, built and run by Docker, or by what takes the same words."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from tests.image.engine import BUILD_S, Ended, Engine, Running, Setting, call, must


@dataclass(frozen=True, slots=True)
class _Container(Running):
    command: str
    name: str

    @override
    def signal(self, number: signal.Signals) -> None:
        must(call(self.command, "kill", "--signal", number.name, self.name))

    @override
    def execute(self, *words: str) -> Ended:
        return call(self.command, "exec", self.name, "leanix-backup", *words)

    @override
    def wait(self, timeout: float) -> Ended:
        status = must(call(self.command, "wait", self.name, timeout=timeout)).out
        said = call(self.command, "logs", self.name)
        return Ended(int(status), said.out, said.err)


@dataclass(frozen=True, slots=True)
class Docker(Engine):
    """Docker's own command line."""

    command: str
    tag: str

    @override
    def build(self, context: Path) -> None:
        for target in ("demo", "runtime"):
            tag = self._tag(demo=target == "demo")
            must(call(self.command, "build", "--target", target, "--tag", tag, context, timeout=BUILD_S))

    @override
    def plain(self, *words: str) -> Ended:
        return call(self.command, "run", "--rm", self.tag, *words)

    @override
    @contextmanager
    def started(self, setting: Setting, *words: str) -> Iterator[Running]:
        name = f"leanix-backup-{uuid.uuid4().hex[:12]}"
        hardened = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "host"]
        options = ["--detach", "--name", name, "--user", setting.user, *hardened, *setting.options()]
        must(call(self.command, "run", *options, self._tag(demo=setting.demo), *words))
        try:
            yield _Container(self.command, name)
        finally:
            call(self.command, "rm", "--force", name)

    def _tag(self, *, demo: bool) -> str:
        return f"{self.tag}-demo" if demo else self.tag
