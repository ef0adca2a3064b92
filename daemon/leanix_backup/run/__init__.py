"""One backup as a readable story: request, wait, fetch, verify, ship (design §2).

`story` tells it; `attempt` is one try at bringing a whole workbook home, `shipping` takes it to the destinations,
`order` says what a run is given.
"""

from leanix_backup.run.order import Order, Progress, Surroundings
from leanix_backup.run.story import run_backup

__all__ = ["Order", "Progress", "Surroundings", "run_backup"]
