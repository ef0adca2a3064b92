"""One simulated workspace at work: its world, its exports, and the files that are made of them."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import anyio
from anyio import CapacityLimiter, create_memory_object_stream, to_thread
from anyio.abc import TaskGroup

from leanix_backup.model import ExportType, Stretch
from leanix_backup.simulator import workbooks
from leanix_backup.simulator.changelog import Entry
from leanix_backup.simulator.clock import SimClock
from leanix_backup.simulator.exports import Export, ExportBook
from leanix_backup.simulator.settings import WorkspaceSettings
from leanix_backup.simulator.switches import Switches
from leanix_backup.simulator.world import Cut, World

DEFAULT_WINDOW = timedelta(days=30)
_T = TypeVar("_T")


class SimulatedWorkspace:
    """Keep a world in step with the clock and turn cuts of it into workbooks.

    The world is built when it is first needed and is touched by one task alone (`run`), which works off a queue in the
    order of world time: every look at the world is at exactly the instant that it was asked for.

    Attributes:
        settings: What it was made of; replaced when its API token is.
        book: Its exports.
    """

    def __init__(
        self, settings: WorkspaceSettings, clock: SimClock, switches: Switches, *, start: datetime, folder: Path
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._switches = switches
        self._start = start
        self._folder = folder
        self._stop = Event()
        self._world: World | None = None
        self._asked_at = start
        self._writers = CapacityLimiter(2)
        self._jobs, self._todo = create_memory_object_stream[
            tuple[datetime, Callable[[World], Any], Callable[[Any], None]]
        ](math.inf)
        self._tasks: TaskGroup | None = None
        self.book = ExportBook(clock, switches, self._cut, random.Random(f"{settings.seed}/{settings.name}/exports"))

    async def run(self) -> None:
        """Work until cancelled or stopped."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            with self._todo:
                async for at, look, done in self._todo:
                    try:
                        with self._clock.timing.working():
                            result = await to_thread.run_sync(self._at, at, look, limiter=self._writers)
                    except InterruptedError:
                        return
                    done(result)

    def stop(self) -> None:
        """Let whatever is being made break off soon."""
        self._stop.set()
        self._jobs.close()

    def settle(self) -> datetime:
        """Bring the exports to where they stand, and return the world's time."""
        now = self._clock.now()
        self.book.settle(now)
        for export in self.book.exports:
            if export.gone and export.file is not None:
                export.file.unlink(missing_ok=True)  # a transfer that has begun keeps its open file
                export.file = None
        return now

    async def look(self, look: Callable[[World], _T]) -> _T:
        """Look at the world as it is now; `look` runs in a thread and must not keep or change what it sees."""
        now = self.settle()
        seen: list[_T] = []
        ready = anyio.Event()

        def done(result: _T) -> None:
            seen.append(result)
            ready.set()

        self._ask(now, look, done)
        await ready.wait()
        return seen[0]

    def _cut(self, export: Export) -> None:
        """Ask for the cut that an export shows; it is made at the row's own `createdAt`."""
        if export.created_at is None:
            raise AssertionError("only a row has an instant to cut at")
        export.created_at = max(export.created_at, self._asked_at)
        kind, window, at = export.type, export.window, export.created_at

        def look(world: World) -> Cut | list[Entry]:
            if kind is ExportType.AUDIT_LOG:
                asked = window or Stretch(at - DEFAULT_WINDOW, at)
                return world.changes(
                    asked.start,
                    asked.end,
                    start_inclusive=self._switches.audit_start_inclusive,
                    end_inclusive=self._switches.audit_end_inclusive,
                )
            return world.archive() if kind is ExportType.ARCHIVE else world.snapshot()

        def done(content: Cut | list[Entry]) -> None:
            if self._tasks is not None:
                self._tasks.start_soon(self._make, export, content)

        self._ask(at, look, done)

    def _ask(self, at: datetime, look: Callable[[World], Any], done: Callable[[Any], None]) -> None:
        if self._stop.is_set():
            return  # whoever asked is being cut off
        self._asked_at = at
        self._jobs.send_nowait((at, look, done))

    def _at(self, at: datetime, look: Callable[[World], Any]) -> Any:
        if self._world is None:
            self._world = World(self.settings, self._start, stopped=self._stop.is_set)
        self._world.advance(at)
        return look(self._world)

    async def _make(self, export: Export, content: Cut | list[Entry]) -> None:
        """Write an export's workbook; the row can be COMPLETED once that is done."""
        path = self._folder / f"{uuid.uuid4()}.xlsx"
        skew = self._clock.skew

        def write() -> None:
            if isinstance(content, Cut):
                workbooks.write_cut(path, content, stopped=self._stop.is_set)
            else:
                workbooks.write_changes(
                    path, content, labels_only=export.labels_only, skew=skew, stopped=self._stop.is_set
                )
            if export.padding_bytes:
                workbooks.pad(path, export.padding_bytes, stopped=self._stop.is_set)

        try:
            with self._clock.timing.working():
                await to_thread.run_sync(write, limiter=self._writers)
        except InterruptedError:
            return
        export.file = path
        export.ready_at = self._clock.now()
        self.settle()
