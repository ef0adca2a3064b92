"""`serve`: the service."""

from __future__ import annotations

import anyio
import typer

from leanix_backup.cli.common import ConfigFile, configure_log, load_config


def serve(context: typer.Context, config_file: ConfigFile = None) -> None:
    """Run every job when it is due, until SIGTERM."""
    from leanix_backup.cli.last_resort import end_soon
    from leanix_backup.clock import Clock
    from leanix_backup.events import Log
    from leanix_backup.service import Service

    config = load_config(context, config_file)
    configure_log(config)
    log = Log()
    anyio.run(Service(config, clock=Clock(), log=log, all_told=lambda: end_soon(0, log)).serve)
