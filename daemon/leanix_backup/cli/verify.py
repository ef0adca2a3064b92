"""`verify`: read stored backups back, and say of each copy whether it is still what was stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from leanix_backup.catalog import Catalog
from leanix_backup.cli.common import (
    AsJson,
    ConfigFile,
    configure_log,
    load_config,
    plain,
    print_json,
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
    require_same_run,
    tell_errors,
)
from leanix_backup.clock import Clock
from leanix_backup.config import Config, Purpose
from leanix_backup.errors import EXIT_FAILED, EXIT_PARTIAL, UsageError

if TYPE_CHECKING:
    from leanix_backup.reading import Checked, Copy


def verify(
    context: typer.Context,
    backups: Annotated[
        list[str] | None,
        typer.Argument(metavar="BACKUP", help="Run ids, keys, or acme/snapshot@latest.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Read every backup back, not only the newest.")] = False,
    newest: Annotated[
        int | None,
        typer.Option("--newest", metavar="N", min=1, help="So many of the newest of each job at each destination."),
    ] = None,
    workspace: OfWorkspace = None,
    export: OfExport = None,
    destination: AtDestination = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Read stored backups back: SHA-256, workbook, manifest. The newest of each job unless told otherwise."""
    from leanix_backup.reading import copies_of, newest_of

    named = list(dict.fromkeys(backups or []))
    _require_one_way(named, every=every, newest=newest, filters=workspace is not None or export is not None)
    config = load_config(context, config_file, Purpose.READ)
    configure_log(config)

    async def work() -> tuple[Catalog, list[Checked]]:
        catalog, stores = await look(config, destination)
        chosen = _named(catalog, named, config) if named else filtered(catalog, config, workspace, export)
        copies = copies_of(chosen, stores)
        if not named and not every:
            copies = newest_of(copies, newest or config.verify.newest)
        return catalog, await _check(copies, config)

    catalog, checked = anyio.run(work)
    _require_same_runs(named, checked)
    if as_json:
        _print_json(catalog, checked)
    else:
        _print(catalog, checked)
    raise typer.Exit(_status(catalog, checked))


def _require_one_way(named: list[str], *, every: bool, newest: int | None, filters: bool) -> None:
    ways = [way for way, said in (("BACKUP", named), ("--all", every), ("--newest", newest is not None)) if said]
    if len(ways) > 1:
        raise UsageError(f"{' and '.join(ways)} do not go together", hint="give one of them")
    if named and filters:
        raise UsageError("BACKUP and --workspace or --export do not go together", hint="a BACKUP says both already")


def _named(catalog: Catalog, named: list[str], config: Config) -> Catalog:
    """Leave in a catalogue what was named, halves too."""
    keys = {choose(catalog, selector, config, halves=True).key for selector in named}
    return Catalog(
        tuple(found for found in catalog.backups if found.key in keys),
        catalog.errors,
        tuple(half for half in catalog.halves if half.key in keys),
        tuple(found for found in catalog.hidden if found.key in keys),
    )


async def _check(copies: list[Copy], config: Config) -> list[Checked]:
    from leanix_backup.cli.bars import bars
    from leanix_backup.reading import check_all, limits_of

    with bars() as shown:
        return await check_all(
            copies,
            limits=limits_of(config.verify),
            clock=Clock(),
            progress=lambda copy: shown.add(f"{copy.store.name}: {copy.key.name}"),
        )


def _require_same_runs(named: list[str], checked: list[Checked]) -> None:
    """Refuse what was named with more digits than a key has, where those are another run's."""
    for selector in named:
        start = selector.lower().replace("-", "")
        for each in checked:
            if each.manifest is not None and start.startswith(each.manifest.run_id[:8]):
                require_same_run(selector, each.manifest.run_id)


def _print_json(catalog: Catalog, checked: list[Checked]) -> None:
    known = [
        {"destination": each.destination, "key": each.key, "ok": each.ok, "error": plain(each.error)}
        for each in checked
        if not each.unread
    ]
    unread = [
        {"destination": each.destination, "key": each.key, "error": plain(each.error)}
        for each in checked
        if each.unread
    ]
    print_json({"checked": known, "errors": [*plain(catalog.errors), *unread]})


def _print(catalog: Catalog, checked: list[Checked]) -> None:
    rows = [("ok" if each.ok else "not read" if each.unread else "BAD", each.destination, each.key) for each in checked]
    if rows:
        table(("result", "where", "backup"), rows, whole=("result", "where"))
    else:
        say("no backups" if not catalog.errors else "no backups were found at what could be read")
    for (message, code, hint, *_), where in _by_reason(checked).items():
        also = f" and {len(where) - 1} more" if len(where) > 1 else ""
        say(f"error: {where[0].destination}: {where[0].key}{also}: {message} [{code}]", err=True)
        say(f"  hint: {hint}", err=True)
    tell_errors(catalog, as_json=False)


def _by_reason(checked: list[Checked]) -> dict[tuple[str, str, str, str, str], list[Checked]]:
    """Group what went wrong: each bad copy for itself, and those together that one and the same reason left unread."""
    found: dict[tuple[str, str, str, str, str], list[Checked]] = {}
    for each in checked:
        if each.error is not None:
            alone = "" if each.unread else each.key
            reason = (each.error.message, each.error.code, each.error.hint, each.destination, alone)
            found.setdefault(reason, []).append(each)
    return found


def _status(catalog: Catalog, checked: list[Checked]) -> int:
    """Bad copies, and a machine without room to look, outweigh a destination that is down."""
    troubled = [each.error.code for each in checked if each.error is not None and each.unread]
    if any(not each.ok and not each.unread for each in checked) or any(code.startswith("temp_") for code in troubled):
        return EXIT_FAILED
    return EXIT_PARTIAL if troubled or catalog.errors else 0
