"""The cells of a row at the head of a sheet, where field keys and labels stand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import faults
from .markup import attributes_of, unescape

if TYPE_CHECKING:
    from .limits import Budget

NUMBER = "\0"
"""Stands for any value that is not text: a number, a date, a truth value, an error."""
LONGEST_TEXT = 256
"""Characters of a cell that are kept; field keys have less than a hundred."""

_MOST_COLUMNS = 16_384  # column XFD, the last that a workbook can have
_MOST_BYTES = 8 * LONGEST_TEXT
_COLUMN = re.compile(r"\$?([A-Za-z]{1,3})\$?\d")


@dataclass(slots=True)
class Row:
    """A row: whether it holds anything, and its values by column, counted from 1.

    A value is a text cut after 256 characters, `NUMBER`, or the index (`int`) of a shared text.
    """

    filled: bool = False
    cells: dict[int, str | int] = field(default_factory=dict)


class CellCollector:
    """Collect the cells of one row after the other, from the tags and texts in it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._cells: dict[int, str | int] = {}
        self._column = 0
        self._kind = ""
        self._phonetic = self._from_text = False
        self._pieces: list[bytes] = []
        self._size = 0

    def open_row(self) -> dict[int, str | int]:
        """Begin a row; the map returned fills as its cells end."""
        self._cells = {}
        self._column = 0
        return self._cells

    def start(self, name: bytes, attributes: bytes) -> None:
        """Take a start tag inside the row."""
        if name == b"c":
            known = attributes_of(attributes)
            named = _COLUMN.match(known.get("r", ""))
            self._column = _column_number(named[1]) if named else self._column + 1
            self._kind = known.get("t", "")
            self._phonetic = self._from_text = False
            self._pieces, self._size = [], 0
        elif name == b"rPh":
            self._phonetic = True
        elif name == b"t":
            self._from_text = True

    def text(self, piece: bytes) -> None:
        """Take a piece of a value."""
        if not self._phonetic and self._size < _MOST_BYTES:
            piece = piece[: _MOST_BYTES - self._size]
            self._pieces.append(piece)
            self._size += len(piece)

    def end(self, name: bytes) -> None:
        """Take an end tag inside the row."""
        if name == b"rPh":
            self._phonetic = False
        elif name == b"c" and self._pieces and self._column <= _MOST_COLUMNS:
            value = self._value(b"".join(self._pieces))
            self._pieces = []
            self._budget.take(value if isinstance(value, str) else "")
            self._cells[self._column] = value

    def _value(self, raw: bytes) -> str | int:
        if self._from_text or self._kind == "str":
            return unescape(raw)[:LONGEST_TEXT]
        if self._kind == "s":
            digits = raw.strip()
            if not digits.isdigit() or len(digits) > 10:  # noqa: PLR2004 - more is beyond any table of texts
                raise faults.corrupt("a cell points to a shared text by something that is no number")
            return int(digits)
        return NUMBER


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
