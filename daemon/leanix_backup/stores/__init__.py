"""Where backups are kept. `base` says what every store must do; each other module is one kind of store."""

from leanix_backup.stores.base import NOT_MADE_YET, NotDeleted, Store, StoredObject
from leanix_backup.stores.local import LocalStore

__all__ = ["NOT_MADE_YET", "LocalStore", "NotDeleted", "Store", "StoredObject"]
