"""Start the installed command as a user would: in a process of its own, with an environment and real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leanix_backup.events import CATALOGUE, Event
from leanix_backup.simulator import DEFAULT_API_TOKEN

COMMAND = Path(sys.executable).with_name("leanix-backup")
_EVERY_LINE = {"timestamp", "level", "event", "run_id", "job", "workspace", "export", "stage"}


@dataclass(frozen=True, slots=True)
class Result:
    """What a command that ended had to say."""

    status: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return parse_events(self.err)

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        assert found["version"] == 1
        return found

    def finished(self) -> list[dict[str, Any]]:
        return [line for line in self.events if line["event"] == "run_finished"]


def parse_events(text: str) -> list[dict[str, Any]]:
    """Read JSON lines and hold each against the list of events: no unknown event, no unknown field."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        entry = json.loads(line)
        spec = CATALOGUE[Event(entry["event"])]
        assert set(entry) <= _EVERY_LINE | set(spec.fields), entry
        lines.append(entry)
    return lines


def run(*arguments: str | Path, env: Mapping[str, str], cwd: Path | None = None, timeout: float = 60) -> Result:
    """Run the command to its end."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)],
        env=dict(env),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


@dataclass(slots=True)
class Running:
    """A command that goes on, and the events that it has written so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def events(self) -> list[dict[str, Any]]:
        with self.changed:
            return parse_events("\n".join(self.lines))

    def wait_for(self, event: str, *, count: int = 1, timeout: float = 30, **fields: Any) -> list[dict[str, Any]]:
        """Wait until that many such events were written."""
        deadline = time.monotonic() + timeout
        while True:
            found = [
                line
                for line in self.events
                if line["event"] == event and all(line.get(name) == value for name, value in fields.items())
            ]
            if len(found) >= count:
                return found
            left = deadline - time.monotonic()
            assert left > 0, f"no {count} x {event} {fields} in:\n" + "\n".join(self.lines)
            assert self.process.poll() is None, "it ended:\n" + "\n".join(self.lines)
            with self.changed:
                self.changed.wait(min(left, 0.5))

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 30) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()


@contextmanager
def started(*arguments: str | Path, env: Mapping[str, str], cwd: Path | None = None) -> Iterator[Running]:
    """Start the command; it is ended for good when the block is left."""
    with subprocess.Popen(
        [COMMAND, *map(str, arguments)],
        env=dict(env),
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        running = Running(process)
        reader = threading.Thread(target=running._read, daemon=True)
        reader.start()
        try:
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)
            reader.join(10)


def environment(folder: Path, url: str, *, exports: str = "SNAPSHOT", **more: str) -> dict[str, str]:
    """Say everything by environment: a workspace, a folder as destination, and a job for each export.

    `exports` are joined by commas; a job is named after its export (`snapshot`, `audit_log`, `archive`). `more` are
    further variables without their `LEANIX_BACKUP__`.
    """
    said = {
        "WORKSPACES__ACME__URL": url,
        "WORKSPACES__ACME__API_TOKEN": DEFAULT_API_TOKEN,
        "DESTINATIONS__DISK__TYPE": "local",
        "DESTINATIONS__DISK__PATH": str(folder / "backups"),
        "STATE_DIR": str(folder / "state"),
        "DEFAULTS__DESTINATIONS": "disk",
        "DEFAULTS__RETENTION": "forever",
        "DEFAULTS__POLL": '{"first": "1s", "factor": 1.2, "ceiling": "2s"}',
        "DEFAULTS__ATTEMPTS": "1",
    }
    for export in exports.split(","):
        said |= {
            f"JOBS__{export}__WORKSPACE": "acme",
            f"JOBS__{export}__EXPORT": export,
            f"JOBS__{export}__SCHEDULE": "@yearly",
        }
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LEANIX_BACKUP")}
    return clean | {f"LEANIX_BACKUP__{name}": value for name, value in (said | more).items() if value}
