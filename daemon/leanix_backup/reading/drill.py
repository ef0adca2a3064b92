"""Reading back as the service does it: the newest of everything, with a line in the log for each copy."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from leanix_backup.catalog import read_catalog
from leanix_backup.clock import Clock
from leanix_backup.events import Event, Log, context
from leanix_backup.stores import Store
from leanix_backup.workbook import Limits

from . import faults
from .checks import Checked, check_all
from .copies import age_of, copies_of, newest_of


async def check_newest(
    stores: Iterable[Store], count: int, *, limits: Limits, clock: Clock, log: Log, temp_folder: Path | None = None
) -> list[Checked]:
    """Read the newest backups of each export of each workspace at each destination back, and log what that came to.

    What is a half for less than a day is left out: it may be a backup that is just being stored.

    Args:
        stores: The destinations.
        count: How many of each.
        limits: How large a workbook may be once unpacked.
        clock: The time.
        log: Gets `backup_verified`, `backup_damaged` or `backup_not_checked` for each copy, and `destination_failed`
            for a destination that could not be listed.
        temp_folder: See `check`.
    """
    stores = list(stores)
    catalog = await read_catalog(stores)
    for failed in catalog.errors:
        said = failed.error
        log.emit(
            Event.DESTINATION_FAILED,
            destination=failed.destination,
            error_code=said.code,
            error=said.message,
            hint=said.hint or None,
        )
    now = clock.utc_now()
    copies = [
        copy
        for copy in copies_of(catalog, stores)
        if copy.half is None or age_of(copy.half, now) >= faults.BEING_STORED
    ]
    return await check_all(
        newest_of(copies, count),
        limits=limits,
        clock=clock,
        checked=functools.partial(_log, log),
        temp_folder=temp_folder,
    )


def _log(log: Log, checked: Checked) -> None:
    manifest, error = checked.manifest, checked.error
    if manifest is not None:
        with context(
            run_id=manifest.run_id,
            job=manifest.job,
            workspace=manifest.workspace.name,
            export=manifest.export.type.value,
        ):
            log.emit(
                Event.BACKUP_VERIFIED,
                destination=checked.destination,
                key=checked.key,
                size_bytes=manifest.file.size_bytes,
                sha256=manifest.file.sha256,
                duration_s=round(checked.duration_s, 3),
            )
    elif error is not None:
        if checked.unread:
            log.emit(
                Event.BACKUP_NOT_CHECKED,
                destination=checked.destination,
                key=checked.key,
                error_code=error.code,
                error=error.message,
                hint=error.hint or None,
            )
        else:
            log.emit(
                Event.BACKUP_DAMAGED,
                destination=checked.destination,
                key=checked.key,
                error_code=error.code,
                error=error.message,
                hint=error.hint or None,
            )
