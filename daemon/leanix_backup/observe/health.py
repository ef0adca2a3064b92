"""Whether a service lives, told by the beat that its event loop leaves in `state_dir`.

A loop that hangs stops the beat, whatever else the process still answers. Called every few seconds in a container, so
only what is cheap is imported here: no dataclasses, no pathlib, no JSON. A beat is one line: the monotonic clock in
seconds, the process, when that process was started, and which boot the clock counts from.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from typing import NamedTuple

FILE_NAME = "beat"
BEAT_EVERY_S = 5.0
OLDEST_S = 30.0
_WIDTH = 128
_LARGEST = 4096
_DEAD = ("Z", "X", "x")


class Beat(NamedTuple):
    """One beat.

    Attributes:
        at: The monotonic clock, in seconds.
        pid: The process, as its own namespace numbers it.
        started: When the process was started, in the kernel's ticks; empty where that can't be seen.
        boot: The boot that the clock counts from; empty where that can't be seen.
    """

    at: float
    pid: int
    started: str
    boot: str


class Verdict(NamedTuple):
    """Whether the service lives, and one line that says why."""

    healthy: bool
    message: str


def judge(beat: Beat, *, now: float, boot: str, started: str | None, oldest_s: float = OLDEST_S) -> Verdict:
    """Decide by a beat whether the service lives.

    Args:
        beat: The last one.
        now: The monotonic clock, in seconds.
        boot: The boot that `now` counts from; empty where nobody can see it.
        started: When the process of that number was started, None where there is none, empty where nobody can see it.
        oldest_s: The age, in seconds, from which on the loop counts as stuck.
    """
    if (beat.boot and boot and beat.boot != boot) or beat.at > now:
        return Verdict(healthy=False, message="the last beat is from before this machine's start, or from another one")
    if started is None or (started and beat.started and started != beat.started):
        return Verdict(healthy=False, message=f"process {beat.pid}, which left the last beat, has ended")
    age = now - beat.at
    if age >= oldest_s:
        return Verdict(healthy=False, message=f"the last beat is {age:.0f} s old: process {beat.pid} is stuck")
    return Verdict(healthy=True, message=f"process {beat.pid} beat {age:.0f} s ago")


def look(state_dir: str, *, oldest_s: float = OLDEST_S) -> Verdict:
    """Say whether the service of a `state_dir` lives; must run on its machine, in its container."""
    path = os.path.join(state_dir, FILE_NAME)  # noqa: PTH118 -- pathlib costs more than all the rest
    try:
        beat = _parse(_read(path))
    except FileNotFoundError:
        return Verdict(healthy=False, message=f"no service runs on {state_dir}: there is no {FILE_NAME} in it")
    except OSError as error:
        return Verdict(healthy=False, message=f"{path} can't be read ({error.strerror})")
    except ValueError:
        return Verdict(healthy=False, message=f"{path} is no beat of a service")
    now = time.monotonic()  # after the reading, so that no beat is younger than now
    return judge(beat, now=now, boot=boot_id(), started=started_at(beat.pid), oldest_s=oldest_s)


def write_beat(state_dir: str, beat: Beat) -> None:
    """Replace the last beat. Not flushed to disk: after a power cut it is worth nothing anyway.

    On a full volume the file that is there is written over in place, which takes no room: a service whose disk is full
    has trouble enough without being restarted for it.

    Raises:
        OSError: It can't be written.
    """
    path = os.path.join(state_dir, FILE_NAME)  # noqa: PTH118 -- as above
    line = _format(beat)
    fresh = f"{path}.new"
    try:
        _write(fresh, line, os.O_CREAT | os.O_TRUNC)
        os.replace(fresh, path)  # noqa: PTH105 -- as above
    except OSError:
        _write(path, line, 0)


def remove_beat(state_dir: str) -> None:
    """Take the beat away, so that nobody looks for a service that ended in good order; what can't be removed stays."""
    path = os.path.join(state_dir, FILE_NAME)  # noqa: PTH118 -- as above
    for each in (path, f"{path}.new"):
        with suppress(OSError):
            os.unlink(each)  # noqa: PTH108 -- as above


def boot_id() -> str:
    """Name the boot that the monotonic clock counts from; empty where the system does not say."""
    try:
        return _read("/proc/sys/kernel/random/boot_id").strip()
    except (OSError, ValueError):
        return ""


def started_at(pid: int) -> str | None:
    """Say when a process was started, in the kernel's ticks since boot.

    None where there is no such process, or only its remains; empty where the system does not say.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:  # it is another user's, and there
        return _ticks(pid)
    return _ticks(pid)


def _ticks(pid: int) -> str | None:
    try:
        # The name in brackets may hold blanks and brackets of its own.
        state, *fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except FileNotFoundError:
        return None if os.access("/proc/self/stat", os.R_OK) else ""
    except (OSError, ValueError):
        return ""
    return None if state in _DEAD else fields[18]


def _format(beat: Beat) -> bytes:
    return f"{beat.at!r} {beat.pid} {beat.started or '-'} {beat.boot or '-'}".ljust(_WIDTH - 1).encode() + b"\n"


def _parse(line: str) -> Beat:
    at, pid, started, boot = line.split()
    if int(pid) <= 0:  # to signal those means groups of processes
        raise ValueError(pid)
    return Beat(float(at), int(pid), started.removeprefix("-"), boot.removeprefix("-"))


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LARGEST).decode()
    finally:
        os.close(descriptor)


def _write(path: str, line: bytes, flags: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)
