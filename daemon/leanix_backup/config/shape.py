"""The shape of the configuration as data, derived from the models.

Whatever has to know which settings there are reads it from here: the environment's variables, the JSON schema, the
reference page, `config show`, and the nearest known name to a misspelt one.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, Tag

from leanix_backup.config.leaves import Leaf
from leanix_backup.config.models import Root
from leanix_backup.config.nearest import nearest
from leanix_backup.config.places import FOREVER, Forever
from leanix_backup.config.values import NAME_PATTERN
from leanix_backup.config.words import DestinationType

_LONGEST_NAME: Final = 48
_WORDS: Final = re.compile(r"(?=.{1,24}$)[A-Za-z]+([_-][A-Za-z]+)*")


@dataclass(frozen=True)
class Entry:
    """One setting of a section: what it is, what counts unless it is said, and what it means."""

    node: Node
    default: Any
    description: str


@dataclass(frozen=True)
class Section:
    """A map with known keys; `word` is a text that may stand in its place."""

    entries: Mapping[str, Entry]
    description: str
    word: str = ""


@dataclass(frozen=True)
class Named:
    """A map whose keys are names that the user gives."""

    each: Node


@dataclass(frozen=True)
class Many:
    """A list."""

    each: Node


@dataclass(frozen=True)
class Variants:
    """A map whose `type` says which keys it may have."""

    by_type: Mapping[str, Section]


Node: TypeAlias = Leaf | Section | Named | Many | Variants
Path: TypeAlias = tuple[str | int, ...]


def known_keys(node: Node) -> Mapping[str, Entry]:
    """List the settings that a map may have; of variants, those of all."""
    if isinstance(node, Section):
        return node.entries
    if isinstance(node, Variants):
        return {key: entry for section in node.by_type.values() for key, entry in section.entries.items()}
    return {}


def find(path: Path, kind: str | None = None) -> Node | None:
    """Find what stands at a path of the configuration; `kind` picks one variant. None where nothing does."""
    node: Node | None = ROOT
    for part in path:
        if isinstance(node, Named | Many):
            node = node.each
        else:
            if isinstance(node, Variants) and kind is not None and kind in node.by_type:
                node = node.by_type[kind]
            entry = known_keys(node).get(str(part)) if node is not None else None
            node = entry.node if entry else None
    if isinstance(node, Variants) and kind is not None and kind in node.by_type:
        return node.by_type[kind]
    return node


def dotted(path: Path, start: int = 0) -> str:
    """Write a path as `jobs.nightly.schedule` or `notify[0].url`, from its part `start` on.

    A key that looks neither like a setting nor like a name is written `?`: it may be a token in the wrong place.
    """
    parts: list[str] = []
    node: Node | None = ROOT
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
            node = node.each if isinstance(node, Many) else None
            continue
        known = known_keys(node) if node is not None else {}
        named = isinstance(node, Named) and re.fullmatch(NAME_PATTERN, part) and len(part) <= _LONGEST_NAME
        harmless = named or part in known or nearest(part, known) or _WORDS.fullmatch(part)
        parts.append(f".{part}" if harmless else ".?")
        node = node.each if isinstance(node, Named) else known[part].node if part in known else None
    return "".join(parts[start:]).removeprefix(".")


def _section(model: type[BaseModel], word: str = "") -> Section:
    entries = {
        name: Entry(_node(field.annotation, tuple(field.metadata)), field.default, field.description or "")
        for name, field in model.model_fields.items()
    }
    return Section(entries, (model.__doc__ or "").strip(), word)


def _node(annotation: Any, metadata: tuple[Any, ...] = ()) -> Node:
    for item in metadata:
        if isinstance(item, Leaf):
            return item
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _node(arguments[0], arguments[1:])
    if origin in {Union, types.UnionType}:
        return _union([argument for argument in arguments if argument is not types.NoneType])
    if origin is dict:
        return Named(_node(arguments[1]))
    if origin is tuple:
        return Many(_node(arguments[0]))
    return _section(annotation)


def _union(members: list[Any]) -> Node:
    if len(members) == 1:
        return _node(members[0])
    tagged = {
        next(item.tag for item in get_args(member) if isinstance(item, Tag)): get_args(member)[0] for member in members
    }
    if FOREVER in tagged:
        return _section(next(model for model in tagged.values() if model is not Forever), word=FOREVER)
    return Variants({tag: _section(model) for tag, model in tagged.items() if tag in set(DestinationType)})


ROOT: Final = _section(Root)
