"""Whoever changes the simulated workspace does it through a scribe, who writes every change down."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

from leanix_backup.clock import format_utc
from leanix_backup.simulator import changelog, schema
from leanix_backup.simulator.changelog import Entry, Row, User
from leanix_backup.simulator.populate import made_id, tags_on
from leanix_backup.simulator.state import Relation, State, filled, replaced

_NUMBER_PLACE = schema.TAG_KEYS.index("factSheetNumber")


class Scribe:
    """Write the entries of one happening.

    Methods that change a row put the new one into the state; those that take `there` or `created` only write down what
    the caller has done to the state.
    """

    def __init__(self, state: State, chance: random.Random, at: datetime, user: User) -> None:
        self.state = state
        self.chance = chance
        self.at = at
        self.user = user
        self.instant = format_utc(at)
        self.entries: list[Entry] = []

    def fact_sheet(self, event: str, row: Row, changes: dict[int, Any], field: str) -> Row:
        """Change some places of an active fact sheet; `updatedAt` and the tags' numbers follow."""
        new = row
        for place, value in {**changes, schema.UPDATED_AT: self.instant}.items():
            new = replaced(new, place, value)
        self.state.active[row[0]] = new
        self._changed(event, "FACT_SHEET", row[schema.TYPE], self.state.keys(row), row, new, row[0], field)
        self._recount(row, new)
        return new

    def whole_fact_sheet(self, event: str, row: Row, *, there: bool, recount: bool = True) -> None:
        """Write down a fact sheet that came, moved or went; `there`: the entry's `new` has it whole."""
        self._whole(event, "FACT_SHEET", row[schema.TYPE], self.state.keys(row), row, row[0], there=there)
        if recount:
            self._recount(None if there else row, row if there else None)

    def recount_without(self, row: Row) -> None:
        """Let the tags' numbers follow a fact sheet that is not active any more."""
        self._recount(row, None)

    def relation(self, event: str, relation: Relation, *, there: bool) -> None:
        """Write down a relation that came, moved or went."""
        row = relation.row
        self._whole(event, "RELATION", row[1], schema.RELATION_KEYS, row, relation.from_id, there=there)

    def relation_changed(self, relation: Relation, row: Row) -> None:
        """Change the row of an active relation."""
        self.state.relations[relation.id] = relation._replace(row=row)
        self._changed(
            changelog.RELATION_UPDATED,
            "RELATION",
            row[1],
            schema.RELATION_KEYS,
            relation.row,
            row,
            relation.from_id,
            None,
        )

    def comment(self, event: str, row: Row, *, created: bool) -> None:
        """Write down a comment that came, moved or went."""
        self._whole(event, "COMMENT", "Comments", schema.COMMENT_KEYS, row, row[0], there=created)

    def document(self, event: str, row: Row, *, created: bool) -> None:
        """Write down a document that came, moved or went."""
        self._whole(event, "DOCUMENT", "Documents", schema.DOCUMENT_KEYS, row, row[1], there=created)

    def tag(self, event: str, old: Row | None, new: Row) -> None:
        """Put a tag's row into the state."""
        self.state.tags[new[0]] = new
        if old is None:
            self._whole(event, "TAG", "Tags", schema.TAG_KEYS, new, None, there=True)
        else:
            self._changed(event, "TAG", "Tags", schema.TAG_KEYS, old, new, None, "factSheetNumber")

    def tag_group(self, old: Row, new: Row) -> None:
        """Put a tag group's row into the state."""
        self.state.tag_groups[new[0]] = new
        keys = schema.TAG_GROUP_KEYS
        self._changed(changelog.TAG_GROUP_UPDATED, "TAG_GROUP", "TagGroups", keys, old, new, None, "numberOfTags")

    def _recount(self, old: Row | None, new: Row | None) -> None:
        before = set(tags_on(old)) if old else set()
        after = set(tags_on(new)) if new else set()
        if before == after:
            return
        for tag in list(self.state.tags.values()):
            named = (tag[1], tag[2])
            step = (named in after) - (named in before)
            if step:
                self.tag(changelog.TAG_UPDATED, tag, replaced(tag, _NUMBER_PLACE, tag[_NUMBER_PLACE] + step))

    def _changed(  # noqa: PLR0917  (called from here only)
        self,
        event: str,
        object_type: str,
        sheet: str,
        keys: tuple[str, ...],
        old: Row,
        new: Row,
        fact_sheet: str | None,
        field: str | None,
    ) -> None:
        places = [place for place, (was, now) in enumerate(zip(old, new, strict=True)) if was != now]
        self._write(
            event,
            object_type,
            sheet,
            new[0],
            fact_sheet,
            field,
            {keys[place]: old[place] for place in places},
            {keys[place]: new[place] for place in places},
        )

    def _whole(  # noqa: PLR0917  (called from here only)
        self,
        event: str,
        object_type: str,
        sheet: str,
        keys: tuple[str, ...],
        row: Row,
        fact_sheet: str | None,
        *,
        there: bool,
    ) -> None:
        identifier = f"{row[0]}/{row[1]}" if object_type == "COMMENT" else row[0]  # comments have no id
        whole = filled(keys, row)
        self._write(
            event, object_type, sheet, identifier, fact_sheet, None, None if there else whole, whole if there else None
        )

    def _write(  # noqa: PLR0917  (called from here only)
        self,
        event: str,
        object_type: str,
        sheet: str,
        identifier: str,
        fact_sheet: str | None,
        field: str | None,
        old: dict[str, Any] | None,
        new: dict[str, Any] | None,
    ) -> None:
        entry = Entry(
            made_id(self.chance), self.at, self.user, event, object_type, sheet, identifier, fact_sheet, field, old, new
        )
        self.entries.append(entry)
