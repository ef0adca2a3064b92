"""Remove what retention does not keep, at one destination at a time, and only what we wrote.

`scope` says whose backups are meant and which rules apply, `shelf` what lies there, `decision` what goes and why,
`removal` does it: manifests first, so that no instant shows a backup whose file is gone; `sweep` does it for many
places. `guard` keeps pruning waiting where the newest snapshot shrank.
"""

from leanix_backup.pruning.decision import ORPHANED, Decision, decide
from leanix_backup.pruning.guard import accept, judge, stand
from leanix_backup.pruning.removal import Pruned, carry_out
from leanix_backup.pruning.scope import Scope, retired_scope, scopes_of
from leanix_backup.pruning.shelf import Shelf, Shelved, take_stock
from leanix_backup.pruning.sweep import Place, Sweep, decide_by

__all__ = [
    "ORPHANED",
    "Decision",
    "Place",
    "Pruned",
    "Scope",
    "Shelf",
    "Shelved",
    "Sweep",
    "accept",
    "carry_out",
    "decide",
    "decide_by",
    "judge",
    "retired_scope",
    "scopes_of",
    "stand",
    "take_stock",
]
