"""The contract of a store: put, scan, read, delete. No policy lives in a store.

What MUST hold, for every store; `tests/contract` runs one suite over all of them:

- **A key is whole or not there.** At no instant, whatever dies, can a reader see part of an object under its key.
- **put** returns only when the object would survive a power cut. What is stored is proved to be what was hashed: where
  the bytes are copied they are hashed again on the way, and a difference is `checksum_mismatch` with nothing stored.
  Putting the same content under the same key again is a success and changes nothing. Other content under that key is
  a ConflictError, and what is there stays. After an error or a cancellation there is nothing under the key, and no
  temporary object that `scan` would show.
- **scan** yields every object under a prefix once, in no particular order, with its size; it opens none. Objects
  that are put or deleted meanwhile may or may not be seen. Temporary objects are never seen. Where a part can't be
  read, the rest is yielded first and the error comes at the end.
- **read** yields an object's bytes in order, in constant memory; NotStoredError where there is none.
- **delete** removes an object; one that is not there is a success, as after a crash nobody knows.
- **tidy** removes what a put of a key left that was killed on its way; nobody may be putting that key meanwhile. What
  lies under the key itself stays.
- Errors are StoreErrors with a code, a hint, and whether another try may help. A cancellation takes effect after one
  block of work (some MiB) at the latest.

Keys are relative, with slashes; a key that would lead out of the store is refused, and so is a prefix that does not
end with a slash (ValueError: it is our own mistake).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

NOT_MADE_YET = "destination_missing"  # the code of an error: the store itself is not there, or not yet
_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_KEY = re.compile(rf"{_PART}(/{_PART})*")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a store."""

    key: str
    size_bytes: int


class Store(Protocol):
    """A place that keeps objects; see this module's docstring for what must hold."""

    @property
    def name(self) -> str:
        """The destination's name in the configuration."""
        ...

    async def put_file(self, key: str, source: Path, *, sha256: str, size_bytes: int) -> None:
        """Store a file, which stays where it is; it must not change meanwhile."""
        ...

    async def put_bytes(self, key: str, data: bytes) -> None:
        """Store a small object."""
        ...

    def scan(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield what lies under a prefix, which ends with a slash or is empty."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object."""
        ...

    async def tidy(self, key: str) -> None:
        """Remove what a killed put of this key left."""
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


def could_be_in_key(name: str) -> bool:
    """Say whether a name can stand between the slashes of a key."""
    return "/" not in name and _KEY.fullmatch(name) is not None
