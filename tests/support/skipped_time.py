"""A time that skips over waits, for processes that are started in it and the servers of the test that they talk to.

    with SkippedTime() as skipped, simulated_leanix_thread(settings, switches, timing=skipped.timing) as leanix:
        installed.run("backup", "snapshot", env=environment | skipped.env())

The process lives in that time by a shim (`skip_time.c`, which says what is skipped); this process lives in its own and
reads the other. Whatever serves the process from here says that it is `busy` while it works, and waits by `sleep`.
"""

from __future__ import annotations

import ctypes
import mmap
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio.lowlevel

from leanix_backup.simulator import Timing

SOURCES = tuple(Path(__file__).with_name(f"skip_time{part}.c") for part in ("", "_locks", "_work"))
_NS = 1_000_000_000
_LOOK_EVERY_S = 0.001


class _Shared(ctypes.Structure):
    """As `struct shared` of the shim, which alone writes `skipped` and `pid`; everything else is written from here."""

    _fields_ = (
        ("skipped", ctypes.c_int64),
        ("advanced", ctypes.c_int64),
        ("wall", ctypes.c_int64),
        ("not_beyond", ctypes.c_int64),
        ("leap_to", ctypes.c_int64),
        ("busy", ctypes.c_int64),
        ("held_back", ctypes.c_int64),
        ("pid", ctypes.c_int64),
    )


def why_not() -> str | None:
    """Say why time can't be skipped here; None where it can."""
    if sys.platform != "linux":
        return "LD_PRELOAD is Linux's"
    if shutil.which("cc") is None:
        return "there is no C compiler (cc) to build the shim with"
    return None


class SkippedTime:
    """One time for any number of processes, one after the other; a context manager that removes its files.

    Safe to use from several threads. Where several processes live in it at once, each skips what it waits for itself
    and the others see their clocks jump.

    Args:
        start: What the wall clock says at first, aware; by default what it really says.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._working: ContextVar[bool] = ContextVar("whether this task says that it is busy", default=False)
        self._limits: list[int] = []
        self._shared = _Shared()

    def __enter__(self) -> Self:
        """Build the shim and make the file that is shared."""
        self._folder = tempfile.TemporaryDirectory(prefix="skipped-time-")
        folder = Path(self._folder.name)
        self._library, self._path = folder / "skip_time.so", folder / "time"
        _build(self._library)
        with self._path.open("w+b") as file:
            file.truncate(ctypes.sizeof(_Shared))
            self._map = mmap.mmap(file.fileno(), ctypes.sizeof(_Shared))
        self._shared = _Shared.from_buffer(self._map)
        if self._start is not None:
            self.set_wall(self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the files; the time can still be read, and stands where it stood plus what really passes."""
        self._shared = _Shared.from_buffer_copy(self._map)
        self._map.close()
        self._folder.cleanup()

    @property
    def timing(self) -> Timing:
        """What a simulated LeanIX needs to live in this time."""
        return Timing(self.monotonic, self.now, self.sleep, self.busy, self.held_back)

    def env(self) -> dict[str, str]:
        """Give the variables for a process that is to live in this time."""
        return {"LD_PRELOAD": str(self._library), "SKIP_TIME_FILE": str(self._path)}

    def monotonic(self) -> float:
        """Seconds that never go back, as `time.monotonic` says them in a process that lives in this time."""
        return self._monotonic_ns() / _NS

    def now(self) -> datetime:
        """What the wall clock says, in UTC."""
        shared = self._shared
        return _from_ns(time.time_ns() + shared.skipped + shared.advanced + shared.wall)

    def at(self, instant: datetime) -> float:
        """Say when the wall clock, unless it is set, will show an instant, as `monotonic` counts."""
        # Without a look at what was skipped, which may change between two looks.
        wall: int = self._shared.wall
        return (_to_ns(instant) - wall - time.time_ns() + time.monotonic_ns()) / _NS

    def advance(self, seconds: float) -> None:
        """Let time pass for everybody, as a machine does that was suspended."""
        if seconds < 0:
            raise ValueError("time only goes forward: advance by zero or more seconds")
        with self._lock:
            self._shared.advanced += round(seconds * _NS)

    def set_wall(self, instant: datetime) -> None:
        """Set the wall clock, ahead or back; monotonic time does not notice."""
        with self._lock:
            shared = self._shared
            shared.wall = _to_ns(instant) - time.time_ns() - shared.skipped - shared.advanced

    def leap_to(self, instant: float) -> None:
        """Let the next waits end late, at an instant of `monotonic`, as if nothing had been due until then."""
        self._shared.leap_to = round(instant * _NS)

    @contextmanager
    def not_beyond(self, instant: float) -> Iterator[None]:
        """Skip no further than to an instant of `monotonic`; from then on time goes as it really goes."""
        limit = round(instant * _NS)
        self._limit(limit)
        try:
            yield
        finally:
            self._limit(limit, lift=True)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Skip nothing while the block runs: somebody works for a process that waits."""
        token = self._working.set(True)
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)
            self._working.reset(token)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Within `busy`, in the same task: skip all the same, as a process is kept waiting on purpose."""
        if not self._working.get():
            yield
            return
        self._count(-1, held_back=1)
        try:
            yield
        finally:
            self._count(1, held_back=-1)

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds of this time; it takes none, unless whoever waits for us works meanwhile."""
        until = self.monotonic() + seconds
        await anyio.lowlevel.checkpoint()
        # Whoever was busy is so again before the limit is lifted, so that nothing slips in between.
        with self.not_beyond(until), self.held_back():
            while self.monotonic() < until:
                await anyio.sleep(_LOOK_EVERY_S)
                if self._is_deserted():  # nobody is left who could skip
                    self.advance(max(0.0, until - self.monotonic()))

    def _is_deserted(self) -> bool:
        pid: int = self._shared.pid
        try:
            return pid != 0 and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    def _monotonic_ns(self) -> int:
        moved: int = self._shared.skipped + self._shared.advanced
        return time.monotonic_ns() + moved

    def _count(self, busy: int, *, held_back: int = 0) -> None:
        with self._lock:
            self._shared.busy += busy
            self._shared.held_back += held_back

    def _limit(self, instant: int, *, lift: bool = False) -> None:
        with self._lock:
            self._limits.remove(instant) if lift else self._limits.append(instant)
            self._shared.not_beyond = min(self._limits, default=0)


def _build(library: Path) -> None:
    warnings = ("-Wall", "-Wextra", "-Werror")
    command: list[str | Path] = [
        "cc",
        "-shared",
        "-fPIC",
        "-O1",
        *warnings,
        "-o",
        library,
        *SOURCES,
        "-ldl",
        "-pthread",
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _to_ns(instant: datetime) -> int:
    return (instant - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1) * 1000


def _from_ns(instant: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=instant // 1000)
