"""`simulate`: only the simulated workspace, on a port."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from leanix_backup.errors import UsageError

if TYPE_CHECKING:  # the simulator's libraries are an extra
    from leanix_backup.simulator import SimulatorSettings


def require_simulator() -> None:
    """Refuse where the extra that holds the simulator's libraries is not installed.

    Raises:
        UsageError: `simulator_missing`.
    """
    try:
        import leanix_backup.simulator  # noqa: F401 -- only to see whether it can be
    except ImportError as error:
        raise UsageError(
            f"the simulated workspace needs {error.name}",
            code="simulator_missing",
            hint="install it with its libraries: pip install 'leanix-backup[demo]'",
        ) from error


def simulate(
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="0 takes a free one.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same workspace.")] = 1,
    fact_sheets: Annotated[int, typer.Option("--fact-sheets", min=0, max=200_000, help="How large it is.")] = 200,
    changes_per_hour: Annotated[
        float, typer.Option("--changes-per-hour", min=0.0, max=1_000_000.0, help="How busy it is.")
    ] = 6.0,
    speed: Annotated[
        float, typer.Option("--speed", min=0.001, max=1_000_000.0, help="Seconds of its time in a second of ours.")
    ] = 1.0,
) -> None:
    """Serve a simulated LeanIX workspace on a loopback port, until it is stopped."""
    require_simulator()
    from leanix_backup.simulator import SimulatorSettings

    settings = SimulatorSettings(
        port=port, seed=seed, fact_sheets=fact_sheets, changes_per_hour=changes_per_hour, speed=speed
    )
    anyio.run(_serve, settings)


async def _serve(settings: SimulatorSettings) -> None:
    from leanix_backup.simulator import SimulatedLeanix

    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with SimulatedLeanix(settings) as leanix:
            typer.echo(f"a simulated LeanIX workspace is at {leanix.url}")
            typer.echo(f"  API token     {leanix.api_token}")
            typer.echo(f"  workspace id  {leanix.workspace_id}")
            typer.echo(f"  switches      {leanix.url}/admin/state, PATCH {leanix.url}/admin/switches")
            typer.echo("stop it with Ctrl-C")
            async for _ in signals:
                break
