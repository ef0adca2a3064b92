"""What a workbook's sheets mean: which row has the keys, which rows are data, what is a fact sheet.

LeanIX's rule is: field keys in row 1, labels in row 2, data from row 3 on. Columns of the audit log are documented
nowhere, so nothing about it is ever refused: whether its row 2 has labels, and whether its row 1 is a heading at all,
is told from what stands there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanix_backup.model import Content, ExportType, Sheet

from . import faults

if TYPE_CHECKING:
    from collections.abc import Sequence

README = "readme"
LONGEST_SHEET_TITLE = 31
"""Characters after which Excel, and so LeanIX, cuts the name of a sheet."""

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*(?::.*)?", re.DOTALL)
_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")
_VALUE_LIKE = re.compile(r"\d{4}|\0")  # a number, a date, an id: no heading has such
_NO_FACT_SHEETS = {README, "taggroups", "tags", "documents", "comments", "types"}


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet as it was read: texts of its first rows, and how many rows from 3 on hold anything.

    `first` and `second` have the values of rows 1 and 2 that are not empty, from left to right; `filled` says which of
    the two hold anything; `type_name` is the cell `type` of the first data row, where it was asked for.
    """

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    filled: tuple[bool, bool]
    others: int
    type_name: str = ""


def summarise(tables: Sequence[Table], export: ExportType) -> Content:
    """Turn tables into the summary that goes into the manifest.

    Raises:
        ArtifactError: A snapshot without any sheet of fact sheets (`artifact_no_fact_sheets`).
    """
    sheets = tuple(_sheet(table, export) for table in tables)
    if export is ExportType.AUDIT_LOG:
        return Content(not any(sheet.rows for sheet in sheets if sheet.name.lower() != README), sheets)
    counts: dict[str, int] = {}
    for sheet, table in zip(sheets, tables, strict=True):
        if is_fact_sheets(sheet):
            name = _type_of(table)
            counts[name] = counts.get(name, 0) + sheet.rows
    if export is ExportType.SNAPSHOT and not counts:
        raise faults.no_fact_sheets()
    return Content(not any(counts.values()), sheets, counts)


def is_fact_sheets(sheet: Sheet) -> bool:
    """Tell a sheet of fact sheets from relations, tags, documents, comments and prose, by its keys and name."""
    keys = set(sheet.keys)
    related = any(key.startswith(("fromRelatedFactSheet", "toRelatedFactSheet")) for key in keys)
    return (
        {"id", "type"} <= keys
        and bool(keys & {"name", "displayName"})
        and not related
        and "factSheet" not in keys
        and sheet.name.lower() not in _NO_FACT_SHEETS
    )


def is_key_row(values: Sequence[str]) -> bool:
    """Tell whether row 1 has field keys: `id` is there, or everything in it is written as keys are.

    Keys begin with a lower-case letter, at least most of them, and none is there twice; two of them are the least.
    """
    if "id" in values:
        return True
    lower = sum(1 for value in values if value[0].islower())
    return (
        len(values) > 1
        and len(set(values)) == len(values)
        and all(_KEY.fullmatch(value) for value in values)
        and 2 * lower > len(values)
    )


def _sheet(table: Table, export: ExportType) -> Sheet:
    first, second = table.filled
    everything = table.others + first + second
    if table.name.lower() == README:
        return Sheet(table.name, everything)
    if is_key_row(table.first):
        labels = second and (export is not ExportType.AUDIT_LOG or _is_heading(table.second))
        return Sheet(table.name, everything - 1 - labels, table.first)
    if export is ExportType.AUDIT_LOG and len(table.first) > 1 and _is_heading(table.first):
        return Sheet(table.name, everything - 1)
    return Sheet(table.name, everything)


def _is_heading(values: Sequence[str]) -> bool:
    """Tell labels from a row of an audit log, which has a time or an id somewhere."""
    return not any(_VALUE_LIKE.search(value) for value in values)


def _type_of(table: Table) -> str:
    if len(table.name) >= LONGEST_SHEET_TITLE and _TYPE_NAME.fullmatch(table.type_name):
        return table.type_name
    return table.name
