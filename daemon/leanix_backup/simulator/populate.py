"""How a simulated workspace looks when its history begins."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from leanix_backup.clock import format_utc
from leanix_backup.simulator import schema
from leanix_backup.simulator.changelog import Row, User
from leanix_backup.simulator.state import Archived, Relation, State, replaced

RETENTION = timedelta(days=90)  # how long an archived fact sheet is kept

_ADJECTIVES = ("Global", "Regional", "Central", "Legacy", "Digital", "Shared", "Mobile", "Core", "Integrated", "Nordic")
_NOUNS = ("Finance", "Sales", "Logistics", "Payroll", "Treasury", "Customer", "Warehouse", "Risk", "Product", "Claims")
_ENDINGS = ("Platform", "Suite", "Service", "Hub", "Engine", "Portal", "Ledger", "Cockpit", "Gateway", "Store")
_PEOPLE = (
    "Ada Berg",
    "Bo Chen",
    "Cleo Díaz",
    "Dana Ek",
    "Emil Fuchs",
    "Finn Gül",
    "Gwen Hall",
    "Hugo Ito",
    "Ines Joly",
)
_SEALS = ("APPROVED", "BROKEN", "DISABLED", "DRAFT")
_TWO_YEARS_S = 2 * 365 * 86400
_FILLED = 0.6  # share of the custom fields that are
_LIFECYCLES = tuple(
    tuple(
        f"{year + 2 * step}-{1 + step * 2:02d}-01" if step >= first and step != skipped else None for step in range(5)
    )
    for year in range(2015, 2023)
    for first in range(4)
    for skipped in (1, 3)
)
_CHILDREN = 0.7  # share of the hierarchical fact sheets that have a parent
_DEEPEST = 4


def made_users(chance: random.Random) -> tuple[User, ...]:
    """The people of a workspace, always the same names."""
    return tuple(
        User(made_id(chance), name, f"{name.split()[0].lower()}.{number}@example.com")
        for number, name in enumerate(_PEOPLE, 1)
    )


def made_id(chance: random.Random) -> str:
    """A UUID of version 4, from that chance."""
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def pick(chance: random.Random, choices: tuple[Any, ...]) -> Any:
    """One of them; several times as fast as `choice`, which counts at 200,000 fact sheets."""
    return choices[int(chance.random() * len(choices))]


def populate(state: State, chance: random.Random, *, fact_sheets: int, archiving: bool, at: datetime) -> None:
    """Fill an empty state with what there is at that instant."""
    _add_tags(state, chance)
    for kind in _kinds(fact_sheets):
        parent = found_parent(state, chance, kind)
        created = at - timedelta(seconds=int(chance.random() * _TWO_YEARS_S))
        row = made_fact_sheet(state, chance, kind, at=created, parent=parent)
        state.add(row)
        if parent:
            state.link(made_relation(state, chance, schema.CHILD_PARENT, row[0], parent[0]))
        draw = chance.random()
        if draw < 0.08:  # noqa: PLR2004
            state.comments[row[0]] = (made_comment(state, chance, row[0], at=created + timedelta(hours=1)),)
        elif draw < 0.16:  # noqa: PLR2004
            state.documents[row[0]] = (made_document(chance, row[0], at=created + timedelta(hours=1)),)
    for kind, (source, target, share) in schema.RELATION_TYPES.items():
        for _ in range(int(len(state.pools[source]) * share)):
            ends = state.pools[source].pick(chance), state.pools[target].pick(chance)
            if ends[0] and ends[1]:
                state.link(made_relation(state, chance, kind, ends[0], ends[1]))
    if archiving:
        for kind in _kinds(fact_sheets // 50):
            archived_at = at - timedelta(seconds=int(chance.random() * RETENTION.total_seconds()))
            row = made_fact_sheet(state, chance, kind, at=archived_at - timedelta(days=100), parent=None)
            row = replaced(replaced(row, schema.STATUS, "ARCHIVED"), schema.UPDATED_AT, format_utc(archived_at))
            state.keep_archived(row[0], Archived(row, archived_at, (), (), ()))
    _count_tags(state)


def made_fact_sheet(state: State, chance: random.Random, kind: str, *, at: datetime, parent: Row | None) -> Row:
    """A new fact sheet as of that instant; it is not in the state yet."""
    random_share = chance.random
    identifier = made_id(chance)
    number = chance.getrandbits(24)
    name = f"{pick(chance, _ADJECTIVES)} {pick(chance, _NOUNS)} {pick(chance, _ENDINGS)} {number:06x}"
    level = parent[schema.LEVEL] + 1 if parent else 1
    instant = format_utc(at)
    lifecycle = pick(chance, _LIFECYCLES)
    tags = tuple(pick(chance, names) if random_share() < 0.3 else None for names in schema.TAG_GROUPS.values())  # noqa: PLR2004
    people = state.users
    custom = tuple(
        [pick(chance, values) if random_share() < _FILLED else None for values in _custom_values(kind, state.columns)]
    )
    return (
        identifier,
        kind,
        name,
        display_name(name, parent),
        "ACTIVE",
        f"{name} serves {pick(chance, _NOUNS)} in <{pick(chance, _ADJECTIVES)}> & keeps its {pick(chance, _ENDINGS)}."
        if random_share() < 0.8  # noqa: PLR2004
        else None,
        None,
        int(random_share() * 101) / 100,
        pick(chance, _SEALS),
        "ACTIVE" if number % 7 else "DRAFT",
        instant,
        instant,
        None,
        level if kind == schema.HIERARCHICAL else 1,
        None,
        None,
        None,
        f"EXT-{number}" if number % 3 == 0 else None,
        None,
        *lifecycle,
        *tags,
        pick(chance, schema.LOOSE_TAGS) if random_share() < 0.1 else None,  # noqa: PLR2004
        pick(chance, people).email,
        pick(chance, people).email if number % 4 == 0 else None,
        None,
        *custom,
    )


def found_parent(state: State, chance: random.Random, kind: str) -> Row | None:
    """A parent for a new fact sheet, where its type knows such and the hierarchy is not too deep already."""
    if kind != schema.HIERARCHICAL or chance.random() > _CHILDREN:
        return None
    parent = state.pools[kind].pick(chance)
    row = state.active[parent] if parent else None
    return row if row and row[schema.LEVEL] < _DEEPEST else None


@cache
def _custom_values(kind: str, columns: int) -> tuple[tuple[str, ...], ...]:
    keys = schema.fact_sheet_keys(kind, columns)[schema.CUSTOM_PLACE :]
    return tuple(schema.custom_values(key) for key in keys)


def display_name(name: str, parent: Row | None) -> str:
    """The name with its parent's before it, as LeanIX shows hierarchies."""
    return f"{parent[schema.DISPLAY_NAME]} / {name}" if parent else name


def made_relation(state: State, chance: random.Random, kind: str, from_id: str, to_id: str) -> Relation:
    """A new relation between two active fact sheets; it is not in the state yet."""
    source, target = state.active[from_id], state.active[to_id]
    since = f"20{15 + int(chance.random() * 10)}-01-01" if chance.random() < 0.3 else None  # noqa: PLR2004
    row = (
        made_id(chance),
        kind,
        source[schema.DISPLAY_NAME],
        source[schema.TYPE],
        target[schema.DISPLAY_NAME],
        target[schema.TYPE],
        "ACTIVE",
        since,
        None,
        None,
        None,
    )
    return Relation(row, from_id, to_id)


def made_comment(state: State, chance: random.Random, fact_sheet: str, *, at: datetime) -> Row:
    """A new comment by one of the people."""
    author = pick(chance, state.users)
    message = f"{pick(chance, _ADJECTIVES)} {pick(chance, _NOUNS)}: please check?\nThanks, {author.name}"
    return (fact_sheet, format_utc(at), message, author.email, "OPEN", None, None, None, "COMMENT")


def made_document(chance: random.Random, fact_sheet: str, *, at: datetime) -> Row:
    """A new document (LeanIX calls it a resource): a link."""
    identifier = made_id(chance)
    topic = pick(chance, _NOUNS)
    url = f"https://wiki.example.com/{topic.lower()}/{identifier[:8]}"
    return (identifier, fact_sheet, topic, None, url, format_utc(at), None, None, "website", None, None, "LINK")


def made_tag(chance: random.Random, group: str | None, name: str) -> Row:
    """A new tag that no fact sheet has yet."""
    return (made_id(chance), group, name, None, f"#{chance.getrandbits(24):06x}", "ACTIVE", 0)


def tags_on(row: Row) -> Iterator[tuple[str | None, str]]:
    """The group (None for the loose ones) and name of each tag on a fact sheet."""
    for group, place in schema.TAG_PLACES.items():
        for name in (row[place] or "").split("; "):
            if name:
                yield (None if group == schema.OTHER_TAGS else group), name


def _kinds(count: int) -> Iterator[str]:
    """Types in sensible proportions, exactly that many, smallest remainders last."""
    given = {kind: int(count * share) for kind, share in schema.FACT_SHEET_SHARES.items()}
    given["Application"] += count - sum(given.values())
    for kind, number in given.items():
        for _ in range(number):
            yield kind


def _add_tags(state: State, chance: random.Random) -> None:
    for group, names in schema.TAG_GROUPS.items():
        mode = "SINGLE" if group == schema.SINGLE_TAG_GROUP else "MULTIPLE"
        row = (made_id(chance), group, group[:3].upper(), None, mode, len(names), None)
        state.tag_groups[row[0]] = row
        for name in names:
            tag = made_tag(chance, group, name)
            state.tags[tag[0]] = tag
    for name in schema.LOOSE_TAGS:
        tag = made_tag(chance, None, name)
        state.tags[tag[0]] = tag


def _count_tags(state: State) -> None:
    counts = Counter(tag for row in state.active.values() for tag in tags_on(row))
    place = schema.TAG_KEYS.index("factSheetNumber")
    for identifier, tag in state.tags.items():
        state.tags[identifier] = replaced(tag, place, counts[tag[1], tag[2]])
