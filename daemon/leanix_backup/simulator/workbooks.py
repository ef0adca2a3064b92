"""Write a cut of the world, or a stretch of its changelog, as the workbook that LeanIX would send.

Row 1 has the field keys, row 2 the labels, data starts in row 3; sheet names are cut to 31 characters. Written row by
row, so memory does not grow with the workbook.
"""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import xlsxwriter

from leanix_backup.clock import format_utc
from leanix_backup.simulator import schema
from leanix_backup.simulator.changelog import Entry, Row
from leanix_backup.simulator.world import Cut

# The changelog's columns are not known: these keys and labels are our invention.
AUDIT_KEYS: dict[str, str] = {
    "id": "ID",
    "createdAt": "Date",
    "userId": "User ID",
    "userName": "User",
    "userEmail": "User e-mail",
    "eventType": "Event",
    "objectType": "Object type",
    "type": "Type",
    "objectId": "Object ID",
    "factSheetId": "Fact Sheet ID",
    "field": "Field",
    "oldValue": "Old value",
    "newValue": "New value",
}
AUDIT_SHEET = "Changelog"

_PADDING_NAME = "xl/media/padding.bin"
_PADDING_BLOCK = 4 * 1024 * 1024
_ROWS_PER_LOOK = 500  # how often a writer asks whether it should stop


def write_cut(path: Path, cut: Cut, *, stopped: Callable[[], bool] = lambda: False) -> None:
    """Write a SNAPSHOT's or an ARCHIVE's workbook.

    Raises:
        InterruptedError: `stopped` said so; what was written so far is left behind.
    """
    with _workbook(path) as book:
        readme = book.add_worksheet("ReadMe")
        for place, line in enumerate(_README):
            readme.write_string(place, 0, line)
        for kind, rows in cut.fact_sheets.items():
            _write_sheet(book, kind, schema.fact_sheet_keys(kind, cut.columns), rows, stopped)
        for kind, rows in cut.relations.items():
            _write_sheet(book, kind, schema.RELATION_KEYS, rows, stopped)
        _write_sheet(book, "TagGroups", schema.TAG_GROUP_KEYS, cut.tag_groups, stopped)
        _write_sheet(book, "Tags", schema.TAG_KEYS, cut.tags, stopped)
        _write_sheet(book, "Documents", schema.DOCUMENT_KEYS, cut.documents, stopped)
        _write_sheet(book, "Comments", schema.COMMENT_KEYS, cut.comments, stopped)
        _write_sheet(book, "Types", schema.TYPES_KEYS, _field_values(cut), stopped)


def write_changes(
    path: Path,
    entries: Iterable[Entry],
    *,
    labels_only: bool = False,
    skew: timedelta = timedelta(),
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Write an AUDIT_LOG's workbook.

    Args:
        path: The file to write.
        entries: The changes, in their order.
        labels_only: One header row of labels, without keys.
        skew: How far the server's clock is off: added to each change's date.
        stopped: As for `write_cut`.
    """
    with _workbook(path) as book:
        rows = (_audit_row(entry, skew) for entry in entries)
        labels = tuple(AUDIT_KEYS.values())
        headers = (labels,) if labels_only else (tuple(AUDIT_KEYS), labels)
        _write_rows(book.add_worksheet(AUDIT_SHEET), headers, rows, stopped)


def pad(path: Path, size: int, *, stopped: Callable[[], bool] = lambda: False) -> None:
    """Add an incompressible, stored member of that many bytes; the file stays a valid workbook."""
    block = random.Random(size).randbytes(min(size, _PADDING_BLOCK))
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive,
        archive.open(_PADDING_NAME, "w", force_zip64=True) as member,
    ):
        left = size
        while left > 0:
            if stopped():
                raise InterruptedError("told to stop")
            member.write(block[:left])
            left -= len(block)


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent)})
    # the same content gives the same file, whenever it is written
    book.set_properties({"created": datetime(2020, 1, 1)})  # noqa: DTZ001  (the library takes naive UTC)
    book.use_zip64()
    try:
        yield book
    except BaseException:
        for sheet in book.worksheets():  # its temporary files would stay open
            sheet.row_data_fh.close()
        raise
    book.close()


def _write_sheet(book: Any, kind: str, keys: tuple[str, ...], rows: Iterable[Row], stopped: Callable[[], bool]) -> None:
    headers = (keys, tuple(schema.label(key) for key in keys))
    _write_rows(book.add_worksheet(schema.sheet_name(kind)), headers, rows, stopped)


def _write_rows(sheet: Any, headers: tuple[Row, ...], rows: Iterable[Row], stopped: Callable[[], bool]) -> None:
    # the sheet's own `write` would guess each value's kind anew (and turn a URL into a link)
    write_string, write_number = sheet.write_string, sheet.write_number
    number = 0
    for number, row in enumerate((*headers,)):
        for place, value in enumerate(row):
            write_string(number, place, value)
    for number, row in enumerate(rows, number + 1):  # noqa: B020  (goes on counting)
        if number % _ROWS_PER_LOOK == 0 and stopped():
            raise InterruptedError("told to stop")
        for place, value in enumerate(row):
            if value.__class__ is str:
                write_string(number, place, value)
            elif value is not None:
                write_number(number, place, value)


def _audit_row(entry: Entry, skew: timedelta) -> Row:
    return (
        entry.id,
        format_utc(entry.at + skew),
        entry.user.id,
        entry.user.name,
        entry.user.email,
        entry.event,
        entry.object_type,
        entry.sheet,
        entry.object_id,
        entry.fact_sheet_id,
        entry.field,
        None if entry.old is None else json.dumps(entry.old, ensure_ascii=False),
        None if entry.new is None else json.dumps(entry.new, ensure_ascii=False),
    )


def _field_values(cut: Cut) -> Iterator[Row]:
    for kind in schema.FACT_SHEET_TYPES:
        if cut.tags or cut.fact_sheets[kind]:
            for key in schema.fact_sheet_keys(kind, cut.columns)[schema.CUSTOM_PLACE :]:
                yield kind, key, "; ".join(schema.custom_values(key))


_README = (
    "Full export of a simulated workspace",
    "",
    "Each sheet holds one type of fact sheet, one type of relation, or related objects.",
    "Row 1 has the field keys, row 2 their labels; go by the keys, since labels and the order of columns may change.",
)
