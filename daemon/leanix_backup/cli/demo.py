"""`demo`: the whole thing, once, against a simulated workspace."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import anyio
import typer

from leanix_backup.cli.common import human_size, table
from leanix_backup.cli.simulate import require_simulator
from leanix_backup.errors import EXIT_FAILED, EXIT_INTERRUPTED, InterruptedRunError, UsageError
from leanix_backup.model import Outcome, RunReport

_ROUNDS = 2
_LONGEST_S = 120.0
_CONFIG = """\
# Written by `leanix-backup demo`: a service that backs up a simulated workspace, over and over.
workspaces:
  demo:
    url: {url}
    api_token_file: {token_file}
destinations:
  disk:
    type: local
    path: {backups}
defaults:
  destinations: [disk]
  retention: forever
  export_timeout: 60s
  poll: {{first: 1s, factor: 1.2, ceiling: 2s}}
jobs:
  snapshot:
    workspace: demo
    export: SNAPSHOT
    schedule: "@every 6s"
  changelog:
    workspace: demo
    export: AUDIT_LOG
    schedule: "@every 7s"
    audit_log: {{overlap: 1m}}
  archive:
    workspace: demo
    export: ARCHIVE
    schedule: "@every 8s"
state_dir: {state}
http: {{listen: null}}
"""


def demo(
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Where the backups go.")] = Path(
        "leanix-backup-demo"
    ),
    fact_sheets: Annotated[
        int, typer.Option("--fact-sheets", min=1, max=200_000, help="How large the workspace is.")
    ] = 500,
) -> None:
    """Run the service against a simulated workspace until it has made two backups of each export."""
    require_simulator()
    if folder == Path():
        raise UsageError("the demo needs a folder of its own", hint="leave --folder out, or name one")
    raise typer.Exit(anyio.run(_demo, folder.absolute(), fact_sheets))


async def _demo(folder: Path, fact_sheets: int) -> int:
    from leanix_backup import events
    from leanix_backup.clock import Clock
    from leanix_backup.config import load
    from leanix_backup.events import Log
    from leanix_backup.service import Service
    from leanix_backup.simulator import SimulatedLeanix, SimulatorSettings

    events.configure(level="info", style="console")
    # A busy young workspace: something changes every second, so that each backup differs from the one before it.
    world = SimulatorSettings(fact_sheets=fact_sheets, changes_per_hour=3600, history=timedelta(minutes=20))
    async with SimulatedLeanix(world) as leanix:
        config = load(_prepare(folder, leanix.url, leanix.api_token), {})
        typer.echo(f"A simulated workspace with {fact_sheets:,} fact sheets is at {leanix.url}.")
        typer.echo(f"The service backs it up as {folder / 'config.yaml'} says. What it logs:\n")
        made: list[RunReport] = []
        counts: Counter[str] = Counter()

        def reported(report: RunReport) -> None:
            if report.error is not None and report.error.code == InterruptedRunError.default_code:
                return  # the demo is over: the next start would go on with it
            made.append(report)
            counts[report.job] += report.outcome is Outcome.SUCCEEDED
            if all(counts[name] >= _ROUNDS for name in config.jobs):
                service.stop()

        service = Service(config, clock=Clock(), log=Log(), reported=reported)
        with anyio.move_on_after(_LONGEST_S):
            await service.serve()
    enough = all(counts[name] >= _ROUNDS for name in config.jobs)
    return _tell(made, folder, enough=enough, stopped=service.signalled)


def _prepare(folder: Path, url: str, api_token: str) -> Path:
    """Write what a user would write: a token's file and a configuration.

    Raises:
        UsageError: The folder can't be written, or holds a configuration that is not a demo's.
    """
    path, token_file = folder / "config.yaml", folder / "api-token"
    places = {"token_file": token_file, "backups": folder / "backups", "state": folder / "state"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.read_text().startswith(_CONFIG.splitlines()[0]):
            raise UsageError(f"{path} is there already and is not a demo's", hint="give another folder with --folder")
        token_file.touch(mode=0o600)
        token_file.write_text(api_token)
        path.write_text(_CONFIG.format(url=url, **{name: json.dumps(str(place)) for name, place in places.items()}))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its configuration is no text"
        raise UsageError(f"the demo can't use {folder}: {reason}", hint="give another folder with --folder") from error
    return path


def _tell(made: list[RunReport], folder: Path, *, enough: bool, stopped: bool) -> int:
    rows = [
        (
            report.job,
            report.export.value,
            report.outcome.value,
            f"{report.fact_sheets:,}" if report.fact_sheets else "-",
            human_size(report.size_bytes),
            f"{report.duration_s:.1f} s",
            report.stored[0].key if report.stored else "",
        )
        for report in made
    ]
    typer.echo("\nThe backups of this demo, each with its manifest beside it:\n")
    table(
        ("job", "export", "outcome", "fact sheets", "size", "took", "file"), rows, right=("fact sheets", "size", "took")
    )
    typer.echo(f"\nThey lie under {folder / 'backups'}. Look at them:")
    name = "leanix-backup" if shutil.which("leanix-backup") else sys.argv[0]  # from a clone it is not on the path
    command = f"{name} --config {folder / 'config.yaml'}"
    typer.echo(f"  {command} list")
    typer.echo(f"  {command} show demo/snapshot@latest")
    if stopped:
        typer.echo("stopped before it was done", err=True)
        return EXIT_INTERRUPTED
    if not enough:
        typer.echo("error: the demo did not make two backups of each export", err=True)
        return EXIT_FAILED
    return 0
