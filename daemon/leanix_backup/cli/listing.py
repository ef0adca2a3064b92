"""`list` and `show`: what there is, as the destinations say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import anyio
import typer

from leanix_backup.catalog import Backup, Catalog, read_manifest
from leanix_backup.cli.common import (
    AsJson,
    ConfigFile,
    configure_log,
    human_size,
    load_config,
    plain,
    print_json,
    printable,
    say,
    table,
)
from leanix_backup.cli.looking import (
    AtDestination,
    OfExport,
    OfWorkspace,
    choose,
    filtered,
    look,
    read,
    require_same_run,
    tell_errors,
)
from leanix_backup.clock import format_utc
from leanix_backup.config import Config, Purpose
from leanix_backup.errors import EXIT_FAILED, BackupError
from leanix_backup.model import FailedCopy, Failure, Manifest
from leanix_backup.stores import Store


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
    catalog = filtered(anyio.run(read, config, destination), config, workspace, export)
    chosen = sorted((*catalog.backups, *catalog.hidden), key=lambda found: (found.key.taken_at, found.key.artifact))
    if as_json:
        backups = [
            {
                "run_id": found.key.run8,
                "workspace": found.key.workspace,
                "export": found.key.export,
                "taken_at": found.key.taken_at,
                "size_bytes": found.size_bytes,
                "copies": plain(found.copies),
                "hidden": _hidden(found),
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
                ", ".join(
                    [copy.destination for copy in found.copies]
                    + [f"{copy.destination} (hidden)" for copy in found.hidden]
                ),
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
    status = tell_errors(catalog, as_json=as_json)
    raise typer.Exit(_tell_hidden(chosen, as_json=as_json) or status)


def show_backup(
    context: typer.Context,
    backup: Annotated[str, typer.Argument(metavar="BACKUP", help="A run id, a key, or acme/snapshot@latest.")],
    workspace: OfWorkspace = None,
    export: OfExport = None,
    destination: AtDestination = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show what is known of one backup: its manifest, and where it lies."""
    config = load_config(context, config_file, Purpose.READ)
    configure_log(config)

    async def work() -> tuple[Backup, Catalog, Manifest | None]:
        catalog, stores = await look(config, destination)
        return await _find(config, filtered(catalog, config, workspace, export), stores, backup)

    found, catalog, manifest = anyio.run(work)
    if manifest is None:
        tell_errors(catalog, as_json=False)
        raise BackupError("no copy of its manifest can be read", code="manifest_invalid", hint="see the errors above")
    require_same_run(backup, manifest.run_id)
    if as_json:
        print_json(
            {
                "manifest": plain(manifest),
                "copies": plain(found.copies),
                "hidden": _hidden(found),
                "errors": plain(catalog.errors),
            }
        )
    else:
        _print_manifest(manifest)
        for each in found.copies:
            say(f"stored at     {each.destination}: {each.key}")
    status = tell_errors(catalog, as_json=as_json)
    raise typer.Exit(_tell_hidden([found], as_json=as_json) or status)


async def _find(
    config: Config, catalog: Catalog, stores: Sequence[Store], backup: str
) -> tuple[Backup, Catalog, Manifest | None]:
    """Find a backup, and read the first manifest of it that is a good one.

    What is wrong with the manifests before that one is among the catalogue's errors.
    """
    found = choose(catalog, backup, config)
    known = {store.name: store for store in stores}
    versions: list[tuple[str, str | None]] = [(copy.destination, None) for copy in found.copies]
    versions += [(copy.destination, copy.manifest_version) for copy in found.hidden]
    failed: list[FailedCopy] = []
    manifest = None
    for name, version in versions:
        try:
            manifest = await read_manifest(known[name], found.key, version=version)
            break
        except BackupError as error:
            failed.append(FailedCopy(name, Failure(error.code, error.message, error.hint)))
    return found, replace(catalog, errors=(*catalog.errors, *failed)), manifest


def _hidden(found: Backup) -> list[dict[str, str]]:
    return [{"destination": copy.destination, "key": copy.key} for copy in found.hidden]


def _tell_hidden(backups: Iterable[Backup], *, as_json: bool) -> int:
    """Say on standard error which copies somebody deleted, and return the exit status that follows."""
    hidden = [copy for found in backups for copy in found.hidden]
    if not as_json:
        for copy in hidden:
            say(f"error: {copy.destination}: {copy.key} is hidden by a delete marker [backup_hidden]", err=True)
        if hidden:
            say("  hint: somebody deleted it; `leanix-backup fetch` still brings it back", err=True)
    return EXIT_FAILED if hidden else 0


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
