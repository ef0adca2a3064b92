"""From the tree of texts to the models, with every mistake of every single setting.

pydantic stops at nothing but tells nothing about what it could not read, so the settings that failed are taken out and
the rest is validated once more: what is left is a whole model, on which the checks of what belongs together can run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from leanix_backup.config import values
from leanix_backup.config.leaves import MISTAKE
from leanix_backup.config.models import Root
from leanix_backup.config.nearest import did_you_mean
from leanix_backup.config.places import FOREVER
from leanix_backup.config.shape import ROOT, Many, Named, Node, Path, Variants, find, known_keys
from leanix_backup.config.tree import Tree
from leanix_backup.config.values import Mistake

_NULL_MEANS_OFF: Final = frozenset({("http",), ("http", "listen")})
_NAMED: Final = ("workspaces", "destinations", "jobs")


@dataclass(frozen=True)
class Validated:
    """The settings that could be read, and the paths of those that could not."""

    root: Root
    failed: frozenset[Path] = field(default_factory=frozenset)

    def broken(self, *path: str | int) -> bool:
        """Whether a setting, or a part or a whole of it, has been told to be wrong already."""
        return any(other[: len(path)] == path or path[: len(other)] == other for other in self.failed)


def validate(tree: Tree) -> Validated:
    """Read every setting; mistakes go to the tree's problems."""
    failed = _check_names(tree)
    said = _without_null(tree.values, ROOT, ())
    while True:
        try:
            return Validated(Root.model_validate(said), frozenset(failed))
        except ValidationError as error:
            details = error.errors(include_input=False, include_url=False)
        paths = {_path(detail["loc"]): detail for detail in details}
        for path, detail in paths.items():
            message, hint = _words(tree, path, detail)
            tree.problems.append(tree.problem(path, message, hint))
        # From behind, so that the places in a list keep their numbers.
        for path in sorted(paths, key=lambda path: [(isinstance(part, int), part) for part in path], reverse=True):
            _remove(said, path)
        failed.update(paths)


def _check_names(tree: Tree) -> set[Path]:
    failed: set[Path] = set()
    for section in _NAMED:
        taken: dict[str, str] = {}
        for name in tree.names(section):
            try:
                values.parse_name(name)
            except Mistake as mistake:
                tree.problems.append(tree.problem((section, name), mistake.message, mistake.hint))
                failed.add((section, name))
                continue
            first = taken.setdefault(name.replace("-", "_"), name)
            if first != name:
                message = f"differs from {first} only in - and _"
                tree.problems.append(tree.problem((section, name), message, "a variable could not tell them apart"))
    return failed


def _without_null(value: Any, node: Node | None, path: Path) -> Any:
    """Drop what is said to be null: the default counts. An unknown key stays, to be told."""
    if isinstance(value, list):
        each = node.each if isinstance(node, Many) else None
        return [_without_null(item, each, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if isinstance(node, Named):
        return {
            key: _without_null({} if item is None else item, node.each, (*path, key)) for key, item in value.items()
        }
    known = known_keys(node) if node is not None else {}
    return {
        key: _without_null(item, known[key].node if key in known else None, (*path, key))
        for key, item in value.items()
        if item is not None or key not in known or (*path, key) in _NULL_MEANS_OFF
    }


def _path(location: tuple[int | str, ...]) -> Path:
    """Turn pydantic's location into a path: without the tags of the variants."""
    parts = list(location)
    if parts[0] == "destinations" and len(parts) > 2:  # noqa: PLR2004 - section, name, and then the tag
        del parts[2]
    if "retention" in parts[:-1] and parts[parts.index("retention") + 1] in {FOREVER, "policy"}:
        del parts[parts.index("retention") + 1]
    return tuple(parts)


def _words(tree: Tree, path: Path, detail: ErrorDetails) -> tuple[str, str]:
    kind = detail["type"]
    if kind == MISTAKE:
        context = detail.get("ctx", {})
        return str(context["message"]), str(context["hint"])
    if kind == "extra_forbidden":
        said = tree.get(*path[:-1], "type")
        node = find(path[:-1], str(said) if isinstance(said, str) else None)
        if isinstance(node, Named | Many) or node is None:
            return "unknown key", ""
        known = known_keys(node)
        return "unknown key", did_you_mean(str(path[-1]), known) or f"known are {', '.join(known)}"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return "must be a map of settings", _map_hint(path)
    if kind in {"tuple_type", "list_type"}:
        return "must be a list", "in brackets, or one item a line with a dash"
    return "is not valid", ""


def _map_hint(path: Path) -> str:
    node = find(path)
    if isinstance(node, Named):
        return "names, each with settings of its own"
    return "it may have " + ", ".join(known_keys(node)) if node and not isinstance(node, Variants) else ""


def _remove(said: Any, path: Path) -> None:
    for part in path[:-1]:
        said = said[part]
    del said[path[-1]]
