"""Looking at what lies at the destinations, and at what somebody means of it: what the commands that read share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

import typer

from leanix_backup.catalog import Backup, Catalog, is_start_of, read_catalog, select
from leanix_backup.cli.common import require_known, say, show_error
from leanix_backup.config import Config
from leanix_backup.destinations import open_stores
from leanix_backup.errors import EXIT_PARTIAL, UsageError
from leanix_backup.model import ExportType
from leanix_backup.naming import BackupKey
from leanix_backup.stores import NOT_MADE_YET, Store

OfWorkspace = Annotated[str | None, typer.Option("--workspace", metavar="NAME", help="Only this workspace.")]
OfExport = Annotated[
    str | None, typer.Option("--export", metavar="EXPORT", help="Only this export: snapshot, audit-log, archive.")
]
AtDestination = Annotated[str | None, typer.Option("--destination", metavar="NAME", help="Only this destination.")]


async def read(config: Config, destination: str | None) -> Catalog:
    """Read what lies at one destination, or at all of them."""
    catalog, _ = await look(config, destination)
    return catalog


async def look(config: Config, destination: str | None) -> tuple[Catalog, list[Store]]:
    """Read what lies at one destination, or at all of them, and say which stores were asked.

    Raises:
        UsageError: There is no such destination.
    """
    if destination is not None:
        require_known("destination", destination, config.destinations)
    stores = list(open_stores(config, [destination] if destination is not None else config.destinations).values())
    catalog = await read_catalog(stores)
    return catalog, stores


def choose(
    catalog: Catalog, selector: str, config: Config, *, halves: bool = False, unfound: int = EXIT_PARTIAL
) -> Backup:
    """Find the backup that somebody named, a hidden one too unless it is named by its time.

    Where there is none and a destination could not be read, it may be there: then the exit status says so.

    Args:
        catalog: What there is.
        selector: What somebody typed.
        config: Names workspaces, for the message.
        halves: Whether what lacks its file or its manifest everywhere may be named, too; it has no copies then. Not
            by its time either: the newest backup is a whole one.
        unfound: The exit status where it is not at those that could be read.

    Raises:
        UsageError: `no_such_backup`, `ambiguous_selector`.
    """
    by_time = "@" in selector
    backups = catalog.backups if by_time else (*catalog.backups, *catalog.hidden)
    alone = () if by_time else _alone(catalog)
    try:
        return select((*backups, *alone) if halves else backups, selector, known=config.workspaces)
    except UsageError as error:
        if error.code != "no_such_backup":
            raise
        if _is_among(alone, selector):
            error.hint = f"only half of it is there: see `leanix-backup verify {selector}`"
        if tell_errors(catalog, as_json=False):
            show_error(error)
            raise typer.Exit(unfound) from None
        raise


def _alone(catalog: Catalog) -> tuple[Backup, ...]:
    """List what is half everywhere, as backups without a copy."""
    whole = {found.key for found in (*catalog.backups, *catalog.hidden)}
    halves = {half.key: Backup(half.key, half.there.size_bytes, ()) for half in catalog.halves if half.key not in whole}
    return tuple(halves.values())


def _is_among(backups: Sequence[Backup], selector: str) -> bool:
    with suppress(UsageError):
        select(backups, selector)
        return True
    return False


def require_same_run(selector: str, run_id: str) -> None:
    """Refuse a selector of which only the first eight digits are this run's: a key holds no more of them.

    Raises:
        UsageError: `no_such_backup`.
    """
    if not is_start_of(selector, run_id):
        raise UsageError(f"no backup is {selector!r}", code="no_such_backup", hint=f"did you mean {run_id}?")


def filtered(catalog: Catalog, config: Config, workspace: str | None, export: str | None) -> Catalog:
    """Leave in a catalogue what is of this workspace and this export; None is any.

    Raises:
        UsageError: `unknown_workspace`, unless a destination that is down may know it; `unknown_export`.
    """
    kind = export_named(export)
    if workspace is not None:
        keys = [found.key for found in (*catalog.backups, *catalog.hidden)] + [half.key for half in catalog.halves]
        known = {key.workspace for key in keys} | set(config.workspaces)
        # A destination that is down may hold it; one that was not made yet holds nothing.
        if all(failed.error.code == NOT_MADE_YET for failed in catalog.errors):
            require_known("workspace", workspace, known)

    def chosen(key: BackupKey) -> bool:
        return workspace in (None, key.workspace) and kind in (None, key.export)

    return replace(
        catalog,
        backups=tuple(found for found in catalog.backups if chosen(found.key)),
        halves=tuple(half for half in catalog.halves if chosen(half.key)),
        hidden=tuple(found for found in catalog.hidden if chosen(found.key)),
    )


def tell_errors(catalog: Catalog, *, as_json: bool) -> int:
    """Say on standard error which destinations could not be read, and return the exit status that follows."""
    if not as_json:
        for failed in catalog.errors:
            say(f"error: {failed.destination}: {failed.error.message} [{failed.error.code}]", err=True)
            if failed.error.hint:
                say(f"  hint: {failed.error.hint}", err=True)
    return EXIT_PARTIAL if catalog.errors else 0


def export_named(text: str | None) -> ExportType | None:
    """Find the export that somebody named, None where nobody did.

    Raises:
        UsageError: `unknown_export`.
    """
    if text is None:
        return None
    kind = ExportType.from_slug(text.lower().replace("_", "-"))
    if kind is None:
        require_known("export", text, [member.slug for member in ExportType])
    return kind
