"""From what a bucket lists to objects: the versions of one key come together, newest first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from leanix_backup.stores.base import StoredObject, is_key


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a listing: a version of a key, or a delete marker.

    Attributes:
        key: The key as the bucket has it.
        version: The version's id; None where the listing names no versions.
        latest: Whether it is what a reader without a version sees.
        modified_at: When it came there.
        size_bytes: The size of its content; None for a delete marker, which has none.
    """

    key: str
    version: str | None
    latest: bool
    modified_at: datetime
    size_bytes: int | None


class Folding:
    """Put the entries of one key together, whose listing may go on on the next page.

    Args:
        prefix: What all keys begin with, which is not part of the store's own keys.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._open: dict[str, list[Entry]] = {}

    def add(self, page: Iterable[Entry], *, goes_on_in: str | None) -> Iterator[StoredObject]:
        """Take a page, and yield the objects that are complete with it.

        Args:
            page: Its entries, those of one key from the newest to the oldest, markers apart from versions.
            goes_on_in: The key that the next page may have more of; None for the last page.
        """
        for entry in page:
            self._open.setdefault(entry.key, []).append(entry)
        for key in [key for key in self._open if key != goes_on_in]:
            found = fold(key.removeprefix(self._prefix), self._open.pop(key))
            if found is not None:
                yield found


def fold(key: str, entries: list[Entry]) -> StoredObject | None:
    """Make one object of all that a listing has of a key; None for markers without content, and for no key of ours."""
    contents = [entry for entry in entries if entry.size_bytes is not None]
    if not contents or not is_key(key):
        return None
    newest = next((entry for entry in entries if entry.latest), None) or max(entries, key=lambda each: each.modified_at)
    hidden = newest.size_bytes is None
    current = contents[0] if hidden else newest
    return StoredObject(
        key=key,
        size_bytes=current.size_bytes or 0,
        modified_at=current.modified_at.astimezone(UTC),
        version=current.version,
        older=tuple(entry.version for entry in entries if entry is not current and entry.version is not None),
        hidden=hidden,
    )
