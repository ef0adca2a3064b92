"""The JSON schema of the YAML file, printed from the same models that read it.

It accepts what `load` accepts of a file: nothing is required, since the environment may say it, and null stands for
"not said" everywhere. What only the whole can tell (what is missing, what contradicts) is `load`'s alone.
"""

from __future__ import annotations

from typing import Any, Final

from leanix_backup.config.leaves import Leaf
from leanix_backup.config.shape import ROOT, Entry, Many, Named, Node, Section
from leanix_backup.config.values import NAME_PATTERN

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the JSON schema, draft 2020-12."""
    return {"$schema": _DIALECT, "title": "leanix-backup configuration", **_node(ROOT)}


def _node(node: Node) -> dict[str, Any]:
    if isinstance(node, Leaf):
        return dict(node.schema)
    if isinstance(node, Named):
        return {
            "type": "object",
            "propertyNames": {"pattern": NAME_PATTERN},
            "additionalProperties": _or_null(_node(node.each)),
        }
    if isinstance(node, Many):
        return {"type": "array", "items": _node(node.each)}
    if isinstance(node, Section):
        return _section(node)
    return {
        "anyOf": [
            _section(section, {"type": Entry(Leaf("", str, {"const": tag}), None, f"This kind: {tag}.")})
            for tag, section in node.by_type.items()
        ]
    }


def _section(section: Section, replaced: dict[str, Entry] | None = None) -> dict[str, Any]:
    properties = {name: _entry(entry) for name, entry in ({**section.entries} | (replaced or {})).items()}
    written = {
        "type": "object",
        "description": section.description,
        "properties": properties,
        "additionalProperties": False,
    }
    return {"anyOf": [{"const": section.word}, written]} if section.word else written


def _entry(entry: Entry) -> dict[str, Any]:
    written = {"description": entry.description, **_or_null(_node(entry.node))}
    if isinstance(entry.node, Leaf) and entry.default is not None:
        written["default"] = entry.node.write(entry.default)
    return written


def _or_null(written: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in written:
        return written | {"anyOf": [*written["anyOf"], {"type": "null"}]}
    if "enum" in written:
        return written | {"enum": [*written["enum"], None]}
    if "type" in written:
        kinds = written["type"] if isinstance(written["type"], list) else [written["type"]]
        return written | {"type": [*kinds, "null"]}
    return {"anyOf": [written, {"type": "null"}]}
