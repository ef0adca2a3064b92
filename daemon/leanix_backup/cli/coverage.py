"""`coverage`: which stretches of the changelog are held, and which are missing."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
import typer

from leanix_backup.catalog import Backup
from leanix_backup.cli.common import AsJson, ConfigFile, configure_log, load_config, plain, print_json, require_known
from leanix_backup.cli.looking import AtDestination, OfWorkspace, read, tell_errors
from leanix_backup.clock import Clock, format_utc
from leanix_backup.config import Purpose
from leanix_backup.coverage import Coverage, cover
from leanix_backup.model import ExportType, Stretch


def coverage(
    context: typer.Context,
    workspace: OfWorkspace = None,
    destination: AtDestination = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show which stretches of the changelog are held, and which are missing between the oldest held and now."""
    config = load_config(context, config_file, Purpose.READ)
    configure_log(config)
    catalog = anyio.run(read, config, destination)
    names = {found.key.workspace for found in catalog.backups if found.key.export is ExportType.AUDIT_LOG}
    if workspace is not None:
        require_known("workspace", workspace, names | set(config.workspaces))
        names &= {workspace}
    now = Clock().utc_now()
    found = {name: cover(_windows(catalog.of(name, ExportType.AUDIT_LOG)), now=now) for name in sorted(names)}
    if as_json:
        workspaces = [
            {"workspace": name, "held": plain(each.held), "missing": plain(each.missing)}
            for name, each in found.items()
        ]
        print_json({"workspaces": workspaces, "errors": plain(catalog.errors)})
    else:
        for name, each in found.items():
            _show(name, each)
        if not found:
            typer.echo("no changelog is held")
    raise typer.Exit(tell_errors(catalog, as_json=as_json))


def _windows(backups: Iterable[Backup]) -> list[Stretch]:
    return [Stretch(found.key.start, found.key.taken_at) for found in backups if found.key.start is not None]


def _show(name: str, each: Coverage) -> None:
    typer.echo(name)
    lines = [("held", stretch) for stretch in each.held]
    lines += [("MISSING", stretch) for stretch in each.holes]
    for word, stretch in sorted(lines, key=lambda line: line[1].start):
        typer.echo(f"  {word:<8} {format_utc(stretch.start)} to {format_utc(stretch.end)}")
    if each.tail:
        typer.echo(f"  {'not yet':<8} {format_utc(each.tail.start)} to now: the next run asks for it")
