"""`fetch`: bring one backup back, verified before it gets its name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from leanix_backup.cli.common import AsJson, ConfigFile, configure_log, human_size, load_config, plain, print_json, say
from leanix_backup.cli.looking import AtDestination, tell_errors
from leanix_backup.config import Purpose
from leanix_backup.errors import UsageError

if TYPE_CHECKING:
    from leanix_backup.cli.bringing import Outcome

_STDOUT = "-"
_SIGNAL_BASE = 128
_BLOCK_BYTES = 1024 * 1024


def fetch(
    context: typer.Context,
    backup: Annotated[str, typer.Argument(metavar="BACKUP", help="A run id, a key, or acme/snapshot@latest.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="A file, a folder, or - for standard output.")
    ],
    manifest: Annotated[
        str | None,
        typer.Option("--manifest", metavar="PATH", help="Write the manifest there, too.", show_default=False),
    ] = None,
    destination: AtDestination = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Bring one backup back; it gets its name once it is proved to be what was stored."""
    from leanix_backup.cli.bringing import Wish, until_stopped

    if output == _STDOUT:
        if as_json:
            raise UsageError("--json and -o - both want standard output", hint="give one of them")
        if sys.stdout.isatty():
            raise UsageError("a workbook is nothing for a terminal", hint="-o PATH, or a pipe behind it")
    config = load_config(context, config_file, Purpose.READ)
    configure_log(config)
    if manifest == _STDOUT:
        raise UsageError("a manifest is not written to standard output", hint="`show --json` prints it")
    wish = Wish(
        backup, None if output == _STDOUT else _place(output), _place(manifest) if manifest is not None else None, force
    )
    stopped: list[int] = []
    outcome = anyio.run(until_stopped, config, wish, destination, stopped)
    if outcome is None:
        raise typer.Exit(_SIGNAL_BASE + stopped[0])
    if outcome.content is not None:
        with outcome.content:
            outcome.content.seek(0)  # not earlier: whoever closed the file it came from shares the position
            shutil.copyfileobj(outcome.content, sys.stdout.buffer, _BLOCK_BYTES)
            sys.stdout.buffer.flush()
    if as_json:
        _print_json(outcome)
    else:
        _print(outcome)
    raise typer.Exit(outcome.status)


def _place(text: str) -> Path:
    """Read a path; one that ends with a slash must be a folder.

    Raises:
        UsageError: `target_missing`.
    """
    place = Path(text)
    if text.endswith("/") and not place.is_dir():
        raise UsageError(f"there is no folder {place}", code="target_missing", hint="make it first")
    return place


def _print(outcome: Outcome) -> None:
    """Say what was brought back, and on standard error what was wrong with copies that were not."""
    for failed in outcome.failed:
        error = failed.error
        say(f"error: {failed.destination}: {outcome.key.artifact}: {error.message} [{error.code}]", err=True)
        say(f"  hint: {error.hint}", err=True)
    tell_errors(outcome.catalog, as_json=False)
    proved, taken, target = outcome.proved, outcome.taken, outcome.wish.file
    if proved is None or taken is None:
        say("error: no copy of it could be brought back; nothing was written", err=True)
        return
    if taken.hidden is not None:
        say(f"note: it is hidden by a delete marker at {taken.store.name}: somebody deleted it", err=True)
    if target is not None:
        size = human_size(proved.manifest.file.size_bytes)
        say(f"{target}: {size} from {taken.store.name}, whole, sha256 {proved.manifest.file.sha256}")
    elif outcome.failed:
        say(f"it was taken from {taken.store.name} instead", err=True)


def _print_json(outcome: Outcome) -> None:
    fetched = None
    if outcome.proved is not None and outcome.taken is not None:
        found = outcome.proved.manifest
        fetched = {
            "run_id": found.run_id,
            "destination": outcome.taken.store.name,
            "key": outcome.key.artifact,
            "path": str(outcome.wish.file),
            "size_bytes": found.file.size_bytes,
            "sha256": found.file.sha256,
            "hidden": outcome.taken.hidden is not None,
        }
    print_json({"fetched": fetched, "errors": [*plain(outcome.catalog.errors), *plain(outcome.failed)]})
