"""The table of all settings on the reference page, printed from the same models that read the file."""

from __future__ import annotations

from leanix_backup.config.leaves import Leaf
from leanix_backup.config.shape import ROOT, Entry, Many, Named, Node, Section, Variants


def settings_table() -> str:
    """Return a Markdown table with one row for each setting, in the order of the file."""
    rows = ["| setting | value | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*rows, *_rows(ROOT, "")]) + "\n"


def _rows(node: Node, path: str) -> list[str]:
    if isinstance(node, Named):
        return _rows(node.each, f"{path}.NAME")
    if isinstance(node, Many):
        return _rows(node.each, f"{path}[]")
    if isinstance(node, Variants):
        # What all variants share is told once, what only one has names it.
        shared = set.intersection(*(set(section.entries) for section in node.by_type.values()))
        first = next(iter(node.by_type.values()))
        rows = [row for key in first.entries if key in shared for row in _entry(first.entries[key], f"{path}.{key}")]
        for tag, section in node.by_type.items():
            for key, entry in section.entries.items():
                if key not in shared:
                    rows += _entry(entry, f"{path}.{key}", note=f"For `{tag}`: ")
        return rows
    if isinstance(node, Section):
        return [row for key, entry in node.entries.items() for row in _entry(entry, f"{path}.{key}".removeprefix("."))]
    return []


def _entry(entry: Entry, path: str, note: str = "") -> list[str]:
    node = entry.node
    if isinstance(node, Leaf):
        return [_row(path, node.kind, _default(node, entry.default), note + entry.description)]
    if isinstance(node, Many) and isinstance(node.each, Leaf):
        values = ", ".join(f"`{node.each.write(value)}`" for value in entry.default or ())
        return [_row(path, f"a list: {node.each.kind}", values, note + entry.description)]
    if isinstance(node, Section) and node.word:
        # A policy is told once, where the defaults have it; elsewhere it is the same.
        told = [_row(path, f"a policy, or `{node.word}`", "", note + entry.description)]
        return told + (_rows(node, path) if path.startswith("defaults.") else [])
    return _rows(node, path)


def _default(node: Leaf, value: object) -> str:
    if value is None:
        return ""
    written = node.write(value)
    return f"`{str(written).lower() if isinstance(written, bool) else written}`"


def _row(path: str, kind: str, default: str, meaning: str) -> str:
    return f"| `{path}` | {kind} | {default} | {meaning} |"
