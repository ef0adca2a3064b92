"""What the summary of a sound workbook says, whoever wrote it and however it is encoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leanix_backup.errors import ArtifactError, InterruptedRunError, SpoolError
from leanix_backup.model import Content, ExportType, Sheet
from leanix_backup.workbook import Limits, verify

from . import building
from .building import KEYS, LABELS, MAIN, OFFICE, STRICT, Part, make_zip, parts_of, proved, table, workbook, worksheet

ROWS = [KEYS, LABELS, *((f"{i:08x}", "Application", f"App {i}", "x") for i in range(300))]
RELATION = [
    ("id", "type", "fromRelatedFactSheetType", "toRelatedFactSheetType", "name"),
    ("ID", "Type", "From", "To", "Name"),
    ("1", "r", "Application", "ITComponent", "n"),
]
SNAPSHOT: dict[str, list[tuple[Any, ...]]] = {
    "ReadMe": [("Hello",), (), ("there",)],
    "Application": ROWS,
    "applicationITComponentRelation": RELATION,
}
SUMMARY = Content(
    empty=False,
    sheets=(
        Sheet("ReadMe", 2),
        Sheet("Application", 300, KEYS),
        Sheet("applicationITComponentRelation", 1, RELATION[0]),
    ),
    fact_sheets={"Application": 300},
)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(building.by_openpyxl(SNAPSHOT), id="openpyxl"),
        pytest.param(building.by_xlsxwriter(SNAPSHOT), id="xlsxwriter-inline"),
        pytest.param(building.by_xlsxwriter(SNAPSHOT, constant_memory=False), id="xlsxwriter-shared"),
        pytest.param(workbook({name: table(rows) for name, rows in SNAPSHOT.items()}), id="by-hand"),
    ],
)
def test_writers_agree(tmp_path: Path, data: bytes) -> None:
    assert proved(tmp_path, data) == SUMMARY


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    sheet = building.facts(5000).replace("App 7<", "Äpp 👍 7<").replace('encoding="UTF-8" ', "")
    content = proved(tmp_path, workbook({"Application": sheet.encode(encoding)}))
    assert content.fact_sheets == {"Application": 5000}


def test_strict_namespace_and_prefixes(tmp_path: Path) -> None:
    row = "<x:row>{}</x:row>"
    cells = "".join(f'<x:c t="inlineStr"><x:is><x:t>{key}</x:t></x:is></x:c>' for key in KEYS)
    body = row.format(cells) * 9 + "<row><c><v>1</v></c></row>"
    sheet = f'<x:worksheet xmlns:x="{STRICT}"><x:sheetData>{body}</x:sheetData></x:worksheet>'
    parts = parts_of({"Application": sheet})
    listed = '<b:sheets><b:sheet name="App &amp; Co" q:id="rId1"/></b:sheets>'
    book = f'<b:workbook xmlns:b="{STRICT}" xmlns:q="{OFFICE}">{listed}</b:workbook>'
    parts["xl/workbook.xml"] = book.encode()
    content = proved(tmp_path, make_zip(Part(*part) for part in parts.items()))
    assert content.sheets == (Sheet("App & Co", 7, KEYS),)


@pytest.mark.parametrize(
    "target",
    ["/xl/worksheets/sheet1.xml", "./worksheets/sheet1.xml", "../xl/worksheets/Sheet1.xml", "worksheets\\sheet1.xml"],
)
def test_targets(tmp_path: Path, target: str) -> None:
    parts = parts_of({"Application": building.facts(2)})
    rels = parts["xl/_rels/workbook.xml.rels"].decode().replace("worksheets/sheet1.xml", target)
    parts["xl/_rels/workbook.xml.rels"] = rels.encode()
    assert proved(tmp_path, make_zip(Part(*part) for part in parts.items())).fact_sheets == {"Application": 2}


def test_sheets_are_in_the_order_of_the_workbook_and_charts_are_left_out(tmp_path: Path) -> None:
    parts = parts_of({"A": table([("x",)]), "Chart": "<chartsheet/>", "Application": building.facts(1)})
    rels = parts["xl/_rels/workbook.xml.rels"].decode()
    parts["xl/_rels/workbook.xml.rels"] = rels.replace(
        'worksheet" Target="worksheets/sheet2', 'chartsheet" Target="worksheets/sheet2'
    ).encode()
    book = parts["xl/workbook.xml"].decode()
    first, last = book.index("<sheet "), book.index("</sheets>")
    reverse = "".join(reversed([f"<sheet {piece}" for piece in book[first:last].split("<sheet ")[1:]]))
    parts["xl/workbook.xml"] = (book[:first] + reverse + book[last:]).encode()
    content = proved(tmp_path, make_zip(Part(*part) for part in parts.items()))
    assert [sheet.name for sheet in content.sheets] == ["Application", "A"]


@pytest.mark.parametrize("strings_first", [True, False])
def test_shared_texts_wherever_they_lie(tmp_path: Path, *, strings_first: bool) -> None:
    strings = ["<si><t>noise</t></si>", "<si/>", *[f"<si><t>{i}</t></si>" for i in range(40_000)]]
    strings += [
        "<si><r><t>i</t></r><r><t>d</t></r><rPh><t>ei dee</t></rPh></si>",
        "<si><t>ty&#112;e</t></si>",
        "<si><t>name</t></si>",
    ]
    at = len(strings) - 3
    head = "".join(f'<c t="s"><v>{at + i}</v></c>' for i in range(3))
    body = f'<row>{head}</row><row>{head}</row><row><c t="s"><v>0</v></c></row>'
    table_of_texts = f'<sst xmlns="{MAIN}">' + "".join(strings) + "</sst>"
    parts = [Part(*part) for part in parts_of({"Project": worksheet(body)}, table_of_texts).items()]
    content = proved(tmp_path, make_zip(reversed(parts) if strings_first else parts))
    assert content == Content(False, (Sheet("Project", 1, ("id", "type", "name")),), {"Project": 1})  # noqa: FBT003 - as the field says


def test_a_cut_sheet_name_is_completed_by_the_column_type(tmp_path: Path) -> None:
    name = "SomeVeryLongFactSheetTypeNameTh"
    assert len(name) == 31
    keys = ("displayName", "type", "id")
    rows = [keys, keys, (None, None), ("A", name + "atGoesOn", "1"), ("B", "Other", "2")]
    assert proved(tmp_path, workbook({name: table(rows)})).fact_sheets == {name + "atGoesOn": 2}


@pytest.mark.parametrize("name", ["TagGroups", "Tags", "Documents", "Comments", "Types", "ReadMe"])
def test_sheets_that_are_no_fact_sheets(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        proved(tmp_path, workbook({name: building.facts(1)}))
    assert caught.value.code == "artifact_no_fact_sheets"


@pytest.mark.parametrize("key", ["factSheet", "fromRelatedFactSheetType", "toRelatedFactSheetDisplayName"])
def test_columns_that_no_fact_sheet_has(tmp_path: Path, key: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        proved(tmp_path, workbook({"Application": table([(*KEYS, key)])}))
    assert caught.value.code == "artifact_no_fact_sheets"


def test_empty_exports(tmp_path: Path) -> None:
    nothing = workbook({"ReadMe": table([("prose",)]), "Application": building.facts(0)})
    snapshot, archive = proved(tmp_path, nothing), proved(tmp_path, nothing, ExportType.ARCHIVE)
    assert snapshot == archive == Content(True, (Sheet("ReadMe", 1), Sheet("Application", 0, KEYS)), {"Application": 0})  # noqa: FBT003 - as the field says
    bare = workbook({"Sheet1": worksheet("").replace("<sheetData></sheetData>", "<sheetData/>")})
    assert proved(tmp_path, bare, ExportType.ARCHIVE) == Content(True, (Sheet("Sheet1", 0),))  # noqa: FBT003 - the same
    assert proved(tmp_path, bare, ExportType.AUDIT_LOG) == Content(True, (Sheet("Sheet1", 0),))  # noqa: FBT003 - the same


@pytest.mark.parametrize(
    ("rows", "count", "keys"),
    [
        (
            [("id", "createdAt", "user"), ("ID", "Created at", "User"), ("1", "2027-01-01", "u")],
            1,
            ("id", "createdAt", "user"),
        ),
        ([("id", "createdAt"), ("9f", "2027-01-01T00:00:00Z"), ("9e", "2027-01-02T00:00:00Z")], 2, ("id", "createdAt")),
        ([("timestamp", "eventType"), (46000, "update")], 1, ("timestamp", "eventType")),
        ([("Date", "Event"), ("2027-01-01", "update"), ("2027-01-02", "update")], 2, ()),
        ([("2027-01-01", "update"), ("2027-01-02", "update")], 2, ()),
        ([("Date", "Event")], 0, ()),
        ([("id", "createdAt"), ("ID", "Created at")], 0, ("id", "createdAt")),
    ],
)
def test_audit_logs_of_any_shape(
    tmp_path: Path, rows: list[tuple[object, ...]], count: int, keys: tuple[str, ...]
) -> None:
    data = workbook({"ReadMe": table([("prose", "2027")]), "Log": table(rows)})
    content = proved(tmp_path, data, ExportType.AUDIT_LOG)
    assert content.sheets[1] == Sheet("Log", count, keys)
    assert content.empty == (count == 0)
    assert content.fact_sheets == {}


def test_keys_are_texts_of_row_one_only(tmp_path: Path) -> None:
    late = worksheet('<row r="2"><c><v>1</v></c></row><row r="3"><c r="A3"><v>1</v></c></row>')
    odd = worksheet(
        '<row r="1"><c r="C1" t="str"><v>name</v></c><c r="A1" t="str"><v> id </v></c><c r="B1"/><c><f>1</f></c></row>'
    )
    content = proved(tmp_path, workbook({"late": late, "odd": odd}), ExportType.ARCHIVE)
    assert content.sheets == (Sheet("late", 2), Sheet("odd", 0, ("id", "name")))


def test_progress_grows_to_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(
        make_zip(
            Part(name, data, stored=True) for name, data in parts_of({"Application": building.facts(9000)}).items()
        )
    )
    seen: list[int] = []
    verify(path, ExportType.SNAPSHOT, Limits(), seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 5
    assert seen[-1] == path.stat().st_size


@pytest.mark.parametrize("stored", [True, False])
def test_can_be_cancelled_within_half_a_mebibyte(tmp_path: Path, *, stored: bool) -> None:
    path = tmp_path / "a.xlsx"
    parts = [Part(*part) for part in parts_of({"Application": building.facts(1)}).items()]
    path.write_bytes(make_zip([*parts, Part("big", bytes(40 * 2**20), stored=stored)]))
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 40

    with pytest.raises(InterruptedRunError):
        verify(path, ExportType.SNAPSHOT, Limits(max_ratio=10_000), cancelled=cancelled)
    asked = -(10**6)
    verify(path, ExportType.SNAPSHOT, Limits(max_ratio=10_000), cancelled=cancelled)
    assert asked + 10**6 >= 80


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpoolError):
        verify(tmp_path / "none", ExportType.SNAPSHOT, Limits())
    with pytest.raises(SpoolError):
        verify(tmp_path, ExportType.SNAPSHOT, Limits())
