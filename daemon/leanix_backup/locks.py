"""Never two at once: one `serve` per `state_dir`, one run per workspace and export, over all processes.

File locks in `state_dir/locks`; the kernel frees them when a process ends, however it ends. Beside each lies a note
of who holds it, for the message only: nothing is decided by it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import filelock

from leanix_backup.clock import Clock, format_utc
from leanix_backup.errors import BackupError, LockedError
from leanix_backup.files import make_folders
from leanix_backup.model import ExportType

_LOOK_EVERY_S = 0.5
SERVE = "serve"


def export_lock(workspace: str, export: ExportType) -> str:
    """Name the lock of one export of one workspace."""
    return f"{workspace}.{export.slug}"


@asynccontextmanager
async def hold(state_dir: Path, name: str, *, clock: Clock, doing: str, wait: bool) -> AsyncIterator[None]:
    """Hold a lock while the block runs.

    Args:
        state_dir: Where the locks lie.
        name: `SERVE`, or what `export_lock` says.
        clock: For the waiting, and for the note.
        doing: What is done under the lock, for whoever waits.
        wait: Whether to wait until it is free, or to fail.

    Raises:
        LockedError: Somebody holds it, and `wait` is false; the message says who.
        BackupError: `state_dir_unwritable`.
    """
    folder = state_dir / "locks"
    try:
        make_folders(folder)
        lock = filelock.FileLock(
            folder / f"{name}.lock", mode=0o600, is_singleton=False, thread_local=False, fallback_to_soft=False
        )
        while not _try(lock):
            if not wait:
                raise LockedError(
                    f"{name} is held by {_holder(folder, name)}",
                    hint="wait until it is done, or stop it" if name == SERVE else "leave out --no-wait to wait for it",
                )
            await clock.sleep(_LOOK_EVERY_S)
    except OSError as error:
        raise BackupError(
            f"the locks in {folder} can't be used ({error.strerror or type(error).__name__})",
            code="state_dir_unwritable",
            hint="state_dir must be a folder that this user can write, on a file system with locks",
        ) from error
    note = folder / f"{name}.holder"
    try:
        with suppress(OSError):
            _write_note(
                note,
                pid=os.getpid(),
                host=socket.gethostname(),
                since=format_utc(clock.utc_now()),
                doing=doing,
            )
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


def _try(lock: filelock.BaseFileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        return False
    return True


def _write_note(path: Path, **said: object) -> None:
    with open(path, "w", encoding="utf-8", opener=partial(os.open, mode=0o600)) as file:
        json.dump(said, file)


def _holder(folder: Path, name: str) -> str:
    try:
        note = json.loads((folder / f"{name}.holder").read_text())
        return f"process {note['pid']} on {note['host']} since {note['since']} ({note['doing']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
