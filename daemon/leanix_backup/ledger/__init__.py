"""What happened: the life of every run, written down before each act that can't be taken back (design §2, §7).

One SQLite file in `state_dir`; the one door to SQLAlchemy. `schema` has the tables and the migrations, `entry` what
is known of a run, `book` reads and writes them, `marks` what is remembered beside runs. Losing it loses no backup: the
destinations say what is held.
"""

from leanix_backup.ledger.book import FILE_NAME, Ledger, LedgerBrokenError, is_there
from leanix_backup.ledger.entry import Counted, Entry, Shipment, Standing
from leanix_backup.ledger.marks import Marks

__all__ = ["FILE_NAME", "Counted", "Entry", "Ledger", "LedgerBrokenError", "Marks", "Shipment", "Standing", "is_there"]
