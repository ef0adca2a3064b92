"""What a process that is not there any more left: files in the spool, runs, shipments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from leanix_backup import locks
from leanix_backup.clock import Clock
from leanix_backup.config import Config
from leanix_backup.errors import LockedError, Problem
from leanix_backup.events import Event, Log, context
from leanix_backup.ledger import Entry, Ledger, Shipment
from leanix_backup.run import end_stray
from leanix_backup.spool import Artifact, Spool


async def sweep(spool: Spool, ledger: Ledger, *, aside: Path, log: Log) -> None:
    """Clear from the spool what lies at every destination, and set aside what the ledger does not explain."""
    there = spool.run_ids()  # before the ledger is asked: a run is in the ledger before it is in the spool
    for run_id in sorted(there - await ledger.open_run_ids()):
        shipments = await ledger.shipments(run_id)
        if shipments and all(each.stored_at for each in shipments):
            spool.drop(Artifact(spool.path_of(run_id), 0, ""))
        kept = spool.clear(run_id, aside=aside)
        if kept is not None:
            with context(run_id=run_id):
                log.emit(Event.ARTIFACT_SET_ASIDE, kept_at=kept)


async def end_strays(config: Config, ledger: Ledger, *, clock: Clock, log: Log) -> None:
    """End the runs that a process left of jobs that are not there any more: nobody could go on with them.

    Raises:
        BackupError: The ledger can't be used.
    """
    for entry in await ledger.all_unfinished():
        job = config.jobs.get(entry.job)
        if job is not None and (job.workspace, job.export) == (entry.workspace, entry.export):
            continue
        name = locks.export_lock(entry.workspace, entry.export)
        with suppress(LockedError):  # a process with another configuration works on it
            async with locks.hold(config.state_dir, name, clock=clock, doing="ending a run that was left", wait=False):
                left = await ledger.entry(entry.run_id)
                if left is not None and left.outcome is None:
                    await end_stray(left, ledger, clock=clock, log=log)


def stranded(config: Config, owed: Iterable[tuple[Entry, Shipment]]) -> Iterator[Problem]:
    """Find what stays in the spool for ever, as no job ships it any more."""
    found: dict[tuple[str, str], int] = {}
    for entry, shipment in owed:
        job = config.jobs.get(entry.job)
        if job is None or shipment.destination not in job.destinations:
            place = (entry.job, shipment.destination)
            found[place] = found.get(place, 0) + 1
    for (job_name, destination), count in found.items():
        yield Problem(
            f"jobs.{job_name}",
            f"{count} of its artifacts wait in the spool for {destination}, and no job ships them there any more",
            "configure the job and the destination as they were, until backup_stored says that they arrived",
        )
