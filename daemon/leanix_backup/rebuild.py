"""Open the ledger; where it is lost or damaged, begin it anew from what lies at the destinations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from leanix_backup import catalog
from leanix_backup.clock import Clock
from leanix_backup.config import Config
from leanix_backup.errors import BackupError
from leanix_backup.events import Event, Log
from leanix_backup.ledger import FILE_NAME, Ledger, LedgerBrokenError
from leanix_backup.model import Manifest, Trigger
from leanix_backup.stores import NOT_MADE_YET, Store


@asynccontextmanager
async def open_ledger(config: Config, stores: Iterable[Store], *, clock: Clock, log: Log) -> AsyncIterator[Ledger]:
    """Open the ledger of a `state_dir`.

    A damaged file is moved aside, never removed. A new ledger learns from the newest manifests which workspace is
    which, and up to when each job's schedule was answered, so that nothing is run twice. Where a destination can't be
    read, the next start asks it again.

    Raises:
        BackupError: `ledger_unusable`, `ledger_too_new`.
    """
    path = config.state_dir / FILE_NAME
    async with AsyncExitStack() as stack:
        aside: Path | None = None
        try:
            ledger = await stack.enter_async_context(Ledger(path))
        except LedgerBrokenError:
            aside = _set_aside(path, clock)
            ledger = await stack.enter_async_context(Ledger(path))
        if await ledger.is_new():
            learned, whole = await _learn(ledger, config, stores)
            if whole:
                await ledger.note_learned()
            if learned or aside is not None:
                log.emit(Event.LEDGER_REBUILT, manifests=learned, kept_at=aside)
        yield ledger


async def _learn(ledger: Ledger, config: Config, stores: Iterable[Store]) -> tuple[int, bool]:
    """Write what the newest manifests say into a new ledger; return how many there were, and whether that was all."""
    learned, whole = 0, True
    for store in stores:
        known = await catalog.read_catalog([store])
        whole = whole and all(failed.error.code == NOT_MADE_YET for failed in known.errors)
        newest = {(found.key.workspace, found.key.export): found for found in known.backups}
        for found in newest.values():
            try:
                manifest = await catalog.read_manifest(store, found.key)
            except BackupError:  # it can't be read: an older one, or another destination, tells the same
                continue
            learned += 1
            await ledger.pin(manifest.workspace.name, manifest.workspace.id)
            await _learn_schedule(ledger, config, manifest)
    return learned, whole


async def _learn_schedule(ledger: Ledger, config: Config, manifest: Manifest) -> None:
    if manifest.job in config.jobs and manifest.trigger in (Trigger.SCHEDULE, Trigger.CATCH_UP):
        await ledger.answer(manifest.job, manifest.scheduled_at)


def _set_aside(path: Path, clock: Clock) -> Path:
    aside = path.with_name(f"{path.name}.broken-{clock.utc_now():%Y%m%dT%H%M%SZ}")
    path.rename(aside)
    journal = path.with_name(f"{path.name}-journal")
    with suppress(FileNotFoundError):  # it belongs to the damaged file, and would be applied to the new one
        journal.rename(path.with_name(f"{aside.name}-journal"))
    return aside
