"""One backup as a readable story: request, wait, fetch, verify, ship, prune (design §2).

`story` tells it; `identity` knows which workspace this is, `attempt` is one try at bringing a whole workbook home,
with `asking` for the export and `proof` of what came; `shipping` takes it to the destinations, and `tidying` prunes
there. `order` says what a run is given, `trail` tells the ledger how far it is.
"""

from leanix_backup.run.order import DatesOnly, Order, Progress, Surroundings
from leanix_backup.run.shipping import artifact_lost, ship_to
from leanix_backup.run.story import end_stray, fail_early, run_backup
from leanix_backup.run.tidying import is_waiting, prune_at

__all__ = [
    "DatesOnly",
    "Order",
    "Progress",
    "Surroundings",
    "artifact_lost",
    "end_stray",
    "fail_early",
    "is_waiting",
    "prune_at",
    "run_backup",
    "ship_to",
]
