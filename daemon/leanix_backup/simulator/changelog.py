"""One entry of the changelog: what changed, when, by whom, from what to what."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

Row = tuple[Any, ...]


class User(NamedTuple):
    """Somebody who works in the simulated workspace."""

    id: str
    name: str
    email: str


class Entry(NamedTuple):
    """One change of one object; several entries of one happening share their instant.

    `old` and `new` hold the columns that changed, by field key; a creation, an archiving and a recovery carry the whole
    object in `new`, a removal has it in `old` and None in `new`. None as a value: the cell is empty.
    """

    id: str
    at: datetime
    user: User
    event: str
    object_type: str
    sheet: str
    object_id: str
    fact_sheet_id: str | None
    field: str | None
    old: dict[str, Any] | None
    new: dict[str, Any] | None


FACT_SHEET_CREATED = "FACT_SHEET_CREATED"
FACT_SHEET_UPDATED = "FACT_SHEET_UPDATED"
FACT_SHEET_ARCHIVED = "FACT_SHEET_ARCHIVED"
FACT_SHEET_RECOVERED = "FACT_SHEET_RECOVERED"
FACT_SHEET_DELETED = "FACT_SHEET_DELETED"  # for good, 90 days after archiving
TAG_ADDED = "FACT_SHEET_TAG_ADDED"
TAG_REMOVED = "FACT_SHEET_TAG_REMOVED"
SUBSCRIPTION_CHANGED = "SUBSCRIPTION_CHANGED"
RELATION_CREATED = "RELATION_CREATED"
RELATION_UPDATED = "RELATION_UPDATED"
RELATION_ARCHIVED = "RELATION_ARCHIVED"  # because a fact sheet at one of its ends was
RELATION_RECOVERED = "RELATION_RECOVERED"
RELATION_DELETED = "RELATION_DELETED"
TAG_CREATED = "TAG_CREATED"
TAG_UPDATED = "TAG_UPDATED"
TAG_GROUP_UPDATED = "TAG_GROUP_UPDATED"
COMMENT_CREATED = "COMMENT_CREATED"
COMMENT_ARCHIVED = "COMMENT_ARCHIVED"  # together with its fact sheet, as are the next three
COMMENT_RECOVERED = "COMMENT_RECOVERED"
COMMENT_DELETED = "COMMENT_DELETED"
DOCUMENT_CREATED = "DOCUMENT_CREATED"
DOCUMENT_ARCHIVED = "DOCUMENT_ARCHIVED"
DOCUMENT_RECOVERED = "DOCUMENT_RECOVERED"
DOCUMENT_DELETED = "DOCUMENT_DELETED"
