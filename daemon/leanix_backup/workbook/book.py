"""How a workbook hangs together: its relationships, its list of sheets, the parts they lead to."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from . import faults
from .markup import Markup, attributes_of

if TYPE_CHECKING:
    from .archive import Archive
    from .limits import Budget
    from .markup import Handler

_DEFAULT_BOOK = "xl/workbook.xml"
_DEFAULT_STRINGS = "xl/sharedstrings.xml"
_LONGEST_SHEET_NAME = 255  # 31 to Excel; a few writers cut later


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A worksheet in the order of the workbook: its name, and the member that has its rows."""

    name: str
    part: str


@dataclass(frozen=True, slots=True)
class Book:
    """A workbook's worksheets, and the member with the shared texts if there is one."""

    sheets: tuple[SheetPart, ...]
    strings: str | None


def read_book(archive: Archive, budget: Budget) -> Book:
    """Find the parts of a workbook. Sheets that are charts or dialogs have no rows and are left out.

    Raises:
        ArtifactError: Parts that make a workbook are missing or damaged.
    """
    if "[content_types].xml" not in archive:
        raise faults.not_workbook("it is a ZIP archive without [Content_Types].xml")
    main = _read_relations(archive, "", budget).by_kind.get("officedocument", _DEFAULT_BOOK)
    if main not in archive:
        raise faults.not_workbook("it is an Office file or archive without xl/workbook.xml")
    relations = _read_relations(archive, main, budget)
    listed = _SheetList(budget)
    read_part(archive, main, b"workbook", listed)
    sheets = []
    parts: set[str] = set()
    for name, relation in listed.sheets:
        kind, part = relations.by_id.get(relation, ("", ""))
        if not kind:
            raise faults.corrupt(f"the sheet {faults.shown(name)} leads nowhere")
        if kind != "worksheet":
            continue
        if part not in archive or part in parts:
            raise faults.corrupt(f"the sheet {faults.shown(name)} has no part of its own")
        parts.add(part)
        sheets.append(SheetPart(name, part))
    if not sheets:
        raise faults.not_workbook("it has no worksheets")
    strings = relations.by_kind.get("sharedstrings", _DEFAULT_STRINGS)
    return Book(tuple(sheets), strings if strings in archive else None)


def read_part(archive: Archive, part: str, root: bytes, handler: Handler) -> None:
    """Prove a member and tell a handler what is in it.

    Raises:
        ArtifactError: It is damaged, was read before in another role, or what the handler raised.
    """
    if part in archive.done:
        raise faults.corrupt(f"the part {faults.shown(part)} is two things at once")
    markup = Markup(part, root, handler)
    archive.prove(part, markup.feed)
    markup.close()


class _Relations:
    """The relationships of one part: by id, and the last one of each kind; targets are members' names."""

    def __init__(self, base: str, budget: Budget) -> None:
        self.by_id: dict[str, tuple[str, str]] = {}
        self.by_kind: dict[str, str] = {}
        self._base = base
        self._budget = budget

    def start(self, name: bytes, attributes: bytes) -> None:
        """Take a start tag."""
        if name != b"Relationship":
            return
        known = attributes_of(attributes)
        if known.get("TargetMode", "").lower() == "external":
            return
        kind = known.get("Type", "").rpartition("/")[2].lower()
        target = _resolve(self._base, known.get("Target", ""))
        self._budget.take(kind, target, known.get("Id", ""))
        self.by_kind[kind] = target
        self.by_id[known.get("Id", "")] = (kind, target)

    def end(self, name: bytes) -> None:
        """Take an end tag: nothing to do."""

    def text(self, piece: bytes) -> None:
        """Take a piece of text: there is none that matters."""

    def skim(self, buffer: bytes, position: int, limit: int, prefix: bytes) -> int:
        """Look at each tag."""
        del buffer, limit, prefix
        return position


class _SheetList:
    """The names of a workbook's sheets and the ids of their relationships, in the workbook's order."""

    def __init__(self, budget: Budget) -> None:
        self.sheets: list[tuple[str, str]] = []
        self._budget = budget

    def start(self, name: bytes, attributes: bytes) -> None:
        """Take a start tag."""
        if name != b"sheet":
            return
        known = attributes_of(attributes)
        title = known.get("name", "")
        relation = next((value for key, value in known.items() if key.endswith(":id")), "")
        if not 0 < len(title) <= _LONGEST_SHEET_NAME:
            raise faults.corrupt("a sheet has no name or an endless one")
        self._budget.take(title, relation)
        self.sheets.append((title, relation))

    def end(self, name: bytes) -> None:
        """Take an end tag: nothing to do."""

    def text(self, piece: bytes) -> None:
        """Take a piece of text: there is none that matters."""

    def skim(self, buffer: bytes, position: int, limit: int, prefix: bytes) -> int:
        """Look at each tag."""
        del buffer, limit, prefix
        return position


def _read_relations(archive: Archive, part: str, budget: Budget) -> _Relations:
    folder, name = posixpath.split(part)
    relations = _Relations(folder, budget)
    member = posixpath.join(folder, "_rels", name + ".rels")
    if member in archive:
        read_part(archive, member, b"Relationships", relations)
    return relations


def _resolve(base: str, target: str) -> str:
    """Turn a relationship's target, absolute or relative to a folder, into a member's name."""
    path = unquote(target).replace("\\", "/").lower()
    return posixpath.normpath(posixpath.join("/", base, path)).lstrip("/")
