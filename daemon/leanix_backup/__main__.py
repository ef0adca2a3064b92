"""Run the command line as `python -m leanix_backup`."""

from leanix_backup.cli import main

main()
