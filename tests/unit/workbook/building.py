"""Workbooks for the tests: a ZIP writer that can do what real writers do, and the parts to put in."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import xlsxwriter

from leanix_backup.model import Content, ExportType
from leanix_backup.workbook import Limits, verify

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PART = "application/vnd.openxmlformats-officedocument.spreadsheetml"
TYPES = (
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Default Extension="xml" ContentType="{_PART}.worksheet+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_PART}.sheet.main+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_PART}.sharedStrings+xml"/>'
)
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
KEYS = ("id", "type", "name", "displayName")
LABELS = ("ID", "Type", "Name", "Display name")
ANY = Limits(max_ratio=10_000)


@dataclass(frozen=True)
class Part:
    """One member. `descriptor` is 0 (sizes in the local header), 12, 16, 20 or 24 bytes."""

    name: str
    data: bytes
    stored: bool = False
    descriptor: int = 0
    wide: bool = False
    local_extra: bytes = b""
    both_extra: bytes = b""
    declared: int | None = None
    flags: int = 0
    method: int | None = None


def make_zip(parts: Iterable[Part], *, end64: bool = False, comment: bytes = b"") -> bytes:
    """Write a ZIP archive by hand, each member as it says."""
    out, central, count = bytearray(), bytearray(), 0
    for part in parts:
        raw = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = part.data if part.stored else raw.compress(part.data) + raw.flush()
        size = len(part.data) if part.declared is None else part.declared
        crc, method = zlib.crc32(part.data), (0 if part.stored else 8) if part.method is None else part.method
        flags = part.flags | (8 if part.descriptor else 0)
        name, offset = part.name.encode(), len(out)
        known = (0, 0, 0) if part.descriptor else (crc, len(packed), size)
        local_extra = part.local_extra + part.both_extra
        if part.wide:
            local_extra += struct.pack("<2H2Q", 1, 16, known[2], known[1])
            known = (known[0], 0xFFFFFFFF, 0xFFFFFFFF)
        out += struct.pack(
            "<4s5H3L2H", b"PK\3\4", 45 if part.wide else 20, flags, method, 0, 33, *known, len(name), len(local_extra)
        )
        out += name + local_extra + packed
        if part.descriptor:
            out += b"PK\7\x08" if part.descriptor in (16, 24) else b""
            out += struct.pack("<L2Q" if part.descriptor > 16 else "<3L", crc, len(packed), size)
        sizes: tuple[int, int] = (len(packed), size)
        central_extra, at = part.both_extra, offset
        if part.wide:
            central_extra += struct.pack("<2H3Q", 1, 24, size, len(packed), offset)
            sizes, at = (0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF
        central += struct.pack(
            "<4s6H3L5H2L",
            b"PK\1\2",
            20,
            20,
            flags,
            method,
            0,
            33,
            crc,
            *sizes,
            len(name),
            len(central_extra),
            0,
            0,
            0,
            0,
            at,
        )
        central += name + central_extra
        count += 1
    begin = len(out)
    out += central
    if end64:
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(central), begin)
        out += record + struct.pack("<4sLQL", b"PK\6\7", 0, begin + len(central), 1)
        out += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, len(comment))
    else:
        out += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(central), begin, len(comment))
    return bytes(out + comment)


def cell(value: object) -> str:
    """Write one cell with an inline text or a number; an empty one without either."""
    if value is None:
        return '<c s="1"/>'
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    text = str(value).replace("&", "&amp;").replace("<", "&lt;")
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def table(rows: Iterable[Sequence[object]]) -> str:
    """Write a worksheet with these rows."""
    body = "".join("<row>" + "".join(map(cell, row)) + "</row>" for row in rows)
    return worksheet(body)


def worksheet(body: str) -> str:
    """Wrap rows as they are written."""
    return f'{DECLARATION}<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'


def facts(count: int) -> str:
    """Write a worksheet of fact sheets."""
    return table([KEYS, LABELS, *((f"id{i}", "Application", f"App {i}", f"App {i}") for i in range(count))])


def parts_of(sheets: Mapping[str, str | bytes], strings: str | bytes | None = None) -> dict[str, bytes]:
    """Write the parts of a workbook: its sheets by name, and the table of shared texts."""
    listed = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="rId{i}"/>' for i, name in enumerate(sheets, 1))
    related = "".join(
        f'<Relationship Id="rId{i}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i, _ in enumerate(sheets, 1)
    )
    related += f'<Relationship Id="rIdS" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{space.replace("relationships", "content-types")}">{TYPES}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{space}"><Relationship Id="a" Type="{OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{space}">{related}</Relationships>',
    }
    parts |= {f"xl/worksheets/sheet{i}.xml": body for i, body in enumerate(sheets.values(), 1)}
    if strings is not None:
        parts["xl/sharedStrings.xml"] = strings
    return {name: data.encode() if isinstance(data, str) else data for name, data in parts.items()}


def workbook(sheets: Mapping[str, str | bytes], strings: str | bytes | None = None) -> bytes:
    """Write a workbook, every member deflated."""
    return make_zip(Part(name, data) for name, data in parts_of(sheets, strings).items())


def by_openpyxl(sheets: Mapping[str, Iterable[Sequence[Any]]]) -> bytes:
    """Write a workbook as openpyxl does: shared texts, ZIP by Python."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def by_xlsxwriter(sheets: Mapping[str, Iterable[Sequence[Any]]], *, constant_memory: bool = True) -> bytes:
    """Write a workbook as xlsxwriter does: inline texts with `constant_memory`, else shared ones."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"constant_memory": constant_memory})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    return out.getvalue()


def proved(
    folder: Path, data: bytes, export: ExportType = ExportType.SNAPSHOT, limits: Limits = ANY, name: str = "a.xlsx"
) -> Content:
    """Write bytes to a file and prove it."""
    path = folder / name
    path.write_bytes(data)
    return verify(path, export, limits)
