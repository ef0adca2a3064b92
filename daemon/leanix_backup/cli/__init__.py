"""The command line: one module per group of commands, each importing what it uses only when it is called."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the command line asks for, and exit with its status (design §5)."""
    from leanix_backup.cli.app import run

    sys.exit(run(sys.argv[1:]))
