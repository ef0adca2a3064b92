"""What happens in a simulated workspace: each happening changes the state and says everything it did.

A happening draws on chance in one fixed order, so the same seed gives the same history. Where there is nothing it
could happen to (no fact sheets, say), it does nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from itertools import accumulate
from typing import Any

from leanix_backup.simulator import changelog, schema
from leanix_backup.simulator.archiving import archive, recover
from leanix_backup.simulator.changelog import Entry, Row, User
from leanix_backup.simulator.populate import (
    found_parent,
    made_comment,
    made_document,
    made_fact_sheet,
    made_relation,
    made_tag,
    pick,
)
from leanix_backup.simulator.scribe import Scribe
from leanix_backup.simulator.state import State, replaced

_UPDATED = ("name", "description", "quality", "custom", "custom", "lifecycle")
_QUALITY = ("APPROVED", "BROKEN", "DRAFT")


def happen(state: State, chance: random.Random, at: datetime, *, archiving: bool) -> list[Entry]:
    """Let one thing happen and return its entries; there may be none."""
    draw = chance.random() * _WEIGHTS[-1]
    happening = next(entry for entry, weight in zip(_HAPPENINGS, _WEIGHTS, strict=True) if draw < weight)
    user: User = pick(chance, state.users)
    scribe = Scribe(state, chance, at, user)
    if archiving or happening not in (_archived, _recovered):
        happening(scribe)
    return scribe.entries


def _updated(scribe: Scribe) -> None:
    state, chance = scribe.state, scribe.chance
    identifier = state.pool.pick(chance)
    if identifier is None:
        return
    row = state.active[identifier]
    what = pick(chance, _UPDATED)
    if what == "name" and not state.has_children(identifier):
        _renamed(scribe, row)
        return
    keys = state.keys(row)
    if what == "lifecycle":
        place = schema.LIFECYCLE_PLACE + int(chance.random() * len(schema.LIFECYCLE))
        value: Any = f"20{26 + int(chance.random() * 10)}-0{1 + int(chance.random() * 9)}-01"
    elif what == "custom" and len(keys) > schema.CUSTOM_PLACE:
        place = schema.CUSTOM_PLACE + int(chance.random() * (len(keys) - schema.CUSTOM_PLACE))
        value = pick(chance, (None, *schema.custom_values(keys[place])))
    elif what == "quality":
        place, value = schema.QUALITY_SEAL, pick(chance, _QUALITY)
    else:
        place, value = (
            schema.DESCRIPTION,
            f"As of {scribe.at:%d %B %Y}: reviewed by {scribe.user.name}, no. {chance.getrandbits(20)}.",
        )
    completion = int(chance.random() * 101) / 100
    scribe.fact_sheet(changelog.FACT_SHEET_UPDATED, row, {place: value, schema.COMPLETION: completion}, keys[place])


def _renamed(scribe: Scribe, row: Row) -> None:
    """Give a fact sheet without children another name, also in the rows of its relations."""
    name = f"{row[schema.NAME].rsplit(' ', 1)[0]} {scribe.chance.getrandbits(24):06x}"
    shown = row[schema.DISPLAY_NAME][: -len(row[schema.NAME])] + name
    changes = {schema.NAME: name, schema.DISPLAY_NAME: shown}
    scribe.fact_sheet(changelog.FACT_SHEET_UPDATED, row, changes, "name")
    for relation in scribe.state.links_of(row[0]):
        changed = relation.row
        if relation.from_id == row[0]:
            changed = replaced(changed, schema.REL_FROM_NAME, shown)
        if relation.to_id == row[0]:
            changed = replaced(changed, schema.REL_TO_NAME, shown)
        scribe.relation_changed(relation, changed)


def _tagged(scribe: Scribe) -> None:
    """Add a tag to a fact sheet, or remove it where it is there already."""
    state, chance = scribe.state, scribe.chance
    identifier, tag = state.pool.pick(chance), pick(chance, tuple(state.tags.values()))
    if identifier is None:
        return
    row = state.active[identifier]
    place = schema.TAG_PLACES[tag[1] or schema.OTHER_TAGS]
    present = tuple(name for name in (row[place] or "").split("; ") if name)
    if tag[2] in present:
        left, event = tuple(name for name in present if name != tag[2]), changelog.TAG_REMOVED
    elif tag[1] == schema.SINGLE_TAG_GROUP:
        left, event = (tag[2],), changelog.TAG_ADDED
    else:
        left, event = (*present, tag[2]), changelog.TAG_ADDED
    scribe.fact_sheet(event, row, {place: "; ".join(left) or None}, state.keys(row)[place])


def _subscribed(scribe: Scribe) -> None:
    state, chance = scribe.state, scribe.chance
    identifier, person = state.pool.pick(chance), pick(chance, state.users)
    place = pick(chance, schema.SUBSCRIPTION_PLACES)
    if identifier is None:
        return
    row = state.active[identifier]
    present = (row[place] or "").split("; ") if row[place] else []
    present = (
        [mail for mail in present if mail != person.email] if person.email in present else [*present, person.email]
    )
    scribe.fact_sheet(changelog.SUBSCRIPTION_CHANGED, row, {place: "; ".join(present) or None}, state.keys(row)[place])


def _commented(scribe: Scribe) -> None:
    identifier = scribe.state.pool.pick(scribe.chance)
    if identifier is not None:
        comment = made_comment(scribe.state, scribe.chance, identifier, at=scribe.at)
        scribe.state.comments[identifier] = (*scribe.state.comments.get(identifier, ()), comment)
        scribe.comment(changelog.COMMENT_CREATED, comment, created=True)


def _documented(scribe: Scribe) -> None:
    identifier = scribe.state.pool.pick(scribe.chance)
    if identifier is not None:
        document = made_document(scribe.chance, identifier, at=scribe.at)
        scribe.state.documents[identifier] = (*scribe.state.documents.get(identifier, ()), document)
        scribe.document(changelog.DOCUMENT_CREATED, document, created=True)


def _related(scribe: Scribe) -> None:
    state, chance = scribe.state, scribe.chance
    kind = pick(chance, tuple(schema.RELATION_TYPES)[1:])  # a child gets its parent when it is created
    source, target, _ = schema.RELATION_TYPES[kind]
    from_id, to_id = state.pools[source].pick(chance), state.pools[target].pick(chance)
    if from_id and to_id:
        relation = made_relation(state, chance, kind, from_id, to_id)
        state.link(relation)
        scribe.relation(changelog.RELATION_CREATED, relation, there=True)


def _unrelated(scribe: Scribe) -> None:
    identifier = scribe.state.relation_pool.pick(scribe.chance)
    if identifier and scribe.state.relations[identifier].row[schema.REL_TYPE] != schema.CHILD_PARENT:
        scribe.relation(changelog.RELATION_DELETED, scribe.state.unlink(identifier), there=False)


def _created(scribe: Scribe) -> None:
    state, chance = scribe.state, scribe.chance
    draw = chance.random()
    shares = accumulate(schema.FACT_SHEET_SHARES.values())
    kind = next((kind for kind, share in zip(schema.FACT_SHEET_TYPES, shares, strict=True) if draw < share), "Process")
    parent = found_parent(state, chance, kind)
    row = made_fact_sheet(state, chance, kind, at=scribe.at, parent=parent)
    state.add(row)
    scribe.whole_fact_sheet(changelog.FACT_SHEET_CREATED, row, there=True)
    if parent:
        relation = made_relation(state, chance, schema.CHILD_PARENT, row[0], parent[0])
        state.link(relation)
        scribe.relation(changelog.RELATION_CREATED, relation, there=True)


def _archived(scribe: Scribe) -> None:
    identifier = scribe.state.pool.pick(scribe.chance)
    if identifier is not None and not scribe.state.has_children(identifier):
        archive(scribe, identifier)


def _recovered(scribe: Scribe) -> None:
    identifier = scribe.state.archived_pool.pick(scribe.chance)
    if identifier is not None:
        recover(scribe, identifier)


def _tag_created(scribe: Scribe) -> None:
    state, chance = scribe.state, scribe.chance
    group = pick(chance, tuple(state.tag_groups.values()))
    tag = made_tag(chance, group[1], f"Tag {chance.getrandbits(24):06x}")
    state.tags[tag[0]] = tag
    scribe.tag(changelog.TAG_CREATED, None, tag)
    place = schema.TAG_GROUP_KEYS.index("numberOfTags")
    scribe.tag_group(group, replaced(group, place, group[place] + 1))


_SHARES: dict[Callable[[Scribe], None], float] = {
    _updated: 50,
    _tagged: 10,
    _subscribed: 5,
    _commented: 8,
    _documented: 3,
    _related: 12,
    _unrelated: 4,
    _created: 2,
    _archived: 2.5,
    _recovered: 0.8,
    _tag_created: 0.3,
}
_HAPPENINGS = tuple(_SHARES)
_WEIGHTS = tuple(accumulate(_SHARES.values()))
