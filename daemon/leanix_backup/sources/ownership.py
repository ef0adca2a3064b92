"""Which row of the list is ours (design §2.1). Pure.

The reply to the request names no export, and the list is the whole workspace's. So ours is worked out: a row that was
not there before, of our type, not created before we asked by the server's own clock, and of our user where rows name
one. Where that leaves a doubt, nothing is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from leanix_backup.errors import LeanixError
from leanix_backup.leanix.wire import ExportRow
from leanix_backup.model import ExportType

EXPORT_NOT_FOUND = "export_not_found"
CLOCK_GRACE = timedelta(seconds=5)
_STUCK = timedelta(days=1)
_ENDED = {"COMPLETED", "DOWNLOADED", "ERROR", "DELETED", "CANCELED"}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Intent:
    """What was known before the request was sent; written down first, so that a restart can still tell what is ours.

    Attributes:
        export: The type that is asked for.
        seen_ids: The ids of all rows of that type that were in the list.
        server_time: The server's clock then; None where it did not say.
        user_id: Who we are, as rows name users; None where nobody knows.
        posts: How many requests of ours may each have started an export since: so many rows can be ours.
    """

    export: ExportType
    seen_ids: frozenset[str]
    server_time: datetime | None
    user_id: str | None
    posts: int = 1


def find_ours(rows: Iterable[ExportRow], intent: Intent, *, waited_out: bool) -> ExportRow | None:
    """Find our row, or None while it may still appear; of several that are all ours, the newest.

    Args:
        rows: The list as it is now.
        intent: What was known before the request.
        waited_out: Whether `row_wait` has passed: then a row that names no user is taken, if it is the only one.

    Raises:
        LeanixError: `export_ambiguous` where more rows could be ours than we sent requests.
    """
    candidates = [row for row in rows if _is_new(row, intent)]
    named = [row for row in candidates if intent.user_id is not None and intent.user_id in row.user_ids]
    nameless = [row for row in candidates if not row.user_ids]
    if named or waited_out:
        possible = named or nameless
        if len(possible) > intent.posts:
            raise _ambiguous(possible)
        return max(possible, key=_created, default=None)
    return None


def under_way(
    rows: Iterable[ExportRow], export: ExportType, *, server_time: datetime | None, patience: timedelta = _STUCK
) -> tuple[ExportRow, ...]:
    """Find the exports of a type that have not ended; one that is older than `patience` will not end any more."""
    return tuple(
        row
        for row in rows
        if row.type == export.value
        and row.status not in _ENDED
        and (row.created_at is None or server_time is None or row.created_at > server_time - patience)
    )


def not_found(rows: Iterable[ExportRow], intent: Intent) -> LeanixError:
    """Explain that no row is ours, with the ids of those that are new but name somebody else."""
    others = [row.id for row in rows if _is_new(row, intent)]
    if others:
        return LeanixError(
            f"the export does not appear in the list under our user; new there, of others: {', '.join(others[:10])}",
            code=EXPORT_NOT_FOUND,
            hint="if one of these is ours, rows name another user id than the token: set workspaces.….user_id",
        )
    return LeanixError(
        f"the export does not appear in the list; all {len(intent.seen_ids)} rows were there before",
        code=EXPORT_NOT_FOUND,
        hint="LeanIX confirmed the export but does not list it; look at the workspace's export page",
        retryable=True,  # it may have confirmed with another one in mind that was under way
    )


def is_old(row: ExportRow, intent: Intent) -> bool:
    """Say whether this row, and so every older one, can't be ours."""
    return row.id in intent.seen_ids


def _is_new(row: ExportRow, intent: Intent) -> bool:
    if row.type != intent.export.value or row.id in intent.seen_ids:
        return False
    if row.created_at is None or intent.server_time is None:
        return True
    return row.created_at >= intent.server_time - CLOCK_GRACE


def _created(row: ExportRow) -> datetime:
    return row.created_at or _LONG_AGO


def _ambiguous(rows: list[ExportRow]) -> LeanixError:
    return LeanixError(
        f"{len(rows)} new exports could be ours, so none is taken: {', '.join(row.id for row in rows[:10])}",
        code="export_ambiguous",
        hint="another tool exports at the same time; give each a technical user, or a time, of its own",
    )
