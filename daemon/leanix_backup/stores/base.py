"""The contract of a store: put, scan, read, delete. No policy lives in a store.

What MUST hold, for every store; `tests/contract` runs one suite over all of them:

- **A key is whole or not there.** At no instant, whatever dies, can a reader see part of an object under its key.
- **put** returns only when the object would survive a power cut. What is stored is proved to be what was hashed: where
  the bytes are copied they are hashed again on the way, and a difference is `checksum_mismatch` with nothing stored.
  Putting the same content under the same key again is a success and changes nothing; where a store keeps versions, it
  adds none. Other content under that key is a ConflictError, and what is there stays. After an error or a cancellation
  there is nothing under the key, or the whole object where it came too late, and no temporary object that `scan` would
  show. `retain_until` locks the object against deletion up to then; a store that can't lock refuses it (ValueError:
  the configuration allows it for stores that can).
- **require_made** is for a store that held something before: where a put would make it anew, as a folder whose volume
  is not mounted, it is a StoreError with the code NOT_MADE_YET.
- **scan** yields every object under a prefix once, in no particular order, with what StoredObject holds; it opens
  none. Objects that are put or deleted meanwhile may or may not be seen. Temporary objects are never seen. An object
  that somebody deleted in a store that keeps versions, so that it is only hidden, is yielded as such. Where a part
  can't be read, the rest is yielded first and the error comes at the end.
- **read** yields an object's bytes in order, in constant memory; NotStoredError where there is none. With a `version`,
  that version is read, whether it is hidden or not.
- **delete** takes what `scan` yielded and removes it with every older version, so that nothing of it is left, one
  after the other or many at once. One that is not there is a success, as after a crash nobody knows. What could not be
  deleted is returned and stays as readable as it was: nothing is ever just hidden. An error that concerns all of them
  (nobody answers, the credentials are wrong) is raised, and then some may be gone.
- **locked** says beforehand what a lock would refuse to `delete`, for objects that belong together; an object that
  nobody may look at, or that is not there, counts as not locked.
- **tidy** removes what a put of a key left that was killed on its way; nobody may be putting that key meanwhile.
  **tidy_all** does so for every key that a backup could have, where it was left before an instant. What lies under a
  key itself stays.
- Errors are StoreErrors with a code, a hint, and whether another try may help. A cancellation takes effect after one
  block of work (some MiB; over a network one request, which is one part of a large file) at the latest.

Keys are relative, with slashes; a key that would lead out of the store is refused, and so is a prefix that does not
end with a slash (ValueError: it is our own mistake).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from leanix_backup.errors import BackupError

NOT_MADE_YET = "destination_missing"  # the code of an error: the store itself is not there, or not yet
_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_KEY = re.compile(rf"{_PART}(/{_PART})*")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a store, with all that is kept of it.

    Attributes:
        key: Its key.
        size_bytes: The size of what `read` yields; of a hidden object, what it would yield with `version`.
        modified_at: When it came to lie there; UTC. Not when its content was made.
        version: The store's name for this version; None where it has no versions, or can't list them.
        older: The other versions of the key, delete markers too; all of them go with the object.
        hidden: Whether a delete marker lies above it: `read` finds nothing without a version.
    """

    key: str
    size_bytes: int
    modified_at: datetime
    version: str | None = None
    older: tuple[str, ...] = ()
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class NotDeleted:
    """An object that stays although it was to be deleted, and why.

    `locked_until` is set where a lock keeps it that long; a lock without an end (a legal hold) has the error's code
    `destination_locked` alone.
    """

    key: str
    error: BackupError
    locked_until: datetime | None = None


class Store(Protocol):
    """A place that keeps objects; see this module's docstring for what must hold."""

    @property
    def name(self) -> str:
        """The destination's name in the configuration."""
        ...

    async def put_file(
        self, key: str, source: Path, *, sha256: str, size_bytes: int, retain_until: datetime | None = None
    ) -> None:
        """Store a file, which stays where it is; it must not change meanwhile."""
        ...

    async def put_bytes(self, key: str, data: bytes, *, retain_until: datetime | None = None) -> None:
        """Store a small object."""
        ...

    async def require_made(self) -> None:
        """Refuse to be one that held something and is not there any more; nothing is asked of one that would tell."""
        ...

    def scan(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield what lies under a prefix, which ends with a slash or is empty."""
        ...

    def read(self, key: str, *, version: str | None = None) -> AsyncIterator[bytes]:
        """Yield an object's bytes; those of one version where it is said."""
        ...

    async def delete(self, objects: Iterable[StoredObject]) -> tuple[NotDeleted, ...]:
        """Remove objects with all their versions; return those that stay."""
        ...

    async def locked(self, found: StoredObject) -> NotDeleted | None:
        """Say whether a lock keeps any version of an object from being deleted; None where none is known to."""
        ...

    async def tidy(self, key: str) -> None:
        """Remove what a killed put of this key left."""
        ...

    async def tidy_all(self, *, before: datetime) -> int:
        """Remove what killed puts of any backup left before an instant; return how many there were."""
        ...


def checked_key(key: str) -> str:
    """Return the key, if it can't lead out of a store or be taken for a temporary object.

    Raises:
        ValueError: It could.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a key: {key!r}")
    return key


def checked_prefix(prefix: str) -> str:
    """Return the prefix, if it is empty, or a key with a slash at its end.

    Raises:
        ValueError: It is neither.
    """
    if prefix and not (prefix.endswith("/") and _KEY.fullmatch(prefix[:-1])):
        raise ValueError(f"not a key with a slash at its end: {prefix!r}")
    return prefix


def is_key(text: str) -> bool:
    """Say whether a text can be a key."""
    return _KEY.fullmatch(text) is not None


def could_be_in_key(name: str) -> bool:
    """Say whether a name can stand between the slashes of a key."""
    return "/" not in name and _KEY.fullmatch(name) is not None
