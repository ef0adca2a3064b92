"""Which backup somebody means: a run id or its start, a key, or a time. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, time, timedelta

from leanix_backup.errors import UsageError
from leanix_backup.model import ExportType
from leanix_backup.naming import BackupKey, parse_key

from .backups import Backup

_SHORTEST_RUN_PREFIX = 4
_RUN_ID_DIGITS = 32


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
    is_meant = _meaning(selector)
    matches = [found for found in backups if is_meant(found.key)]
    if not matches:
        raise _no_such(selector, "see `leanix-backup list`")
    if len(matches) > 1:
        raise UsageError(
            f"{selector} means {len(matches)} backups",
            code="ambiguous_selector",
            hint="give more digits, or the key: " + ", ".join(found.key.artifact for found in matches[:3]),
        )
    return matches[0]


def is_start_of(selector: str, run_id: str) -> bool:
    """Say whether a selector that may be (the start of) a run id is of this one; of others it is true.

    A key holds eight digits of a run id only: a selector with more is proved by the manifest.
    """
    if "@" in selector or "/" in selector:
        return True
    return run_id.replace("-", "").startswith(selector.lower().replace("-", ""))


def _meaning(selector: str) -> Callable[[BackupKey], bool]:
    """Read a run id, the start of one, or a key, as the question whether it means a backup."""
    if "/" in selector:
        key = parse_key(selector)
        return lambda each: each == key
    start = selector.lower().replace("-", "")
    if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_RUN_PREFIX},{_RUN_ID_DIGITS}}}", start):
        raise _no_such(selector, "a run id starts with at least four hex digits; or acme/snapshot@latest, or a key")
    return lambda each: start.startswith(each.run8) or each.run8.startswith(start)


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
