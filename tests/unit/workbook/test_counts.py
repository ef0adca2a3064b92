"""Rows are counted as openpyxl counts them, however the XML is written and wherever a chunk of it ends."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leanix_backup.model import ExportType
from leanix_backup.workbook.limits import Budget
from leanix_backup.workbook.markup import Markup
from leanix_backup.workbook.sheet import SheetReader

from .building import MAIN, by_openpyxl, by_xlsxwriter, proved, workbook, worksheet

SPACE = st.sampled_from(["", "", "", " ", "\n", "\t\r\n  "])
ODD = st.sampled_from(
    ["", "", "", "<!-- <row><c><v>1</v></c></row> -->", "<!---->", "<?pi <row><v>9</v> ?>", "<!--<![CDATA[-->"]
)
TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff_"), max_size=8)


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;")


EMPTY = ["", "<v/>", "<v></v>", "<v ></v >", "<is><t/></is>", "<is><t></t><r><t  x='>'/></r></is>", "<is></is>"]
FULL = {
    "n": ["<v>{n}</v>", "<v >{n}</v >", "<f>A1&gt;{n}</f>", "<f>1</f><v></v>", "<f/>", "<f t='shared' si='0' />"],
    "str": [
        "<v>x{text}</v>",
        "<f>1</f><v>{n}</v>",
        "<v><![CDATA[<row>{n}]]></v>",
        '<v x="/>"> {text}</v>',
    ],
    "inlineStr": ["<is><t>x{text}</t></is>", "<is><r><rPr><b/></rPr><t/></r><r><t x='/>'>{n}</t></r></is>"],
    "s": ["<v>0</v>"],
}


@st.composite
def cells(draw: st.DrawFn) -> tuple[str, bool]:
    """Draw a cell and whether it holds anything."""
    quote = draw(st.sampled_from(['"', "'"]))
    style = draw(st.sampled_from(["", f" s={quote}3{quote}", f"\n s = {quote}1{quote} ", f" x={quote}a>b/>{quote}"]))
    filled = draw(st.booleans())
    kind = draw(st.sampled_from(sorted(FULL))) if filled else ""
    if not filled and draw(st.booleans()):
        return f"<c{style}/>", False
    inner = draw(st.sampled_from(FULL[kind] if filled else EMPTY))
    text = escaped(draw(TEXT))
    inner = inner.format(n=draw(st.integers(1, 99)), text=text)
    named = f" t={quote}{kind}{quote}" if filled else ""
    return f"<c{style}{named}>{draw(ODD)}{inner}{draw(SPACE)}</c{draw(SPACE)}>", filled


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, int]:
    """Draw the rows of a sheet and how many of them hold anything."""
    rows, filled = [], 0
    for drawn in draw(st.lists(st.lists(cells(), max_size=4), max_size=12)):
        name = draw(st.sampled_from(["row", "row ", 'row spans="1:3"', "row ht='>' ", "row\n customHeight='1'"]))
        between = draw(SPACE) + draw(ODD)
        if not drawn and draw(st.booleans()):
            rows.append(f"<{name}/>{between}")
            continue
        rows.append(f"<{name}>{between.join(xml for xml, _ in drawn)}</row{draw(SPACE)}>{between}")
        filled += any(holds for _, holds in drawn)
    return draw(SPACE) + "".join(rows), filled


def counted(sheet: bytes, size: int) -> tuple[int, bool, bool, dict[int, str | int]]:
    """Read a sheet in chunks of some size; return what is known of it."""
    reader = SheetReader(Budget())
    markup = Markup("sheet", b"worksheet", reader)
    for at in range(0, len(sheet), size):
        markup.feed(sheet[at : at + size])
    markup.close()
    reader.finish()
    return reader.others, reader.first.filled, reader.second.filled, reader.first.cells


@given(tables(), st.sampled_from([1, 2, 3, 7, 30, 200, 1500]))
@settings(max_examples=150, deadline=None)
def test_any_rows_in_any_chunks(drawn: tuple[str, int], size: int) -> None:
    body, filled = drawn
    sheet = worksheet("<!--" + " " * 1100 + "-->" + body).replace(
        "</sheetData>", "</sheetData><rowBreaks><brk><row/></brk></rowBreaks>"
    )
    others, first, second, cells_of_first = counted(sheet.encode(), size)
    assert others + first + second == filled
    assert counted(sheet.encode(), len(sheet) * 4) == (others, first, second, cells_of_first)


def read_by_openpyxl(data: bytes) -> int:
    """Count the rows with a value by other means."""
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
    rows = sum(any(value not in {None, ""} for value in row) for row in book["Log"].iter_rows(values_only=True))
    book.close()
    return rows


@given(tables())
@settings(max_examples=100, deadline=None)
def test_as_openpyxl_reads_them(drawn: tuple[str, int]) -> None:
    sheet = worksheet(drawn[0])
    others, first, second, _ = counted(sheet.encode(), 10_000)
    data = workbook({"Log": sheet}, f'<sst xmlns="{MAIN}"><si><t>shared</t></si></sst>')
    assert others + first + second == read_by_openpyxl(data)


GRID = st.lists(
    st.lists(st.one_of(st.none(), st.integers(0, 10**6), st.booleans(), TEXT.filter(bool)), max_size=5), max_size=20
)


@given(GRID, st.sampled_from(["openpyxl", "inline", "shared"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_as_openpyxl_reads_what_writers_write(tmp_path: Path, grid: list[list[Any]], writer: str) -> None:
    grid = [["2027", *row] if row and row[0] else row for row in grid]  # so that no row can be one of keys
    sheets = {"Log": [[7], *grid]}
    match writer:
        case "openpyxl":
            data = by_openpyxl(sheets)
        case _:
            data = by_xlsxwriter(sheets, constant_memory=writer == "inline")
    content = proved(tmp_path, data, ExportType.ARCHIVE)
    assert content.sheets[0].rows == read_by_openpyxl(data)


def test_formatting_alone_does_not_count(tmp_path: Path) -> None:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet("Log")
    bold = book.add_format({"bold": True, "bg_color": "red"})
    sheet.write_row(0, 0, [1, 2])
    sheet.write_row(1, 0, [1, 2])
    sheet.write(2, 0, "x")
    for number in range(3, 5000):
        sheet.set_row(number, 30, bold)
        sheet.write_blank(number, 2, None, bold)
    sheet.write(5000, 1, "y")
    sheet.autofilter(0, 0, 5000, 3)
    sheet.set_h_pagebreaks([5, 10, 20])
    sheet.merge_range(6000, 0, 6001, 1, "", bold)
    book.close()
    assert proved(tmp_path, out.getvalue(), ExportType.ARCHIVE).sheets[0].rows == 4


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_what_is_kept_of_the_first_row(size: int) -> None:
    body = (
        '<row r="1"><c r="B1" t="str"><v>a&amp;<![CDATA[&lt;]]>&#x41;&bogus;</v></c>'
        '<c t="inlineStr"><is><r><t>ty</t></r><r><t>pe</t></r><rPh><t>no</t></rPh></is></c>'
        '<c r="$AA$1" t="s"><v> 12 </v></c><c t="b"><v>1</v></c><c r="XFD1" t="str"><v>last</v></c>'
        '<c t="str"><v>x</v></c></row>'
    )
    _, filled, _, cells_of_first = counted(worksheet(body).encode(), size)
    assert filled
    assert cells_of_first == {2: "a&&lt;A&bogus;", 3: "type", 27: 12, 28: "\0", 16384: "last"}
