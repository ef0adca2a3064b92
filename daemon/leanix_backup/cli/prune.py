"""`prune`: retention now, with the reason beside every backup that stays or goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer

from leanix_backup.catalog import read_catalog
from leanix_backup.cli.common import (
    AsJson,
    ConfigFile,
    configure_log,
    load_config,
    plain,
    print_json,
    require_known,
    say,
    table,
)
from leanix_backup.cli.looking import AtDestination, OfExport, OfWorkspace, export_named
from leanix_backup.clock import Clock, format_utc
from leanix_backup.config import Config, Mistake, Purpose, parse_span
from leanix_backup.destinations import open_stores
from leanix_backup.errors import EXIT_FAILED, EXIT_PARTIAL, UsageError
from leanix_backup.events import Log
from leanix_backup.model import ExportType, FailedCopy, RetentionSpan
from leanix_backup.pruning import Place, Scope, Sweep, retired_scope, scopes_of
from leanix_backup.stores import Store

if TYPE_CHECKING:
    from leanix_backup.ledger import Ledger


def prune(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")] = False,
    retired: Annotated[
        bool, typer.Option("--retired", help="Prune what jobs left that are gone: only delete_after counts.")
    ] = False,
    delete_after: Annotated[
        str | None,
        typer.Option("--delete-after", metavar="SPAN", help="With --retired: the age after which they go, such as 6y."),
    ] = None,
    workspace: OfWorkspace = None,
    export: OfExport = None,
    destination: AtDestination = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Delete what retention does not keep, at every destination that may be pruned by this command."""
    if delete_after is not None and not retired:
        raise UsageError("--delete-after goes with --retired", hint="jobs say theirs under `retention`")
    ceiling = _span(delete_after) if delete_after else None
    config = load_config(context, config_file, Purpose.READ)
    configure_log(config)
    if destination is not None:
        require_known("destination", destination, config.destinations)
    if workspace is not None and not retired:
        require_known("workspace", workspace, {job.workspace for job in config.jobs.values()})
    if retired and not config.jobs:
        raise UsageError(
            "no job is configured, so that every backup would count as a retired job's",
            hint="give this command the service's configuration",
        )
    kind = export_named(export)

    def meant(scope: Scope) -> bool:
        return (
            workspace in (None, scope.workspace)
            and kind in (None, scope.export)
            and destination in (None, scope.destination)
        )

    async def work() -> tuple[list[Place], list[FailedCopy]]:
        stores = open_stores(config, [destination] if destination else sorted(config.destinations))
        scopes, errors = list(scopes_of(config)), list[FailedCopy]()
        if retired:
            scopes, errors = await _retired(config, stores, ceiling)
        async with _ledger(config, dry_run=dry_run) as ledger:
            sweep = Sweep(config, stores, ledger=ledger, dry_run=dry_run, clock=Clock(), log=Log())
            found = [await sweep.prune(scope) for scope in scopes if meant(scope)]
        errors += [each for each in found if isinstance(each, FailedCopy)]
        return [each for each in found if isinstance(each, Place)], errors

    places, errors = anyio.run(work)
    if as_json:
        print_json({"plans": [_plain(place) for place in places], "errors": plain(errors)})
    else:
        _print(places, errors)
    failed_here = any(place.pruned is not None and place.pruned.failed for place in places)
    raise typer.Exit(EXIT_FAILED if failed_here else EXIT_PARTIAL if errors else 0)


@asynccontextmanager
async def _ledger(config: Config, *, dry_run: bool) -> AsyncIterator[Ledger | None]:
    """Open the ledger where there is one: without it nothing is known of damaged copies and of accepted shrinks."""
    from leanix_backup.ledger import FILE_NAME, Ledger, is_there

    path = config.state_dir / FILE_NAME
    if not is_there(path):
        yield None
        return
    async with Ledger(path, read_only=dry_run) as ledger:
        yield ledger


async def _retired(
    config: Config, stores: dict[str, Store], ceiling: RetentionSpan | None
) -> tuple[list[Scope], list[FailedCopy]]:
    """Find what lies where no job stores any more."""
    known = {(scope.workspace, scope.export, scope.destination) for scope in scopes_of(config)}
    catalog = await read_catalog(stores.values())
    found: dict[tuple[str, ExportType, str], None] = {}
    for backup in catalog.backups:
        for copy in backup.copies:
            found[(backup.key.workspace, backup.key.export, copy.destination)] = None
    scopes = [retired_scope(config, *place, delete_after=ceiling) for place in sorted(found) if place not in known]
    return scopes, list(catalog.errors)


def _span(text: str) -> RetentionSpan:
    try:
        return parse_span(text)
    except Mistake as error:
        raise UsageError(f"--delete-after {error.message}", hint=error.hint) from None


def _plain(place: Place) -> dict[str, Any]:
    decision = place.decision
    scope, plan = decision.scope, decision.plan
    pruned = place.pruned
    return {
        "workspace": scope.workspace,
        "export": scope.export.value,
        "destination": scope.destination,
        "keep": [
            {"key": each.candidate.id, "taken_at": plain(each.candidate.taken_at), "reasons": list(each.reasons)}
            for each in plan.keep
        ],
        "remove": [
            {"key": each.candidate.id, "taken_at": plain(each.candidate.taken_at), "reason": each.reason}
            for each in plan.remove
        ],
        "orphans": [each.key for each in decision.orphans],
        "notes": list(decision.notes),
        "removed": None if pruned is None else list(pruned.removed),
        "refused": []
        if pruned is None
        else [
            {
                "key": each.key,
                "locked_until": plain(each.locked_until),
                "error": {"code": each.error.code, "message": each.error.message, "hint": each.error.hint},
            }
            for each in pruned.refused
        ],
    }


def _print(places: list[Place], errors: list[FailedCopy]) -> None:
    for place in places:
        _show(place)
    if not places and not errors:
        say("nothing lies there that this could prune")
    for failed in dict.fromkeys(errors):
        say(f"error: {failed.destination}: {failed.error.message} [{failed.error.code}]", err=True)
        if failed.error.hint:
            say(f"  hint: {failed.error.hint}", err=True)


def _show(place: Place) -> None:
    decision = place.decision
    scope, plan = decision.scope, decision.plan
    verb = "would go" if place.pruned is None else "gone"
    gone = len(plan.remove) if place.pruned is None else len(place.pruned.removed)
    say(f"{scope.workspace}/{scope.export.slug} at {scope.destination}: {len(plan.keep)} stay, {gone} {verb}")
    rows = [(each.candidate.taken_at, "keep", each.candidate.id, ", ".join(each.reasons)) for each in plan.keep]
    rows += [(each.candidate.taken_at, "remove", each.candidate.id, each.reason) for each in plan.remove]
    if rows:
        table(
            ("", "taken at", "backup", "why"),
            [(word, format_utc(when), key, why) for when, word, key, why in sorted(rows)],
            whole=("backup",),
        )
    for orphan in decision.orphans:
        say(f"  left by a crash, without a manifest: {orphan.key}")
    for note in decision.notes:
        say(f"  note: {note}")
    by_reason: dict[tuple[str, str, str], list[str]] = {}
    for stays in place.pruned.refused if place.pruned else ():
        by_reason.setdefault((stays.error.message, stays.error.code, stays.error.hint), []).append(stays.key)
    for (message, code, hint), keys in by_reason.items():
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        say(f"  stays: {keys[0]}{more}: {message} [{code}]", err=True)
        if hint:
            say(f"    hint: {hint}", err=True)
