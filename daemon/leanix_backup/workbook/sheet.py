"""One worksheet read in constant memory: its first rows cell by cell, of the others whether they hold anything.

A row counts if one of its cells has a value or a formula. Formatting alone does not count, and neither does an empty
text; a reference to a shared text does, as most of those are not looked up.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from . import faults
from .cells import CellCollector, Row
from .markup import attributes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .limits import Budget

_LABEL_ROW = 2
_LONGEST_NUMBER = 7  # digits; the last row of a workbook is 1,048,576


class SheetReader:
    """Read one worksheet; a handler of `Markup`.

    Once finished, `first` and `second` are rows 1 and 2, `third` is the first data row (from row 3 on) that holds
    anything, if it was asked for, and `others` counts the rows from 3 on that hold anything.

    Args:
        budget: Room for the cells that are remembered.
        labels: Whether the cells of row 2 are wanted.
        first_data: Whether the cells of the first data row are wanted.
    """

    def __init__(self, budget: Budget, *, labels: bool = False, first_data: bool = False) -> None:
        self.first = Row()
        self.second = Row()
        self.third: Row | None = None
        self.others = 0
        self._labels = labels
        self._first_data = first_data
        self._collector = CellCollector(budget)
        self._cells: dict[int, str | int] | None = None  # of the open row, if they are wanted
        self._before, self._among = True, False  # in front of the table of rows, in it, or neither: behind it
        self._head = True
        self._row_number = 0
        self._in_row = self._filled = self._in_value = False

    def start(self, name: bytes, attributes: bytes) -> None:
        """Take a start tag."""
        if not self._among:
            if name == b"sheetData" and self._before:
                self._before, self._among = False, True
        elif name == b"row":
            self._start_row(attributes)
        elif self._in_row:
            if name in (b"v", b"t"):
                self._in_value = True
            elif name == b"f":
                self._filled = True
            if self._cells is not None:
                self._collector.start(name, attributes)

    def text(self, piece: bytes) -> None:
        """Take a piece of text."""
        if self._in_value:
            self._filled = True
            if self._cells is not None:
                self._collector.text(piece)

    def end(self, name: bytes) -> None:
        """Take an end tag."""
        if not self._among:
            return
        if name == b"row":
            self._end_row()
        elif name == b"sheetData":
            if self._in_row:
                raise faults.corrupt("a sheet ends in the middle of a row")
            self._among = False
        elif self._in_row:
            if name in (b"v", b"t"):
                self._in_value = False
            if self._cells is not None:
                self._collector.end(name)

    def skim(self, buffer: bytes, position: int, limit: int, prefix: bytes) -> int:
        """Count rows behind the head without looking at each cell."""
        if self._head or not self._among:
            return limit if not self._among and not self._before else position
        self._in_value = False
        patterns = _patterns(prefix)
        begin, between, value, ending = patterns.begin, patterns.between, patterns.value, patterns.ending
        in_row, filled, others = self._in_row, self._filled, self.others
        while position < limit:
            if in_row:
                end = buffer.find(ending, position, limit)
                stop = limit if end < 0 else end
                filled = filled or value(buffer, position, stop) is not None
                position = stop
                found = between(buffer, position, limit) if end >= 0 else None
                if found is None:
                    break
                others += filled
            else:
                found = begin(buffer, position, limit)
                if found is None:
                    break
            position = found.end()
            in_row, filled = found[1] == b"", False  # None: no further row at once; "/": one that is empty
        self._in_row, self._filled, self.others = in_row, filled, others
        return position

    def finish(self) -> None:
        """Take the end of the part.

        Raises:
            ArtifactError: There was no table of rows, or no end of it.
        """
        if self._before or self._among:
            raise faults.corrupt("a sheet has no whole table of rows")

    def _start_row(self, attributes: bytes) -> None:
        if self._in_row:
            raise faults.corrupt("a sheet has a row within a row")
        self._in_row, self._filled, self._in_value = True, False, False
        self._cells = None
        if not self._head:
            return
        number = attributes_of(attributes).get("r", "").strip()
        given = int(number) if number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER else 0
        self._row_number = max(given, self._row_number + 1)
        if self._row_number > _LABEL_ROW and not self._first_data:
            self._head = False
        elif self._row_number != _LABEL_ROW or self._labels:
            self._cells = self._collector.open_row()

    def _end_row(self) -> None:
        if not self._in_row:
            raise faults.corrupt("a sheet has the end of a row where there is none")
        self._in_row = self._in_value = False
        row = Row(self._filled, self._cells or {})
        if self._head and self._row_number == 1:
            self.first = row
        elif self._head and self._row_number == _LABEL_ROW:
            self.second = row
        elif self._filled:
            self.others += 1
            if self._head:
                self.third = row
                self._head = False


class _Patterns(NamedTuple):
    """Searches among rows: `begin` and `between` match where a row begins, and where one ends and maybe another begins.

    Their group 1 is what closes the start tag: nothing, `/` in a row without cells, None where no row begins.
    """

    begin: Callable[[bytes, int, int], re.Match[bytes] | None]
    between: Callable[[bytes, int, int], re.Match[bytes] | None]
    value: Callable[[bytes, int, int], re.Match[bytes] | None]
    ending: bytes


@lru_cache(maxsize=4)
def _patterns(prefix: bytes) -> _Patterns:
    """Compile what is looked for among rows, for elements of one prefix."""
    name = re.escape(prefix)
    attributes = rb"""(?:\s(?:[^<>"'/]++|"[^"<]*+"|'[^'<]*+'|/(?!>))*+)?+"""
    row = rb"\s*+<" + name + rb"row" + attributes + rb"(/?)>"
    return _Patterns(
        begin=re.compile(row).match,
        between=re.compile(rb"</" + name + rb"row\s*+>(?:" + row + rb")?").match,
        value=re.compile(rb"<" + name + rb"(?:[vt]" + attributes + rb">[^<]|f[\s/>])").search,
        ending=b"</" + prefix + b"row",
    )
