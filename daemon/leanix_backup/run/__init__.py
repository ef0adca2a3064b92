"""One backup as a readable story: request, wait, fetch, verify, ship (design §2).

`story` tells it; `identity` knows which workspace this is, `attempt` is one try at bringing a whole workbook home,
`shipping` takes it to the destinations. `order` says what a run is given, `trail` tells the ledger how far it is.
"""

from leanix_backup.run.order import DatesOnly, Order, Progress, Surroundings
from leanix_backup.run.shipping import ship_to
from leanix_backup.run.story import end_stray, fail_early, run_backup

__all__ = ["DatesOnly", "Order", "Progress", "Surroundings", "end_stray", "fail_early", "run_backup", "ship_to"]
