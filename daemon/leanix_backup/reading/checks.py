"""Reading copies back one after the other, and what each came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from leanix_backup.clock import Clock
from leanix_backup.config import VerifyLimits
from leanix_backup.errors import BackupError, DamagedError
from leanix_backup.model import Failure, Manifest
from leanix_backup.workbook import Limits

from . import faults
from .copies import Copy
from .proof import Progress, prove
from .scratch import unnamed_file

_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Checked:
    """What reading one copy back came to.

    `unread` is true where nothing is known of the copy: its destination did not answer, or this machine had no room.
    `manifest` is there where the copy is good.
    """

    destination: str
    key: str
    error: Failure | None = None
    unread: bool = False
    manifest: Manifest | None = None
    duration_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the copy is good."""
        return self.error is None


def limits_of(settings: VerifyLimits) -> Limits:
    """Say how large a workbook may be, as configured."""
    return Limits(max_members=settings.max_members, max_unpacked=settings.max_unpacked, max_ratio=settings.max_ratio)


async def check(
    copy: Copy,
    *,
    limits: Limits,
    clock: Clock,
    progress: Progress = lambda _done, _of: None,
    temp_folder: Path | None = None,
) -> Checked:
    """Read one copy back; what is wrong with it is said in the answer.

    Args:
        copy: What to read back.
        limits: How large a workbook may be once unpacked.
        clock: The time.
        progress: Told how far it is, also from another thread.
        temp_folder: Where the bytes are while they are proved, in a file without a name; TMPDIR unless given.
    """
    since = clock.monotonic()
    name, place = copy.name, copy.store.name
    try:
        with unnamed_file(temp_folder) as file:
            proved = await prove(copy, file, limits=limits, now=clock.utc_now(), progress=progress)
        if copy.hidden is not None:
            raise faults.hidden(place)
    except DamagedError as error:
        if copy.sound and error.code in ("manifest_missing", "file_missing") and await _is_gone(copy):
            gone = Failure("not_stored", f"it is not at {place} any more", "it was removed while this was going on")
            return Checked(place, name, gone, unread=True)
        failure = Failure(error.code, error.message, error.hint)
        return Checked(place, name, failure, duration_s=clock.monotonic() - since)
    except BackupError as error:
        return Checked(place, name, Failure(error.code, error.message, error.hint), unread=True)
    return Checked(place, name, manifest=proved.manifest, duration_s=clock.monotonic() - since)


async def check_all(
    copies: Sequence[Copy],
    *,
    limits: Limits,
    clock: Clock,
    progress: Callable[[Copy], Progress] = lambda _copy: lambda _done, _of: None,
    checked: Callable[[Checked], None] = lambda _checked: None,
    temp_folder: Path | None = None,
) -> list[Checked]:
    """Read copies back, two at a time.

    Args:
        copies: What to read back.
        limits: How large a workbook may be once unpacked.
        clock: The time.
        progress: Asked for a copy's progress when its turn comes.
        checked: Told of each as it is done.
        temp_folder: See `check`.

    Returns:
        What each came to, in the order of `copies`.
    """
    results: dict[int, Checked] = {}
    queue: Iterator[tuple[int, Copy]] = iter(enumerate(copies))

    async def work() -> None:
        for number, copy in queue:
            results[number] = await check(
                copy, limits=limits, clock=clock, progress=progress(copy), temp_folder=temp_folder
            )
            checked(results[number])

    async with anyio.create_task_group() as group:
        for _ in range(_AT_ONCE):
            group.start_soon(work)
    return [results[number] for number in sorted(results)]


async def _is_gone(copy: Copy) -> bool:
    """Say whether neither file nor manifest is there any more."""
    try:
        async for entry in copy.store.scan(copy.key.folder):
            if entry.key in (copy.key.artifact, copy.key.manifest):
                return False
    except BackupError:
        return False
    return True
