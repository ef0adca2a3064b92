"""`health`, as the framework shows it in its help; `quick` answers before the framework is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leanix_backup.cli.common import ConfigFile, Settings
from leanix_backup.cli.quick import report
from leanix_backup.cron import parse_duration
from leanix_backup.errors import UsageError


def health(
    context: typer.Context,
    config_file: ConfigFile = None,
    state_dir: Annotated[
        Path | None,
        typer.Option("--state-dir", metavar="DIR", help="Of the service; the configuration's by default."),
    ] = None,
    max_age: Annotated[
        str, typer.Option("--max-age", metavar="AGE", help="How old the last beat of its event loop may be.")
    ] = "30s",
) -> None:
    """Say whether the service of this machine lives: exit 0, or 1 and a line that says why not."""
    try:
        oldest = parse_duration(max_age)
    except ValueError:
        raise UsageError(f"{max_age!r} is no duration", hint="write 30s, or 2m") from None
    before = context.find_object(Settings)
    named = config_file or (before.config_file if before else None)
    raise typer.Exit(
        report(str(named) if named else None, str(state_dir) if state_dir else None, oldest.total_seconds())
    )
