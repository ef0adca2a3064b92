"""Folders for a command to work in, with disks that can be full, read-only, or gone."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_NOBODY = 65534
_NO_ROOT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")  # a root whom permissions bind


@dataclass(slots=True)
class Place:
    """A folder with volumes of its own, in a mount namespace that a process of ours keeps.

    Attributes:
        folder: Where it is, for whoever is in the namespace.
        holder: The process that keeps the namespace; None where there are no volumes.
    """

    folder: Path
    holder: int | None = None
    closed: set[Path] = field(default_factory=set)

    def view(self, path: Path) -> Path:
        """Say where we, outside, see what lies at a path inside."""
        return path if self.holder is None else Path(f"/proc/{self.holder}/root") / path.relative_to("/")

    def command(self, *words: str | Path) -> list[str]:
        """Say how to start a command in there."""
        said = [str(word) for word in words]
        if self.holder is not None:
            where = f"--target={self.holder}"
            return ["nsenter", where, "--user", "--mount", "--preserve-credentials", "--", *said]
        return [*_NO_ROOT, *said] if self.closed and os.geteuid() == 0 else said

    def shell(self, script: str) -> None:
        """Run a shell's line in the folder, inside."""
        line = f"cd {shlex.quote(str(self.folder))} && {script}"
        subprocess.run(self.command("sh", "-c", line), check=True, capture_output=True, text=True, timeout=30)

    def close(self, name: str) -> None:
        """Make a folder one that the command may not write to, nor look into."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(path, _NOBODY, _NOBODY)
            path.chmod(0o700)
        else:
            path.chmod(0o000)
        self.closed.add(path)

    def open(self, name: str) -> None:
        """Undo `close`; the command is still one whom permissions bind."""
        path = self.folder / name
        os.chown(path, os.geteuid(), os.getegid())
        path.chmod(0o700)


def why_not() -> str | None:
    """Say why no volumes can be made here; None where they can."""
    able = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],  # noqa: S607 -- wherever it is
        capture_output=True,
        check=False,
    )
    return "nobody may mount here" if able.returncode else None


@contextmanager
def placed(folder: Path, volumes: Mapping[str, str]) -> Iterator[Place]:
    """Make a place; `volumes` are the sizes of those folders in it that are volumes: `{"backups": "4m"}`."""
    if not volumes:
        place = Place(folder)
        try:
            yield place
        finally:
            for path in place.closed:
                path.chmod(0o700)
        return
    for name in volumes:
        (folder / name).mkdir(parents=True)
    mounts = [
        f"mount -t tmpfs -o size={size} tmpfs {shlex.quote(str(folder / name))}" for name, size in volumes.items()
    ]
    script = " && ".join([*mounts, "echo ready", "exec cat"])
    with subprocess.Popen(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],  # noqa: S607 -- wherever it is
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            raise RuntimeError("nobody may mount here")
        yield Place(folder, holder.pid)
