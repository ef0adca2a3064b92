"""The service's lives in a simulated month: start it, let time pass, end it, and read what it writes as it goes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from tests.faults.month_plan import JOBS
from tests.support import installed
from tests.support.skipped_time import SkippedTime

_LOOK_EVERY_S = 0.002
_STARTS_WITHIN_S = 60.0  # of real time, as are all of these
_ENDS_WITHIN_S = 60.0
_IDLE = timedelta(minutes=2)
_BEFORE_DUE = timedelta(minutes=1)
_ROUND = timedelta(days=8)  # every job is due in it
_READ = 1 << 16

Line: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Life:
    """One process of the service, from `service_started` to the signal that ended it."""

    started_at: datetime
    ended_at: datetime | None = None
    signal: signal.Signals | None = None
    status: int | None = None
    in_run: bool = False
    lines: list[Line] = field(default_factory=list)


class Service:
    """The service in a skipped time, one process after another.

    While it is idle, time leaps from one due time to the next; around due times and in runs every wait of its own is
    gone through.

    Args:
        skipped: Its time.
        env: What it is started with.
    """

    def __init__(self, skipped: SkippedTime, env: Mapping[str, str]) -> None:
        self._skipped = skipped
        self._env = dict(env) | skipped.env()
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._active: set[str] = set()
        self._busy_at = self._was_due = self._due = skipped.now()
        self.lives: list[Life] = []

    @property
    def now(self) -> datetime:
        """The time that it lives in."""
        return self._skipped.now()

    def start(self) -> None:
        """Start it and wait until it has said so."""
        self._process = subprocess.Popen(
            [installed.COMMAND, "serve"], env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self._err = self._process.stderr
        if self._err is None:
            raise AssertionError("it was asked for")
        os.set_blocking(self._err.fileno(), False)
        self._rest, self._active = b"", set()
        life = Life(self.now)
        self.lives.append(life)
        patience = time.monotonic() + _STARTS_WITHIN_S
        with self._skipped.not_beyond(self._skipped.monotonic() + 1.0):
            while not (begun := [line for line in life.lines if line["event"] == "service_started"]):
                self._read()
                if self._process.poll() is not None or time.monotonic() > patience:
                    raise RuntimeError(f"it did not start: {life.lines} {self._rest!r}")
                time.sleep(_LOOK_EVERY_S)
        life.started_at = self._busy_at = instant(begun[0]["timestamp"])

    def end(self, number: signal.Signals) -> None:
        """End it by a signal, and wait until it has gone."""
        process, life = self._process, self.lives[-1]
        if process is None:
            return
        self._read()
        life.ended_at, life.signal, life.in_run = self.now, number, bool(self._active)
        process.send_signal(number)
        patience = time.monotonic() + _ENDS_WITHIN_S
        with self._skipped.not_beyond(self._skipped.monotonic() + _ENDS_WITHIN_S):
            while process.poll() is None and time.monotonic() < patience:
                self._read()
                time.sleep(_LOOK_EVERY_S)
        process.kill()
        life.status = process.wait()
        self._read()
        if self._err is not None:
            self._err.close()
        self._process = None

    def pass_until(self, at: datetime) -> None:
        """Let time pass until an instant; nothing is skipped beyond it."""
        limit = self._skipped.at(at)
        if self._process is None:
            self._skipped.advance(max(0.0, limit - self._skipped.monotonic()))
            return
        with self._skipped.not_beyond(limit):
            while self._skipped.monotonic() < limit:
                now = self.now  # before reading: whatever was begun until then is known when it is decided by it
                self._read()
                self._let_leap(now, at)
                if self._process.poll() is not None:
                    raise RuntimeError(f"it ended by itself, with {self._process.returncode}: {self._rest!r}")
                time.sleep(_LOOK_EVERY_S)
        self._read()

    def pass_until_idle(self) -> None:
        """Let time pass until nothing is going on."""
        while self._process is not None and self._is_active(self.now):
            self.pass_until(self.now + timedelta(seconds=30))

    def _is_active(self, now: datetime) -> bool:
        if now >= self._due:
            self._was_due = max(instant for job in JOBS for instant in job.due(now - _ROUND, now))
            self._due = min(instant for job in JOBS for instant in job.due(now, now + _ROUND))
        return bool(self._active) or now - max(self._busy_at, self._was_due) < _IDLE

    def _let_leap(self, now: datetime, at: datetime) -> None:
        if not self._is_active(now) and self._due - _BEFORE_DUE > now:
            self._skipped.leap_to(self._skipped.at(min(at, self._due - _BEFORE_DUE)))

    def _read(self) -> None:
        """Read every whole line that was written so far."""
        while self._err is not None and (data := self._err.read(_READ)):
            self._rest += data
        *whole, self._rest = self._rest.split(b"\n")
        for line in installed.parse_events(b"\n".join(whole).decode()):
            self.lives[-1].lines.append(line)
            self._busy_at = instant(line["timestamp"])
            if line["event"] in {"run_started", "run_resumed"}:
                self._active.add(line["run_id"])
            elif line["event"] in {"run_finished", "run_interrupted"}:
                self._active.discard(line["run_id"])


def instant(text: str) -> datetime:
    """Read an instant of a log line or a manifest."""
    return datetime.fromisoformat(text)
