"""What lies at which destination, to be read back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from leanix_backup.catalog import Catalog, Half, HiddenCopy
from leanix_backup.naming import BackupKey
from leanix_backup.stores import Store


@dataclass(frozen=True, slots=True)
class Copy:
    """What lies at one destination under one backup's name.

    `half` says what there is where that is not both file and manifest; `hidden` which versions to read where somebody
    deleted it at a destination that keeps versions.
    """

    store: Store
    key: BackupKey
    half: Half | None = None
    hidden: HiddenCopy | None = None

    @property
    def sound(self) -> bool:
        """Whether it is a backup, by the look of it."""
        return self.half is None and self.hidden is None

    @property
    def name(self) -> str:
        """The key that it is known by: the file's, or the manifest's where that is all there is."""
        return self.half.there.key if self.half else self.key.artifact


def copies_of(catalog: Catalog, stores: Iterable[Store]) -> list[Copy]:
    """Say what there is to be read back, halves and hidden ones too, the oldest first."""
    known = {store.name: store for store in stores}
    copies = [Copy(known[copy.destination], found.key) for found in catalog.backups for copy in found.copies]
    copies += [Copy(known[half.destination], half.key, half) for half in catalog.halves]
    copies += [
        Copy(known[hidden.destination], found.key, hidden=hidden)
        for found in (*catalog.backups, *catalog.hidden)
        for hidden in found.hidden
    ]
    return sorted(copies, key=lambda copy: (copy.key.taken_at, copy.key.artifact, copy.store.name))


def newest_of(copies: Sequence[Copy], count: int) -> list[Copy]:
    """Pick the newest of each export of each workspace at each destination; pure.

    What is half or hidden does not count as one of them, and is picked where it is newer than the oldest that does:
    otherwise the newest backup without its manifest would look like a backup that was never made.

    Args:
        copies: What there is, the oldest first.
        count: How many of each.

    Returns:
        Those picked, the oldest first.
    """
    seen: dict[tuple[str, str, str], int] = {}
    picked: list[Copy] = []
    for copy in reversed(copies):
        place = (copy.store.name, copy.key.workspace, copy.key.export.value)
        if seen.get(place, 0) < count:
            picked.append(copy)
            seen[place] = seen.get(place, 0) + copy.sound
    return picked[::-1]


def age_of(half: Half, now: datetime) -> timedelta:
    """Say for how long a half has been there."""
    return now - half.there.modified_at
