"""Which key a run's backup gets, from what the ledger knows of the run. Pure."""

from __future__ import annotations

from leanix_backup.ledger import Entry
from leanix_backup.naming import BackupKey, backup_key


def key_of(entry: Entry) -> BackupKey:
    """Name the backup of a run whose export was found."""
    if entry.export_created_at is None:
        raise AssertionError("a run without an export has no backup")
    window = entry.window
    return backup_key(
        entry.workspace,
        entry.export,
        run_id=entry.run_id,
        taken_at=window.end if window else entry.export_created_at,
        window_start=window.start if window else None,
    )
