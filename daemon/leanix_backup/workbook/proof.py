"""The proof itself: from a path to the summary of a whole workbook, or to the reason why it is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanix_backup.model import ExportType

from . import faults
from .archive import Archive
from .book import Book, SheetPart, read_book, read_part
from .kind import check_kind
from .layout import read_layout
from .limits import Budget, Limits
from .sheet import SheetReader
from .source import open_source
from .strings import StringsReader
from .summary import LONGEST_SHEET_TITLE, Table, summarise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from leanix_backup.model import Content

    from .cells import Row


def verify(
    artifact: Path | BinaryIO,
    export: ExportType,
    limits: Limits,
    progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Content:
    """Prove that a file is a whole workbook, and say what it holds.

    Reads each byte once, in memory that does not grow with the file or with anything in it; the file is left as it is.
    Takes as long as unpacking does, so call it in a thread: `cancelled` is asked at least at every half MiB.

    Args:
        artifact: The file; one that is open stays open, and is read from its beginning to its end.
        export: What it should be; a SNAPSHOT must have fact sheets' sheets, the others may be empty.
        limits: How large it may be once unpacked.
        progress: Called, in this thread, with the packed bytes proved so far; at the very end with the file's size.
        cancelled: Whether to stop.

    Raises:
        ArtifactError: It is not a whole workbook; its code says in which way.
        SpoolError: The file can't be read.
        InterruptedRunError: `cancelled` said so.
    """
    with open_source(artifact) as source:
        check_kind(source)
        archive = Archive(source, read_layout(source, limits), progress, cancelled)
        budget = Budget()
        book = read_book(archive, budget)
        sheets = [_read_sheet(archive, sheet, export, budget) for sheet in book.sheets]
        texts = _read_strings(archive, book, sheets, budget)
        archive.prove_rest()
        content = summarise([_table(sheet, texts) for sheet in sheets], export)
        if progress is not None:
            progress(source.size)
        return content


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What is remembered of a sheet while the others are read; see SheetReader."""

    name: str
    first: Row
    second: Row
    third: Row | None
    others: int


def _read_sheet(archive: Archive, sheet: SheetPart, export: ExportType, budget: Budget) -> _Sheet:
    reader = SheetReader(
        budget,
        labels=export is ExportType.AUDIT_LOG,
        first_data=len(sheet.name) >= LONGEST_SHEET_TITLE,
    )
    read_part(archive, sheet.part, b"worksheet", reader)
    reader.finish()
    return _Sheet(sheet.name, reader.first, reader.second, reader.third, reader.others)


def _read_strings(archive: Archive, book: Book, sheets: list[_Sheet], budget: Budget) -> dict[int, str]:
    """Look up the shared texts that the heads of the sheets point to.

    Raises:
        ArtifactError: A text that a sheet points to is not there.
    """
    wanted = {
        value
        for sheet in sheets
        for row in (sheet.first, sheet.second, sheet.third)
        if row is not None
        for value in row.cells.values()
        if isinstance(value, int)
    }
    strings = StringsReader(wanted, budget)
    if book.strings is not None:
        read_part(archive, book.strings, b"sst", strings)
    if len(strings.found) < len(wanted):
        raise faults.corrupt("its sheets point to shared texts that are not there")
    return strings.found


def _table(sheet: _Sheet, texts: dict[int, str]) -> Table:
    first = _values(sheet.first, texts)
    type_name = ""
    if sheet.third is not None:
        column = next((column for column, key in first.items() if key == "type"), 0)
        type_name = _values(sheet.third, texts).get(column, "")
    return Table(
        sheet.name,
        tuple(first.values()),
        tuple(_values(sheet.second, texts).values()),
        (sheet.first.filled, sheet.second.filled),
        sheet.others,
        type_name,
    )


def _values(row: Row, texts: dict[int, str]) -> dict[int, str]:
    """Resolve a row's values, from left to right, without those that are blank."""
    values = {
        column: (texts[value] if isinstance(value, int) else value).strip()
        for column, value in sorted(row.cells.items())
    }
    return {column: value for column, value in values.items() if value}
