"""Open what runs need, and start runs: shared by `serve`, `backup` and `demo`.

`workshop` opens and runs; `windows` plans what is asked for of a changelog, `leftovers` deals with what a process left.
"""

from leanix_backup.wiring.workshop import Call, Workshop

__all__ = ["Call", "Workshop"]
