"""The list of exports as LeanIX shows it: rows, filters, order, pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from leanix_backup.model import ExportType
from leanix_backup.simulator.clock import SimClock
from leanix_backup.simulator.exports import Export
from leanix_backup.simulator.replies import Refused, instant
from leanix_backup.simulator.settings import WorkspaceSettings
from leanix_backup.simulator.switches import Switches

ALL_TYPES = (
    *(member.value for member in ExportType),
    "INVENTORY_IMPORT",
    "INVENTORY_EXPORT",
    "WS_SYNC",
    "REPORT_SYNC",
    "AUDIT_LOG_LEGACY",
)
DEFAULT_PAGE = 40
LARGEST_PAGE = 100
_SORTABLE = ("createdAt", "type", "status", "id")
_CURSOR = "array:"


def export_list(
    exports: list[Export], query: Mapping[str, str], settings: WorkspaceSettings, switches: Switches, clock: SimClock
) -> dict[str, Any]:
    """Answer a list call: `data`, `total`, `endCursor`.

    Args:
        exports: The rows that there are, oldest first.
        query: The call's query parameters.
        settings: Whose rows are ours.
        switches: How rows look.
        clock: For the server's own time.

    Raises:
        Refused: A parameter that LeanIX would not take either.
    """
    rows = _filtered(exports, query, settings, switches)
    direction = query.get("sortDirection") or "ASC"
    sorting = query.get("sorting") or "createdAt"
    if direction not in {"ASC", "DESC"} or sorting not in _SORTABLE:
        raise Refused(400, "sorting or sortDirection is invalid", value=f"{sorting} {direction}")
    if sorting != "createdAt":
        rows = sorted(rows, key=lambda export: str(getattr(export, sorting)))
    if direction == "DESC":
        rows = rows[::-1]
    size = _page_size(query.get("pageSize") or str(DEFAULT_PAGE))
    first = _after_cursor(query.get("cursor") or "")
    page = rows[first : first + size]
    return {
        "data": [row_json(export, settings, switches, clock) for export in page],
        "total": len(rows),
        "endCursor": cursor_at(first + len(page) - 1) if page else None,
    }


def cursor_at(place: int) -> str:
    """The cursor that says: the last row so far was this one, counted from zero."""
    return base64.b64encode(f"{_CURSOR}{place}".encode()).decode()


def row_json(export: Export, settings: WorkspaceSettings, switches: Switches, clock: SimClock) -> dict[str, Any]:
    """One row as the switches want it; keys in the order of the documented sample."""

    def shown(moment: Any) -> str | None:
        return instant(clock.to_server(moment), switches.fraction_digits) if moment else None

    full = switches.row_fields != "minimal"
    row: dict[str, Any] = {"id": export.id}
    if full:
        row |= _user_fields(export, settings, switches)
    row["type"] = export.type.value
    row["status"] = export.odd_status if export.odd_until and export.status == "STARTED" else export.status
    if switches.row_fields == "all":
        ready = export.key is not None
        row["localFilename"] = f"{export.id}.xlsx" if ready else None
        row["downloadFilename"] = f"{settings.name}_{export.type.value}.xlsx" if ready else None
    if switches.row_shows_created_at:
        row["createdAt"] = shown(export.created_at)
    if full:
        row["deleteAt"] = shown(export.delete_at)
        row["dryRun"] = False
    if export.shows_key(clock.now()) or (not export.usable and switches.gone_key == "kept"):
        row["downloadKey"] = export.key
    elif full and (export.usable or not (export.key and switches.gone_key == "absent")):
        row["downloadKey"] = None
    if full:
        row |= dict.fromkeys(("factSheetTypes", "factSheetCount", "columnCount", "bookmark"))
    return row


def _user_fields(export: Export, settings: WorkspaceSettings, switches: Switches) -> dict[str, Any]:
    user_id = _user_id(export, settings, switches)
    shown = switches.row_user
    fields: dict[str, Any] = {}
    if shown in {"both", "userId_only"} or (switches.row_fields == "all" and shown != "absent"):
        fields["userId"] = user_id
    if shown in {"both", "user_only", "other_id"}:
        fields["user"] = _user_json(export, user_id)
    return fields


def _user_id(export: Export, settings: WorkspaceSettings, switches: Switches) -> str:
    if export.user is not None:
        return export.user.id
    return settings.row_user_id if switches.row_user == "other_id" else settings.user_id


def _user_json(export: Export, user_id: str) -> dict[str, Any]:
    if export.user is None:
        first, last, mail, technical = None, "Technical User", None, True
    else:
        first, _, last = export.user.name.partition(" ")
        mail, technical = export.user.email, False
    name = last if technical else f"{first} {last}"
    return {
        "id": user_id,
        "firstName": first,
        "lastName": last,
        "displayName": name,
        "userName": name if technical else mail,
        "email": mail,
        "technicalUser": technical,
        "role": "ACCOUNTUSER",
        "status": "ACTIVE",
    }


def _filtered(
    exports: list[Export], query: Mapping[str, str], settings: WorkspaceSettings, switches: Switches
) -> list[Export]:
    wanted = [kind.strip() for kind in (query.get("exportType") or "").split(",") if kind.strip()]
    for kind in wanted:
        if kind not in ALL_TYPES:
            raise Refused(400, "exportType is unknown", value=kind)
    user = query.get("userId")
    return [
        export
        for export in exports
        if (export.type.value in wanted if wanted else export.type is not ExportType.ARCHIVE)
        and (not user or _user_id(export, settings, switches) == user)
    ]


def _page_size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LARGEST_PAGE:
        raise Refused(400, f"pageSize must be between 1 and {LARGEST_PAGE}", value=text)
    return int(text)


def _after_cursor(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        text = base64.b64decode(cursor, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    place = text.removeprefix(_CURSOR)
    if not text.startswith(_CURSOR) or not place.isdigit():
        raise Refused(400, "cursor is invalid", value=cursor)
    return int(place) + 1
