"""`list` and `show`: what there is, as the destinations say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import anyio
import typer

from leanix_backup.catalog import Backup, Catalog, read_catalog, read_manifest, select
from leanix_backup.cli.common import (
    AsJson,
    ConfigFile,
    configure_log,
    human_size,
    load_config,
    plain,
    print_json,
    printable,
    require_known,
    table,
)
from leanix_backup.clock import format_utc
from leanix_backup.config import Config, Purpose
from leanix_backup.destinations import open_store
from leanix_backup.errors import EXIT_PARTIAL, BackupError, StoreError, UsageError
from leanix_backup.model import ExportType, FailedCopy, Failure, Manifest
from leanix_backup.stores import NOT_MADE_YET, Store

OfWorkspace = Annotated[str | None, typer.Option("--workspace", metavar="NAME", help="Only this workspace.")]
OfExport = Annotated[
    str | None, typer.Option("--export", metavar="EXPORT", help="Only this export: snapshot, audit-log, archive.")
]
AtDestination = Annotated[str | None, typer.Option("--destination", metavar="NAME", help="Only this destination.")]


def list_backups(
    context: typer.Context,
    workspace: OfWorkspace = None,
    export: OfExport = None,
    destination: AtDestination = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """List the backups at all destinations."""
    config = load_config(context, config_file, Purpose.READ)
    configure_log(config)
    kind = _export(export)
    catalog = anyio.run(read, config, destination)
    if workspace is not None:
        known = {found.key.workspace for found in catalog.backups} | set(config.workspaces)
        # A destination that is down may hold it; one that was not made yet holds nothing.
        if all(failed.error.code == NOT_MADE_YET for failed in catalog.errors):
            require_known("workspace", workspace, known)
    chosen = [
        found
        for found in catalog.backups
        if workspace in (None, found.key.workspace) and kind in (None, found.key.export)
    ]
    if as_json:
        backups = [
            {
                "run_id": found.key.run8,
                "workspace": found.key.workspace,
                "export": found.key.export,
                "taken_at": found.key.taken_at,
                "size_bytes": found.size_bytes,
                "copies": plain(found.copies),
            }
            for found in chosen
        ]
        print_json({"backups": backups, "errors": plain(catalog.errors)})
    else:
        rows = [
            (
                found.key.run8,
                found.key.workspace,
                found.key.export.slug,
                format_utc(found.key.taken_at),
                human_size(found.size_bytes),
                ", ".join(copy.destination for copy in found.copies),
            )
            for found in chosen
        ]
        if rows:
            table(
                ("run", "workspace", "export", "taken at", "size", "where"),
                rows,
                right=("size",),
                whole=("run", "taken at"),
            )
        else:
            typer.echo("no backups" if not catalog.errors else "no backups were found at what could be read")
    raise typer.Exit(tell_errors(catalog, as_json=as_json))


def show_backup(
    context: typer.Context,
    backup: Annotated[str, typer.Argument(metavar="BACKUP", help="A run id, a key, or acme/snapshot@latest.")],
    destination: AtDestination = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show what is known of one backup: its manifest, and where it lies."""
    config = load_config(context, config_file, Purpose.READ)
    configure_log(config)
    catalog = anyio.run(read, config, destination)
    try:
        found = select(catalog.backups, backup, known=config.workspaces)
    except UsageError:
        tell_errors(catalog, as_json=False)
        raise
    manifest, unreadable = anyio.run(_manifest, config, found)
    errors = (*catalog.errors, *unreadable)
    catalog = Catalog(catalog.backups, errors)
    if manifest is None:
        tell_errors(catalog, as_json=False)
        raise BackupError("no copy of its manifest can be read", code="manifest_invalid", hint="see the errors above")
    if "@" not in backup and "/" not in backup and not _is_start(backup, manifest.run_id):
        raise UsageError(f"no backup is {backup!r}", code="no_such_backup", hint=f"did you mean {manifest.run_id}?")
    if as_json:
        print_json({"manifest": plain(manifest), "copies": plain(found.copies), "errors": plain(catalog.errors)})
    else:
        _print_manifest(manifest)
        for each in found.copies:
            typer.echo(f"stored at     {each.destination}: {each.key}")
    raise typer.Exit(tell_errors(catalog, as_json=as_json))


async def read(config: Config, destination: str | None) -> Catalog:
    """Read what lies at one destination, or at all of them."""
    if destination is not None:
        require_known("destination", destination, config.destinations)
    stores, errors = _open(config, destination)
    catalog = await read_catalog(stores)
    return Catalog(catalog.backups, (*catalog.errors, *errors))


async def _manifest(config: Config, found: Backup) -> tuple[Manifest | None, list[FailedCopy]]:
    """Read the manifest of the first copy that has a good one; also what is wrong with those before it."""
    failed: list[FailedCopy] = []
    for copy in found.copies:
        store = open_store(copy.destination, config.destinations[copy.destination])
        try:
            return await read_manifest(store, found.key), failed
        except BackupError as error:
            failed.append(FailedCopy(copy.destination, Failure(error.code, error.message, error.hint)))
    return None, failed


def _is_start(text: str, run_id: str) -> bool:
    return run_id.replace("-", "").startswith(text.lower().replace("-", ""))


def _open(config: Config, only: str | None) -> tuple[list[Store], list[FailedCopy]]:
    stores: list[Store] = []
    errors: list[FailedCopy] = []
    for name, destination in config.destinations.items():
        if only not in (None, name):
            continue
        try:
            stores.append(open_store(name, destination))
        except StoreError as error:
            errors.append(FailedCopy(name, Failure(error.code, error.message, error.hint)))
    return stores, errors


def _export(text: str | None) -> ExportType | None:
    if text is None:
        return None
    kind = ExportType.from_slug(text.lower().replace("_", "-"))
    if kind is None:
        require_known("export", text, [member.slug for member in ExportType])
    return kind


def tell_errors(catalog: Catalog, *, as_json: bool) -> int:
    """Say on standard error which destinations could not be read, and return the exit status that follows."""
    if not as_json:
        for failed in catalog.errors:
            typer.echo(f"error: {failed.destination}: {failed.error.message}\n  hint: {failed.error.hint}", err=True)
    return EXIT_PARTIAL if catalog.errors else 0


def _print_manifest(manifest: Manifest) -> None:
    window = manifest.window
    lines: Mapping[str, str] = {
        "run": manifest.run_id,
        "job": f"{manifest.job} ({manifest.trigger})",
        "workspace": f"{manifest.workspace.name} ({manifest.workspace.id}, {manifest.workspace.url})",
        "export": f"{manifest.export.type} {manifest.export.id}, made {format_utc(manifest.export.created_at)}",
        "window": f"{format_utc(window.start)} to {format_utc(window.end)}" if window else "",
        "file": f"{manifest.file.name}, {human_size(manifest.file.size_bytes)}",
        "sha256": manifest.file.sha256,
        "run time": f"{format_utc(manifest.started_at)} to {format_utc(manifest.finished_at)}, "
        f"attempt {manifest.attempts}, on {manifest.host}",
        "made by": f"{manifest.tool.name} {manifest.tool.version}",
    }
    for name, value in lines.items():
        if value:
            typer.echo(f"{name:<13} {printable(value)}")
    counts = manifest.content.fact_sheets
    typer.echo(f"{'fact sheets':<13} {sum(counts.values()):,}")
    for kind, count in sorted(counts.items()):
        typer.echo(f"{'':<13}   {kind}: {count:,}")
    for sheet in manifest.content.sheets:
        if sheet.name not in counts:
            typer.echo(f"{'sheet':<13} {sheet.name}: {sheet.rows:,} rows")
