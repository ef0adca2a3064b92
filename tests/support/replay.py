"""Replay a changelog onto a snapshot, from nothing but the workbooks, and see whether the later snapshot comes out.

The convention: the entries with `earlier.createdAt < entry <= later.createdAt`, in the order of the sheet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import ZipFile

import openpyxl

Table: TypeAlias = dict[str, dict[str, Any]]
Tables: TypeAlias = dict[str, Table]

WITHOUT_KEYS = ("ReadMe",)
MAX_SHEET_NAME = 31
LABELS = {
    "ID": "id",
    "Date": "createdAt",
    "Event": "eventType",
    "Object type": "objectType",
    "Type": "type",
    "Object ID": "objectId",
    "Old value": "oldValue",
    "New value": "newValue",
}


def read_tables(path: Path) -> Tables:
    """Read a SNAPSHOT's or ARCHIVE's sheets: by name, by row id, by field key; empty cells are left out."""
    return {
        name: {_row_id(name, row): row for row in (_cells(keys, values) for values in rows[2:])}
        for name, rows in read_sheets(path).items()
        if name not in WITHOUT_KEYS
        for keys in [rows[0]]
    }


def read_changes(path: Path) -> list[dict[str, Any]]:
    """Read a changelog in either layout; `oldValue` and `newValue` are decoded."""
    (rows,) = read_sheets(path).values()
    with_keys = rows[0][0] == "id"
    keys = rows[0] if with_keys else tuple(LABELS.get(label, label) for label in rows[0])
    changes = [_cells(keys, values) for values in rows[2 if with_keys else 1 :]]
    for change in changes:
        for key in ("oldValue", "newValue"):
            change[key] = json.loads(change[key]) if key in change else None
    return changes


def read_sheets(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Read every row of every sheet."""
    with path.open("rb") as file, ZipFile(file) as archive:
        if archive.testzip() is not None:
            raise ValueError(f"{path} is damaged")
        book = openpyxl.load_workbook(file, read_only=True)
        try:
            return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
        finally:
            book.close()


def replay(
    tables: Tables, changes: list[dict[str, Any]], after: datetime, until: datetime, *, archive: bool = False
) -> None:
    """Apply the changes with `after < createdAt <= until` to the tables, in place.

    A move between snapshot and archive is a removal from the one and an addition to the other.

    Raises:
        ValueError: A change that does not fit what is in the tables: its object is missing, is there already, or had
            other values before.
    """
    for change in _within(changes, after, until):
        event, sheet, identifier = change["eventType"], change["type"][:MAX_SHEET_NAME], change["objectId"]
        action = event.rsplit("_", 1)[1]
        if archive and change["objectType"] in {"TAG", "TAG_GROUP"}:
            continue
        table = tables.setdefault(sheet, {})
        if action in {"CREATED", "ARCHIVED", "RECOVERED"}:
            comes = (action == "ARCHIVED") == archive
            if comes:
                _put(table, identifier, change["newValue"])
            elif action != "CREATED":
                _remove(table, identifier)
        elif action == "DELETED":
            # A fact sheet is deleted from the archive only; a relation from wherever it is.
            table.pop(identifier, None)
        elif not archive:
            _patch(table, identifier, change["oldValue"], change["newValue"])


def differences(left: Tables, right: Tables) -> list[str]:
    """Say every difference between two sets of tables; empty where they are the same."""
    found = [f"sheet {name} is on one side only" for name in sorted(left.keys() ^ right.keys())]
    for name in left.keys() & right.keys():
        for identifier in left[name].keys() | right[name].keys():
            one, other = left[name].get(identifier), right[name].get(identifier)
            if one != other:
                found.append(f"{name} {identifier}: {one} != {other}")
    return sorted(found)


def _within(changes: list[dict[str, Any]], after: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    return (change for change in changes if after < datetime.fromisoformat(change["createdAt"]) <= until)


def _put(table: Table, identifier: str, row: dict[str, Any]) -> None:
    if identifier in table:
        raise ValueError(f"{identifier} is there already")
    table[identifier] = row


def _remove(table: Table, identifier: str) -> None:
    if identifier not in table:
        raise ValueError(f"{identifier} is not there")
    del table[identifier]


def _patch(table: Table, identifier: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    row = table.get(identifier)
    if row is None or {key: row.get(key) for key in old} != old:
        raise ValueError(f"{identifier} was not {old}")
    table[identifier] = {key: value for key, value in {**row, **new}.items() if value is not None}


def _cells(keys: tuple[Any, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    return {key: value for key, value in zip(keys, values, strict=False) if value is not None}


def _row_id(sheet: str, row: dict[str, Any]) -> str:
    if sheet == "Comments":
        return f"{row['factSheet']}/{row['createdAt']}"
    if sheet == "Types":
        return f"{row['factSheetType']}/{row['fieldName']}"
    return str(row["id"])
