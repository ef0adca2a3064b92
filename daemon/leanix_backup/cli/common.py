"""What the commands share: the configuration, messages, JSON, and words for sizes and times."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from leanix_backup import events
from leanix_backup.clock import format_utc
from leanix_backup.config import Config, Purpose, load
from leanix_backup.errors import BackupError, ConfigError, UsageError
from leanix_backup.events import redactor

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration file.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
_YEARS = range(1970, 9000)


@dataclass(frozen=True, slots=True)
class Settings:
    """What stood before the command's name."""

    config_file: Path | None = None


def load_config(context: typer.Context, config_file: Path | None, purpose: Purpose = Purpose.RUN) -> Config:
    """Read the configuration that the command line, the environment, or the default place names.

    Raises:
        ConfigError: With every mistake in it.
    """
    before = context.find_object(Settings)
    return load(config_file or (before.config_file if before else None), os.environ, purpose)


def configure_log(config: Config, *, quiet: bool = False) -> None:
    """Set up logging as configured; `quiet` leaves information to the progress display."""
    level = config.log.level
    events.configure(level="warning" if quiet and level == "info" else level, style=config.log.format)


def show_error(error: BackupError) -> None:
    """Say on standard error what is wrong, and what to do."""
    if isinstance(error, ConfigError):
        for problem in error.problems:
            say(f"error: {problem}", err=True)
        typer.echo(f"{error.message}; {error.hint}", err=True)
        return
    say(f"error: {error.message} [{error.code}]", err=True)
    if error.hint:
        say(f"  hint: {error.hint}", err=True)


def require_known(kind: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is not known, with the nearest one.

    Raises:
        UsageError: `unknown_<kind>`.
    """
    names = sorted(known)
    if name in names:
        return
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"{kind}s here: {', '.join(names) or 'none'}"
    raise UsageError(f"there is no {kind} {name!r}", code=f"unknown_{kind}", hint=hint)


def parse_time(text: str) -> datetime:
    """Read a date or a time that somebody typed, as an instant; without a zone it is UTC's.

    Raises:
        UsageError: It is none, or too far away to reckon with.
    """
    try:
        instant = datetime.fromisoformat(text)
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no time", hint="write 2027-03-27 or 2027-03-27T12:00Z") from None
    if instant.year not in _YEARS:
        raise UsageError(f"{text!r} is too far away", hint=f"write a year from {_YEARS[0]} to {_YEARS[-1]}")
    return instant


def print_json(value: Any) -> None:
    """Print an object of the `--json` interface on standard output; no secret is in it."""
    typer.echo(json.dumps(redactor.clean(plain({"version": 1, **value})), indent=2, ensure_ascii=False))


def say(text: str, *, err: bool = False) -> None:
    """Print a line for people, without secrets and without what would move their cursor."""
    typer.echo(printable(redactor.clean(text)), err=err)


def plain(value: Any) -> Any:
    """Turn our types into what JSON knows: instants as ISO-8601 in UTC."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return format_utc(value) if isinstance(value, datetime) else value


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = (), whole: Sequence[str] = ()
) -> None:
    """Print a table for people: on a terminal as wide as that is, elsewhere as wide as it needs to be.

    Args:
        columns: The headings.
        rows: As many texts each as there are columns.
        right: Columns that are aligned to the right.
        whole: Columns that are not broken into lines, as people copy what stands there.
    """
    lines = [[printable(text) for text in row] for row in rows]
    console = Console(highlight=False)
    if not console.is_terminal:
        widths = [max(map(len, column)) for column in zip(columns, *lines, strict=True)]
        for line in ([*columns], *lines):
            cells = zip(line, widths, columns, strict=True)
            aligned = [text.rjust(width) if name in right else text.ljust(width) for text, width, name in cells]
            typer.echo("  ".join(aligned).rstrip())
        return
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in right else "left"
        grid.add_column(column, justify=justify, overflow="fold", no_wrap=column in whole)
    for line in lines:
        grid.add_row(*map(escape, line))
    console.print(grid)


def printable(text: str) -> str:
    """Replace what would move the cursor or begin a new line: names come from files that anybody may have written."""
    return "".join(character if character.isprintable() else "?" for character in text)


def human_size(size_bytes: int | None) -> str:
    """Write a size for people: `3.2 MiB`."""
    if size_bytes is None:
        return "-"
    size, units = float(size_bytes), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:  # noqa: PLR2004 -- what a KiB is
        size, units = size / 1024, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"
