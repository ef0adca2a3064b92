"""What there is: backups over all destinations, from their keys alone; and which one a selector means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

import anyio

from leanix_backup import manifest as manifests
from leanix_backup.errors import BackupError, UsageError
from leanix_backup.model import ExportType, FailedCopy, Failure, Manifest, StoredCopy
from leanix_backup.naming import ARTIFACT_SUFFIX, BackupKey, parse_key
from leanix_backup.stores import Store

_MOST_MANIFEST_BYTES = 16 * 1024 * 1024
_SHORTEST_RUN_PREFIX = 4
_RUN_ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Backup:
    """One run's artifact and the destinations that hold it, file and manifest both."""

    key: BackupKey
    size_bytes: int
    copies: tuple[StoredCopy, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """What was found, the oldest first, and which destinations could not be asked."""

    backups: tuple[Backup, ...] = ()
    errors: tuple[FailedCopy, ...] = ()

    def of(self, workspace: str, export: ExportType) -> tuple[Backup, ...]:
        """Pick the backups of one export of one workspace, the oldest first."""
        return tuple(found for found in self.backups if (found.key.workspace, found.key.export) == (workspace, export))


@dataclass(slots=True)
class _Found:
    """What a scan saw of one backup at one destination."""

    size_bytes: int | None = None
    has_manifest: bool = False
    copy: StoredCopy | None = field(default=None)


async def read_catalog(stores: Iterable[Store], *, prefix: str = "") -> Catalog:
    """List the backups at all destinations, side by side; one that is down does not hide the others."""
    found: dict[BackupKey, list[tuple[StoredCopy, int]]] = {}
    errors: list[FailedCopy] = []

    async def ask(store: Store) -> None:
        here, error = await _scan(store, prefix)
        for key, (copy, size) in here.items():
            found.setdefault(key, []).append((copy, size))
        if error is not None:
            errors.append(FailedCopy(store.name, Failure(error.code, error.message, error.hint)))

    async with anyio.create_task_group() as group:
        for store in stores:
            group.start_soon(ask, store)
    backups = [
        Backup(key, copies[0][1], tuple(sorted((copy for copy, _ in copies), key=lambda copy: copy.destination)))
        for key, copies in found.items()
    ]
    backups.sort(key=lambda backup: (backup.key.taken_at, backup.key.artifact))
    return Catalog(tuple(backups), tuple(sorted(errors, key=lambda error: error.destination)))


async def read_manifest(store: Store, key: BackupKey) -> Manifest:
    """Read a backup's manifest.

    Raises:
        BackupError: It is not there or can't be read; `manifest_invalid` where it is none, or another backup's.
    """
    data = bytearray()
    async for block in store.read(key.manifest):
        data += block
        if len(data) > _MOST_MANIFEST_BYTES:
            raise BackupError(
                f"{store.name}: {key.manifest} is too large to be a manifest",
                code="manifest_invalid",
                hint="something else wrote that file; look who has access to the destination",
            )
    try:
        found = manifests.decode(bytes(data))
    except BackupError as error:
        error.message = f"{store.name}: {key.manifest}: {error.message}"
        raise
    if not found.run_id.startswith(key.run8) or found.file.name != f"{key.name}{ARTIFACT_SUFFIX}":
        raise BackupError(
            f"{store.name}: {key.manifest} is the manifest of another backup",
            code="manifest_invalid",
            hint="somebody renamed or copied files at the destination; compare the file's SHA-256 with the log",
        )
    return found


def select(backups: Sequence[Backup], selector: str, *, known: Iterable[str] = ()) -> Backup:
    """Find the backup that a selector means: a run id or the start of one, a key, or `acme/snapshot@latest`.

    Args:
        backups: What there is, the oldest first.
        selector: What somebody typed; a date after `@` means the newest at or before the end of that day, UTC.
        known: Names of workspaces that are configured, for the message.

    Raises:
        UsageError: `no_such_backup` or `ambiguous_selector`.
    """
    if "@" in selector:
        return _select_at(backups, selector, known)
    if "/" in selector:
        key = parse_key(selector)
        matches = [found for found in backups if found.key == key]
    else:
        start = selector.lower().replace("-", "")
        if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_RUN_PREFIX},{_RUN_ID_DIGITS}}}", start):
            raise _no_such(selector, "a run id starts with at least four hex digits; or acme/snapshot@latest, or a key")
        matches = [found for found in backups if start.startswith(found.key.run8) or found.key.run8.startswith(start)]
    if not matches:
        raise _no_such(selector, "see `leanix-backup list`")
    if len(matches) > 1:
        raise UsageError(
            f"{selector} means {len(matches)} backups",
            code="ambiguous_selector",
            hint="give more digits, or the key: " + ", ".join(found.key.artifact for found in matches[:3]),
        )
    return matches[0]


def _select_at(backups: Sequence[Backup], selector: str, known: Iterable[str]) -> Backup:
    place, _, when = selector.partition("@")
    workspace, _, slug = place.partition("/")
    export = ExportType.from_slug(slug.lower().replace("_", "-"))
    if export is None:
        raise _no_such(
            selector, "write acme/snapshot@latest; exports are " + ", ".join(kind.slug for kind in ExportType)
        )
    names = {found.key.workspace for found in backups} | set(known)
    if workspace not in names:
        raise _no_such(selector, "workspaces here: " + (", ".join(sorted(names)) or "none"))
    until = _parse_when(selector, when)
    matches = [
        found
        for found in backups
        if (found.key.workspace, found.key.export) == (workspace, export)
        and (until is None or found.key.taken_at < until)
    ]
    if not matches:
        raise _no_such(selector, "see `leanix-backup list`")
    return matches[-1]


def _parse_when(selector: str, when: str) -> datetime | None:
    """Read what stands after the `@`, as the first instant that is too late; None where there is none."""
    if when == "latest":
        return None
    try:
        instant = datetime.fromisoformat(when)
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _no_such(selector, "after @ comes latest, a date (2027-03-31) or a time (2027-03-31T12:00Z)") from None
    whole_day = "T" not in when and instant.time() == time() and ":" not in when
    try:
        return instant + (timedelta(days=1) if whole_day else timedelta(microseconds=1))
    except OverflowError:  # the end of the calendar
        return None


def _no_such(selector: str, hint: str) -> UsageError:
    return UsageError(f"no backup is {selector!r}", code="no_such_backup", hint=hint)


async def _scan(store: Store, prefix: str) -> tuple[dict[BackupKey, tuple[StoredCopy, int]], BackupError | None]:
    """Find the backups of one destination, those with a file *and* a manifest; and what kept it from being read."""
    seen: dict[BackupKey, _Found] = {}
    failed: BackupError | None = None
    try:
        async for entry in store.scan(prefix):
            key = parse_key(entry.key)
            if key is None:
                continue
            found = seen.setdefault(key, _Found())
            if entry.key.endswith(ARTIFACT_SUFFIX):
                found.size_bytes = entry.size_bytes
                found.copy = StoredCopy(store.name, entry.key)
            else:
                found.has_manifest = True
    except BackupError as error:
        failed = error
    complete = {
        key: (found.copy, found.size_bytes)
        for key, found in seen.items()
        if found.has_manifest and found.copy is not None and found.size_bytes is not None
    }
    return complete, failed
