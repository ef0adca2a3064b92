"""`config validate · show · example · schema`."""

from __future__ import annotations

import json

import typer

from leanix_backup.cli.common import ConfigFile, load_config

app = typer.Typer(help="Check and print the configuration.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def validate(context: typer.Context, config_file: ConfigFile = None) -> None:
    """Check the configuration: every mistake at once, and what it may not mean."""
    from leanix_backup.config import Purpose

    config = load_config(context, config_file, Purpose.CHECK)
    for problem in config.warnings:
        typer.echo(f"warning: {problem}", err=True)
    paused = sum(not job.enabled for job in config.jobs.values())
    typer.echo(
        f"the configuration is valid: {_count(config.workspaces, 'workspace')}, "
        f"{_count(config.destinations, 'destination')}, {_count(config.jobs, 'job')}"
        + (f" ({paused} paused)" if paused else "")
    )


@app.command()
def show(context: typer.Context, config_file: ConfigFile = None) -> None:
    """Print the configuration as it counts, file and environment and defaults together, with secrets masked."""
    from leanix_backup.config import Purpose
    from leanix_backup.config import show as written

    typer.echo(written(load_config(context, config_file, Purpose.CHECK)), nl=False)


@app.command()
def example() -> None:
    """Print a commented sample of a configuration file."""
    from leanix_backup.config import example as sample

    typer.echo(sample(), nl=False)


@app.command()
def schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    from leanix_backup.config import schema as described

    typer.echo(json.dumps(described(), indent=2))


def _count(things: object, word: str) -> str:
    number = len(things)  # type: ignore[arg-type] # every one of them is a mapping
    return f"{number} {word}{'' if number == 1 else 's'}"
