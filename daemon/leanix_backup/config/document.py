"""The YAML file as a tree of texts with line numbers.

The tree is built from PyYAML's nodes, not from its values: only the nodes know their lines, two keys of one name, and
the text that a scalar was written as. PyYAML's own messages quote what they stumbled over, so none of them is ever
passed on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from leanix_backup.config.plain import Plain
from leanix_backup.config.shape import Path as SettingPath
from leanix_backup.config.shape import dotted
from leanix_backup.config.tree import Origin, Tree
from leanix_backup.errors import Problem

_LARGEST: Final = 1024 * 1024
_MOST_NODES: Final = 20_000
_DEEPEST: Final = 24
_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_KINDS: Final = {f"{_TAG}{kind}": kind for kind in ("int", "float", "bool", "timestamp")}
_TEXT_TAGS: Final = {f"{_TAG}str", f"{_TAG}value"}
_QUOTE_IT: Final = 'quote it: schedule: "@daily"'

# A start of PyYAML's words, ours, and a hint.
_SYNTAX: Final = (
    ("found character '\\t'", "a tab where YAML takes none", "indent with blanks"),
    ("found character", "a value begins with a character that YAML keeps for itself", _QUOTE_IT),
    (
        "expected alphabetic or numeric character",
        "a value that begins with * or & must be quoted",
        'quote it: "*/5 * * * *"',
    ),
    ("found undefined alias", "a value that begins with * must be quoted", 'quote it: "*/5 * * * *"'),
    ("found duplicate anchor", "an anchor is defined twice", "give each anchor a name of its own"),
    ("mapping values are not allowed", "a colon where none is expected", "quote values that hold a colon and a blank"),
    ("could not find expected ':'", "a line that is no `key: value`", "check the colon and the indentation"),
    ("but found another document", "more than one document in the file", "leave --- out"),
    ("found unexpected end of stream", "a quote that is not closed", "close it, on the same line"),
    ("expected <block end>", "the indentation does not fit the lines above", "indent with the same number of blanks"),
    ("expected ',' or", "a list or a map that is not closed", "check the brackets, and quote values that hold a comma"),
)


class _TooMuchError(Exception):
    """The document is deeper or larger than any configuration."""


def read_document(path: Path) -> Tree:
    """Read the file into a tree; what is wrong with it lies in the tree's `problems`."""
    tree = Tree(source=str(path))
    text = _read_text(path, tree)
    if text is None:
        return tree
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            _refuse(tree, "the file is empty", "see `leanix-backup config example`")
        elif isinstance(root, yaml.MappingNode):
            tree.values = _Builder(tree).mapping(root, ())
        else:
            _refuse(tree, "the file is not a map of settings", "see `leanix-backup config example`")
    except yaml.MarkedYAMLError as error:
        _refuse_syntax(tree, error)
    except yaml.YAMLError:
        _refuse(tree, "a character that YAML does not allow", "look for control characters")
    except (_TooMuchError, RecursionError):
        tree.values = {}
        _refuse(tree, "the file is nested too deeply, or repeats itself too often", "write out what aliases repeat")
    return tree


def _read_text(path: Path, tree: Tree) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) <= _LARGEST:
            return content.decode("utf-8-sig")
        _refuse(tree, "the file is larger than 1 MiB, which no configuration is")
    except FileNotFoundError:
        _refuse(tree, "the configuration file does not exist", "name it with --config or LEANIX_BACKUP_CONFIG")
    except IsADirectoryError:
        _refuse(tree, "the configuration file is a folder", "name the file in it")
    except PermissionError:
        _refuse(tree, "the configuration file may not be read by this user", "check its owner and mode")
    except UnicodeDecodeError:
        _refuse(tree, "the configuration file is not UTF-8 text", "save it as UTF-8")
    except OSError as error:
        _refuse(tree, f"the configuration file can't be read: {error.strerror}")
    return None


def _refuse(tree: Tree, message: str, hint: str = "", line: int | None = None) -> None:
    tree.problems.append(Problem("", message, hint, line=line, source=tree.source))


def _refuse_syntax(tree: Tree, error: yaml.MarkedYAMLError) -> None:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    words = str(error.problem or "")
    for start, message, hint in _SYNTAX:
        if words.startswith(start):
            _refuse(tree, f"not valid YAML: {message}", hint, line)
            return
    _refuse(tree, "not valid YAML", "check quotes, brackets and indentation on this line and the one before", line)


class _Builder:
    """Turns nodes into the tree, and notes each line."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._count = 0

    def mapping(self, node: yaml.MappingNode, path: SettingPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or not key_node.value:
                self._problem(path, line, "a key must be a name")
                continue
            key: str = key_node.value
            if key_node.tag == f"{_TAG}merge":
                self._problem(path, line, "<< merges nothing here", "`defaults` holds what all jobs share")
                continue
            if key in values:
                self._problem((*path, key), line, f"the key is there twice, first on line {lines[key]}")
                continue
            lines[key] = line
            self._tree.origins[(*path, key)] = Origin(line)
            values[key] = self._value(value_node, (*path, key))
        return values

    def _value(self, node: yaml.Node, path: SettingPath) -> Any:
        self._count += 1
        if self._count > _MOST_NODES or len(path) > _DEEPEST:
            raise _TooMuchError
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._tree.origins[(*path, index)] = Origin(item.start_mark.line + 1)
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _scalar(self, node: yaml.Node, path: SettingPath) -> str | None:
        if node.tag == f"{_TAG}null":
            return None
        if node.tag in _PLAIN_KINDS:
            return Plain(node.value, _PLAIN_KINDS[node.tag])
        if node.tag not in _TEXT_TAGS:
            self._problem(path, node.start_mark.line + 1, "a YAML tag has no meaning here", "leave the !… out")
        return str(node.value)

    def _problem(self, path: SettingPath, line: int, message: str, hint: str = "") -> None:
        self._tree.problems.append(Problem(dotted(path), message, hint, line=line, source=self._tree.source))
