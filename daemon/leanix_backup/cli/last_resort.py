"""The end of a process that was told to end and can't let go."""

from __future__ import annotations

import os
import threading

from leanix_backup.events import Event, Log

PATIENCE_S = 10.0


def end_soon(status: int, log: Log) -> None:
    """End this process in ten seconds, unless it has ended by then.

    What waits for a server or a disk that does not answer can't be called off, and might wait for minutes. Nothing is
    lost by an end like that of SIGKILL: the next start goes on from where the ledger stands.
    """

    def end() -> None:
        log.emit(Event.SERVICE_STOPPED, forced=True)
        os._exit(status)

    timer = threading.Timer(PATIENCE_S, end)
    timer.daemon = True
    timer.start()
