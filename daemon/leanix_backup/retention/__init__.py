"""What stays of one workspace's export at one destination, and why. Pure: time comes in as an argument.

`plan` decides over what is there now, `simulate` over what a schedule would have made by a later date. The rules are
those of restic's `forget`, 0.16 or newer; `docs/retention.md` says what they mean and where this differs on purpose.
"""

from __future__ import annotations

from leanix_backup.retention.plan import FUTURE_GRACE, Candidate, Kept, Plan, Removed, plan
from leanix_backup.retention.simulate import Simulation, simulate
from leanix_backup.retention.spans import reach_ahead

__all__ = ["FUTURE_GRACE", "Candidate", "Kept", "Plan", "Removed", "Simulation", "plan", "reach_ahead", "simulate"]
