"""`accept`: the shrink was meant, pruning goes on."""

from __future__ import annotations

from typing import Annotated

import anyio
import typer

from leanix_backup.catalog import Backup, read_manifest
from leanix_backup.cli.common import ConfigFile, configure_log, load_config, say
from leanix_backup.cli.looking import choose, look, require_same_run
from leanix_backup.clock import Clock
from leanix_backup.config import Purpose
from leanix_backup.errors import BackupError, UsageError
from leanix_backup.events import Event, Log, context
from leanix_backup.model import ExportType, Manifest
from leanix_backup.stores import Store


def accept(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run whose snapshot shrank: its id, or a key.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept beside the run.")],
    config_file: ConfigFile = None,
) -> None:
    """Say that a snapshot is smaller because that was meant, so that pruning of its job goes on."""
    if not reason.strip():
        raise UsageError("--reason is empty", hint="say why the fact sheets are gone, for whoever asks later")
    config = load_config(ctx, config_file, Purpose.READ)
    configure_log(config)

    async def work() -> Manifest:
        from leanix_backup.ledger import FILE_NAME, Counted, Ledger, is_there
        from leanix_backup.pruning import accept as accepted
        from leanix_backup.pruning import scopes_of

        catalog, stores = await look(config, None)
        found = choose(catalog, run, config)
        manifest = await _manifest(found, stores)
        require_same_run(run, manifest.run_id)
        workspace, path = manifest.workspace.name, config.state_dir / FILE_NAME
        guards = [
            scope.guard for scope in scopes_of(config) if scope.workspace == workspace and scope.guard is not None
        ]
        if not is_there(path):
            raise UsageError(
                f"there is no ledger in {config.state_dir}", hint="run this where the service runs, with its state_dir"
            )
        async with Ledger(path) as ledger:
            standing = await ledger.marks.standing(workspace)
            if manifest.export.type is not ExportType.SNAPSHOT or standing is None or standing.shrunk is None:
                raise UsageError(
                    f"no snapshot of {workspace} waits to be accepted", hint="only one that shrank does; see `list`"
                )
            await ledger.marks.accept(manifest.run_id, reason.strip(), at=Clock().utc_now())
            counted = Counted(manifest.run_id, manifest.content.fact_sheet_count)
            await ledger.marks.note_standing(workspace, accepted(counted, standing, guard=min(guards, default=0.0)))
        return manifest

    manifest = anyio.run(work)
    with context(run_id=manifest.run_id, job=manifest.job, workspace=manifest.workspace.name):
        Log().emit(Event.SHRINK_ACCEPTED, reason=reason.strip())
    say(f"accepted: {manifest.content.fact_sheet_count} fact sheets in run {manifest.run_id}; pruning goes on with it")


async def _manifest(found: Backup, stores: list[Store]) -> Manifest:
    error: BackupError | None = None
    held_by = {copy.destination for copy in found.copies}
    for store in stores:
        if store.name in held_by:
            try:
                return await read_manifest(store, found.key)
            except BackupError as each:
                error = each
    raise error or UsageError(f"no copy of {found.key.artifact} is to be seen", hint="see `leanix-backup list`")
