"""The command line: one module per group of commands, each importing what it uses only when it is called."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command that the command line asks for, and exit with its status (design §5)."""
    _open_standard_streams()
    try:
        status = _run(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _run(arguments: list[str]) -> int:
    if "health" in arguments:
        from leanix_backup.cli.quick import quick_health

        status = quick_health(arguments)
        if status is not None:
            return status
    _heed_termination()
    from leanix_backup.cli.app import run

    return run(arguments)


def _heed_termination() -> None:
    """Let SIGTERM end the first process of a container, too, until a command has ways of its own.

    To that process the kernel delivers only signals that it handles. Without this, a container that is stopped while
    it is still starting, or lists backups, would go on until it is killed.
    """
    if os.getpid() == 1:
        import signal

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _open_standard_streams() -> None:
    """Give a process that was started without standard streams ones that lead nowhere.

    Without, the first file that is opened would take their number, and be written to as if it were they.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 -- for as long as the process lives
