"""Settings from variables: `LEANIX_BACKUP__` and the path, joined by `__`, in capitals, `-` as `_`.

A variable is matched against the shape of the configuration, section by section, so that a typo anywhere in it is
told; where a name is due, the file's own names are tried first, so that `…__ACME_NIGHTLY__…` means the file's
`acme-nightly`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from leanix_backup.config import values
from leanix_backup.config.leaves import Leaf
from leanix_backup.config.nearest import nearest
from leanix_backup.config.plain import Plain
from leanix_backup.config.shape import ROOT, Entry, Many, Named, Node, Path, Variants, known_keys
from leanix_backup.config.tree import ENVIRONMENT, Origin, Tree
from leanix_backup.config.values import Mistake
from leanix_backup.errors import Problem

CONFIG_VARIABLE: Final = "LEANIX_BACKUP_CONFIG"
PREFIX: Final = "LEANIX_BACKUP__"
_FILE: Final = "_file"
# Where null itself says something: here it switches off, elsewhere it takes back what the file says.
_OFF: Final = frozenset({("http",), ("http", "listen")})


class _UnknownError(Exception):
    """A variable that names no setting; `suggestion` is the nearest that does."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.suggestion = suggestion


def apply_environment(tree: Tree, environ: Mapping[str, str]) -> None:
    """Lay the variables over the tree; a shorter path first, so that a longer one refines it."""
    found: list[tuple[Path, str, Node]] = []
    for variable in sorted(environ):
        if not _is_ours(variable):
            continue
        try:
            path, node = _match(tree, variable)
            found.append((path, variable, node))
        except _UnknownError as unknown:
            hint = f"did you mean {unknown.suggestion}?" if unknown.suggestion else ""
            tree.problems.append(Problem(variable, str(unknown), hint, source=ENVIRONMENT))
    said: dict[Path, str] = {}
    for path, variable, node in sorted(found, key=lambda item: len(item[0])):
        if path in said:
            message = f"says the same setting as {said[path]}"
            tree.problems.append(Problem(variable, message, "leave one of the two out", source=ENVIRONMENT))
            continue
        said[path] = variable
        _apply(tree, path, variable, environ[variable].strip(), node)


def variable_for(path: Path) -> str:
    """Name the variable that says a setting."""
    return PREFIX + "__".join(_capitals(str(part)) for part in path)


def _is_ours(variable: str) -> bool:
    upper = variable.upper()
    if upper.startswith(PREFIX):
        return True
    # One underscore too few would otherwise be overlooked; a platform's own LEANIX_BACKUP_PORT and such are not ours.
    rest = upper.removeprefix("LEANIX_BACKUP_").lower()
    return rest != upper.lower() and any(rest == key or rest.startswith(f"{key}_") for key in known_keys(ROOT))


def _match(tree: Tree, variable: str) -> tuple[Path, Node]:
    if not variable.startswith(PREFIX) or variable != variable.upper():
        rest = variable.upper().removeprefix("LEANIX_BACKUP_").lstrip("_")
        raise _UnknownError("is no known variable", PREFIX + rest)
    path: Path = ()
    node: Node = ROOT
    segments = variable.removeprefix(PREFIX).split("__")
    for index, segment in enumerate(segments):
        if isinstance(node, Named):
            path, node = (*path, _name(tree, path, segment)), node.each
            continue
        known = known_keys(node)
        if segment.lower() not in known:
            raise _UnknownError("is no known variable", _suggest(path, known, segments[index:]))
        path, node = (*path, segment.lower()), known[segment.lower()].node
    return path, node


def _name(tree: Tree, path: Path, segment: str) -> str:
    existing = tree.get(*path)
    if isinstance(existing, dict):
        for name in existing:
            if _capitals(name) == segment:
                return str(name)
    try:
        return values.parse_name(segment.lower())
    except Mistake:
        raise _UnknownError("holds a part that is no valid name") from None


def _suggest(path: Path, known: Mapping[str, Entry], segments: list[str]) -> str:
    for key, entry in known.items():
        # One underscore where two are due: LOG_LEVEL, WORKSPACES_ACME.
        rest = segments[0].lower().removeprefix(f"{key}_")
        if rest != segments[0].lower() and (isinstance(entry.node, Named) or rest in known_keys(entry.node)):
            return "__".join([variable_for((*path, key, rest)), *segments[1:]])
    near = nearest(segments[0].lower(), known) if known else None
    if near is None:
        return variable_for(path) if not known and path else ""
    return "__".join([variable_for((*path, near)), *segments[1:]])


def _apply(tree: Tree, path: Path, variable: str, text: str, node: Node) -> None:
    if text in {"", "null"}:
        _unset(tree, path, off=text == "null" and path in _OFF, variable=variable)
        return
    try:
        value = _decode(text, node)
    except Mistake as mistake:
        tree.problems.append(Problem(variable, mistake.message, mistake.hint, source=ENVIRONMENT))
        return
    parent = _parent(tree, path)
    sibling = _other_form(str(path[-1]))
    if sibling in parent and not tree.origins.get((*path[:-1], sibling), Origin()).variable:
        # The variable wins over the file, whichever of the two forms the file chose.
        del parent[sibling]
    parent[path[-1]] = value
    _forget_origins(tree, path)
    tree.origins[path] = Origin(variable=variable)


def _unset(tree: Tree, path: Path, variable: str, *, off: bool) -> None:
    if off:
        _parent(tree, path)[path[-1]] = None
        _forget_origins(tree, path)
        tree.origins[path] = Origin(variable=variable)
        return
    parent = tree.get(*path[:-1])
    if isinstance(parent, dict):
        parent.pop(path[-1], None)
        _forget_origins(tree, path)


def _parent(tree: Tree, path: Path) -> dict[Any, Any]:
    parent: dict[Any, Any] = tree.values
    for part in path[:-1]:
        if not isinstance(parent.get(part), dict):
            parent[part] = {}
        parent = parent[part]
    return parent


def _forget_origins(tree: Tree, path: Path) -> None:
    for known in [known for known in tree.origins if known[: len(path)] == path]:
        del tree.origins[known]


def _other_form(key: str) -> str:
    return key.removesuffix(_FILE) if key.endswith(_FILE) else key + _FILE


def _decode(text: str, node: Node) -> object:
    if isinstance(node, Leaf) and not node.mapping:
        return Plain(text, "any")
    if isinstance(node, Many):
        if text.startswith("["):
            return _json(text, list, "a JSON list")
        if isinstance(node.each, Leaf):
            return [Plain(part.strip(), "any") for part in text.split(",") if part.strip()]
        raise Mistake("must be a JSON list", 'for example [{"url_file": "/run/secrets/notify"}]')
    if text == getattr(node, "word", "") or not text.startswith("{"):
        if getattr(node, "word", ""):
            return text
        raise Mistake("must be a JSON map, or be said setting by setting", _example(node))
    return _json(text, dict, "a JSON map")


def _example(node: Node) -> str:
    known = sorted(known_keys(node.each if isinstance(node, Named) else node))
    if isinstance(node, Leaf) or not known:
        return 'for example {"owner": "architecture"}'
    name = "__NAME" if isinstance(node, Named | Variants) else ""
    return f"for example with …{name}__{_capitals(known[0])} at its end"


def _json(text: str, expected: type, kind: str) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in items}) < len(items):
            raise Mistake(f"must be {kind} in which no key is there twice")
        return dict(items)

    try:
        value = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_int=lambda number: Plain(number, "int"),
            parse_float=lambda number: Plain(number, "float"),
        )
    except (json.JSONDecodeError, RecursionError):
        # The decoder's own error carries the whole text.
        raise Mistake(f"must be {kind}", "check quotes, commas and brackets") from None
    if not isinstance(value, expected):
        raise Mistake(f"must be {kind}")
    return _mark_booleans(value)


def _mark_booleans(value: Any) -> Any:
    if isinstance(value, bool):
        return Plain(str(value).lower(), "bool")
    if isinstance(value, list):
        return [_mark_booleans(item) for item in value]
    if isinstance(value, dict):
        return {key: _mark_booleans(item) for key, item in value.items()}
    return value


def _capitals(name: str) -> str:
    return re.sub("-", "_", name).upper()
