"""What a simulated workspace holds at one instant.

Rows are immutable tuples and replaced, never changed: a shallow copy of the dicts is a consistent cut.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from leanix_backup.simulator import schema
from leanix_backup.simulator.changelog import Row, User


class Relation(NamedTuple):
    """A relation's row, and the ids of the fact sheets at its ends (which the row does not have)."""

    row: Row
    from_id: str
    to_id: str

    @property
    def id(self) -> str:
        """The relation's id."""
        identifier: str = self.row[0]
        return identifier


class Archived(NamedTuple):
    """An archived fact sheet with everything that left the snapshot together with it."""

    row: Row
    at: datetime
    relations: tuple[Relation, ...]
    documents: tuple[Row, ...]
    comments: tuple[Row, ...]


class Pool:
    """A set of ids to pick from at random; every operation takes constant time and is deterministic."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, identifier: str) -> None:
        """Put an id in that is not in it."""
        self._places[identifier] = len(self._ids)
        self._ids.append(identifier)

    def remove(self, identifier: str) -> None:
        """Take an id out that is in it."""
        place = self._places.pop(identifier)
        last = self._ids.pop()
        if last != identifier:
            self._ids[place] = last
            self._places[last] = place

    def pick(self, chance: random.Random) -> str | None:
        """Any of them, or None where there is none; chance is drawn on in both cases."""
        draw = chance.random()
        return self._ids[int(draw * len(self._ids))] if self._ids else None


@dataclass(slots=True)
class State:
    """Everything in the workspace, with the indexes that keep each change cheap."""

    columns: int
    users: tuple[User, ...]
    active: dict[str, Row] = field(default_factory=dict)
    archived: dict[str, Archived] = field(default_factory=dict)
    relations: dict[str, Relation] = field(default_factory=dict)
    comments: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    documents: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    tag_groups: dict[str, Row] = field(default_factory=dict)
    tags: dict[str, Row] = field(default_factory=dict)
    links: dict[str, list[str]] = field(default_factory=dict)
    pool: Pool = field(default_factory=Pool)
    pools: dict[str, Pool] = field(default_factory=lambda: {kind: Pool() for kind in schema.FACT_SHEET_TYPES})
    relation_pool: Pool = field(default_factory=Pool)
    archived_pool: Pool = field(default_factory=Pool)

    def add(self, row: Row) -> None:
        """Put an active fact sheet in."""
        self.active[row[0]] = row
        self.pool.add(row[0])
        self.pools[row[schema.TYPE]].add(row[0])

    def archive(self, identifier: str, archived: Archived) -> None:
        """Move a fact sheet out of the active ones; its relations must be gone already."""
        row = self.active.pop(identifier)
        self.pool.remove(identifier)
        self.pools[row[schema.TYPE]].remove(identifier)
        self.comments.pop(identifier, None)
        self.documents.pop(identifier, None)
        self.keep_archived(identifier, archived)

    def keep_archived(self, identifier: str, archived: Archived) -> None:
        """Put an archived fact sheet in."""
        self.archived[identifier] = archived
        self.archived_pool.add(identifier)

    def unarchive(self, identifier: str) -> Archived:
        """Take an archived fact sheet out."""
        self.archived_pool.remove(identifier)
        return self.archived.pop(identifier)

    def link(self, relation: Relation) -> None:
        """Put a relation between two active fact sheets in."""
        self.relations[relation.id] = relation
        self.relation_pool.add(relation.id)
        for end in {relation.from_id: None, relation.to_id: None}:
            self.links.setdefault(end, []).append(relation.id)

    def unlink(self, identifier: str) -> Relation:
        """Take a relation out."""
        relation = self.relations.pop(identifier)
        self.relation_pool.remove(identifier)
        for end in {relation.from_id: None, relation.to_id: None}:
            linked = self.links[end]
            linked.remove(identifier)
            if not linked:
                del self.links[end]
        return relation

    def links_of(self, identifier: str) -> list[Relation]:
        """All relations of a fact sheet, oldest first."""
        return [self.relations[linked] for linked in self.links.get(identifier, ())]

    def has_children(self, identifier: str) -> bool:
        """Whether another fact sheet's display name hangs on this one's."""
        return any(
            relation.row[schema.REL_TYPE] == schema.CHILD_PARENT and relation.to_id == identifier
            for relation in self.links_of(identifier)
        )

    def keys(self, row: Row) -> tuple[str, ...]:
        """Field keys of a fact sheet's row."""
        return schema.fact_sheet_keys(row[schema.TYPE], self.columns)


def replaced(row: Row, place: int, value: Any) -> Row:
    """The row with another value in that place."""
    return (*row[:place], value, *row[place + 1 :])


def filled(keys: tuple[str, ...], row: Row) -> dict[str, Any]:
    """A whole object as the changelog carries it: its cells that are not empty."""
    return {key: value for key, value in zip(keys, row, strict=True) if value is not None}
