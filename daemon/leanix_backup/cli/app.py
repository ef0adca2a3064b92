"""The commands as Typer knows them, and how every error becomes a message and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from leanix_backup import __version__
from leanix_backup.cli import (
    accept,
    backup,
    config,
    coverage,
    demo,
    fetch,
    health,
    listing,
    next_runs,
    prune,
    retention,
    serve,
    simulate,
    status,
    verify,
)
from leanix_backup.cli.common import Settings, show_error
from leanix_backup.errors import EXIT_FAILED, EXIT_INTERRUPTED, BackupError

_HABITS = {
    "archives": "list",
    "check": "verify",
    "create": "backup",
    "extract": "fetch",
    "forget": "prune",
    "info": "show",
    "ls": "list",
    "perform": "backup",
    "restore": "fetch",
    "run": "backup",
    "schedule": "next",
    "snapshots": "list",
    "start": "serve",
    "validate": "config validate",
}


class Group(TyperGroup):
    """A group that knows what a command is called elsewhere."""

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command, or say what it is called here."""
        word = args[0] if args else ""
        if (here := _HABITS.get(word)) and self.get_command(ctx, word) is None:
            known = self.get_command(ctx, here.split()[0]) is not None
            hint = (
                f"here that is `leanix-backup {here}`"
                if known
                else f"that will be `leanix-backup {here}`, in a later version"
            )
            ctx.fail(f"There is no command '{word}': {hint}.")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="leanix-backup",
    help="Back up SAP LeanIX workspaces: scheduled exports, proved whole, stored safely.",
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("backup")(backup.backup)
app.command("list")(listing.list_backups)
app.command("show")(listing.show_backup)
app.command("verify")(verify.verify)
app.command("fetch")(fetch.fetch)
app.command("prune")(prune.prune)
app.command("accept")(accept.accept)
app.command("next")(next_runs.next_runs)
app.command("status")(status.status)
app.command("coverage")(coverage.coverage)
app.command("health")(health.health)
app.add_typer(retention.app, name="retention")
app.add_typer(config.app, name="config")
app.command("simulate")(simulate.simulate)
app.command("demo")(demo.demo)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"leanix-backup {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="The configuration file; LEANIX_BACKUP_CONFIG by default."),
    ] = None,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Back up SAP LeanIX workspaces: scheduled exports, proved whole, stored safely."""
    context.obj = Settings(config_file)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit status; every error becomes one message on standard error."""
    try:
        app(args=list(arguments), prog_name="leanix-backup")
        status = 0
    except SystemExit as done:
        status = done.code if isinstance(done.code, int) else 0
    except BackupError as error:
        show_error(error)
        status = error.exit_status
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    except OSError as error:  # standard output is full or gone: what was done is done, but nobody could be told
        with suppress(OSError):
            typer.echo(f"error: the output can't be written ({error.strerror})", err=True)
        status = EXIT_FAILED
    return _flushed(status)


def _flushed(status: int) -> int:
    """Write what is left of the output; where nobody takes it, it is dropped in silence."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status
