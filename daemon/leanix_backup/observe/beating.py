"""The beat of a running service: its event loop says every few seconds that it still turns."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
from anyio.to_thread import run_sync

from leanix_backup.clock import Clock
from leanix_backup.observe.health import BEAT_EVERY_S, Beat, boot_id, remove_beat, started_at, write_beat


@asynccontextmanager
async def beating(state_dir: Path, clock: Clock) -> AsyncIterator[None]:
    """Leave a beat in `state_dir` every few seconds while the block runs, and none after it.

    A beat that can't be written ends nothing: `health` sees it, and whatever keeps it from being written is told by
    those that need the folder more. What the block raises is raised as it is, not in a group.
    """
    failure: BaseException | None = None
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_beat, str(state_dir), clock)
            try:
                yield
            except BaseException as error:
                failure = error
                raise
            finally:
                tasks.cancel_scope.cancel()
    except BaseExceptionGroup:
        if failure is None:
            raise
    finally:
        remove_beat(str(state_dir))
    if failure is not None:
        raise failure


async def _beat(state_dir: str, clock: Clock) -> None:
    pid, boot = os.getpid(), boot_id()
    started = started_at(pid) or ""
    while True:
        with suppress(OSError):
            # In a thread, as a network's file system that hangs must not hang the loop; one that does stops the beat.
            beat = Beat(clock.monotonic(), pid, started, boot)
            await run_sync(write_beat, state_dir, beat, abandon_on_cancel=True)
        await clock.sleep(BEAT_EVERY_S)
