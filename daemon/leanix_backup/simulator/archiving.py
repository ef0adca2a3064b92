"""Archiving, recovering and deleting for good: what belongs to a fact sheet goes and comes with it."""

from __future__ import annotations

from leanix_backup.simulator import changelog, schema
from leanix_backup.simulator.changelog import Row
from leanix_backup.simulator.populate import display_name
from leanix_backup.simulator.scribe import Scribe
from leanix_backup.simulator.state import Archived, Relation, State, replaced


def archive(scribe: Scribe, identifier: str) -> None:
    """Archive an active fact sheet that has no children, with its relations, documents and comments."""
    state = scribe.state
    row = state.active[identifier]
    new = replaced(replaced(row, schema.STATUS, "ARCHIVED"), schema.UPDATED_AT, scribe.instant)
    scribe.whole_fact_sheet(changelog.FACT_SHEET_ARCHIVED, new, there=True, recount=False)
    scribe.recount_without(row)
    relations = []
    for relation in state.links_of(identifier):
        state.unlink(relation.id)
        moved = relation._replace(row=replaced(relation.row, schema.REL_STATUS, "ARCHIVED"))
        relations.append(moved)
        scribe.relation(changelog.RELATION_ARCHIVED, moved, there=True)
    documents, comments = state.documents.get(identifier, ()), state.comments.get(identifier, ())
    for document in documents:
        scribe.document(changelog.DOCUMENT_ARCHIVED, document, created=True)
    for comment in comments:
        scribe.comment(changelog.COMMENT_ARCHIVED, comment, created=True)
    state.archive(identifier, Archived(new, scribe.at, tuple(relations), documents, comments))


def recover(scribe: Scribe, identifier: str) -> None:
    """Bring an archived fact sheet back, and its relations whose other end is active.

    A relation to a fact sheet that is archived itself comes back with that one. A child whose parent is not active any
    more comes back without one, under its bare name.
    """
    state = scribe.state
    archived = state.unarchive(identifier)
    parent = _parent(state, archived)
    row = archived.row
    changes = {
        schema.STATUS: "ACTIVE",
        schema.UPDATED_AT: scribe.instant,
        schema.DISPLAY_NAME: display_name(row[schema.NAME], parent),
        schema.LEVEL: parent[schema.LEVEL] + 1 if parent else 1,
    }
    for place, value in changes.items():
        row = replaced(row, place, value)
    state.add(row)
    scribe.whole_fact_sheet(changelog.FACT_SHEET_RECOVERED, row, there=True)
    for relation in archived.relations:
        _recover_relation(scribe, identifier, relation)
    if archived.documents:
        state.documents[identifier] = archived.documents
    for document in archived.documents:
        scribe.document(changelog.DOCUMENT_RECOVERED, document, created=True)
    if archived.comments:
        state.comments[identifier] = archived.comments
    for comment in archived.comments:
        scribe.comment(changelog.COMMENT_RECOVERED, comment, created=True)


def delete(scribe: Scribe, identifier: str) -> None:
    """Delete an archived fact sheet for good, with all that was archived with it."""
    archived = scribe.state.unarchive(identifier)
    scribe.whole_fact_sheet(changelog.FACT_SHEET_DELETED, archived.row, there=False, recount=False)
    for relation in archived.relations:
        scribe.relation(changelog.RELATION_DELETED, relation, there=False)
    for document in archived.documents:
        scribe.document(changelog.DOCUMENT_DELETED, document, created=False)
    for comment in archived.comments:
        scribe.comment(changelog.COMMENT_DELETED, comment, created=False)


def _recover_relation(scribe: Scribe, identifier: str, relation: Relation) -> None:
    state = scribe.state
    other = relation.to_id if relation.from_id == identifier else relation.from_id
    hierarchy = relation.row[schema.REL_TYPE] == schema.CHILD_PARENT
    if other in state.active:
        row = relation.row
        row = replaced(row, schema.REL_FROM_NAME, state.active[relation.from_id][schema.DISPLAY_NAME])
        row = replaced(row, schema.REL_TO_NAME, state.active[relation.to_id][schema.DISPLAY_NAME])
        moved = relation._replace(row=replaced(row, schema.REL_STATUS, "ACTIVE"))
        state.link(moved)
        scribe.relation(changelog.RELATION_RECOVERED, moved, there=True)
    elif other in state.archived and not hierarchy:
        waiting = state.archived[other]
        state.archived[other] = waiting._replace(relations=(*waiting.relations, relation))
    else:
        scribe.relation(changelog.RELATION_DELETED, relation, there=False)


def _parent(state: State, archived: Archived) -> Row | None:
    return next(
        (
            state.active[relation.to_id]
            for relation in archived.relations
            if relation.row[schema.REL_TYPE] == schema.CHILD_PARENT
            and relation.from_id == archived.row[0]
            and relation.to_id in state.active
        ),
        None,
    )
