"""Each way in which an artifact is no whole workbook has its own code, and its message quotes no content."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from leanix_backup.errors import ArtifactError
from leanix_backup.model import ExportType
from leanix_backup.workbook import Limits

from .building import Part, by_openpyxl, facts, make_zip, parts_of, proved, table, workbook, worksheet

GOOD = parts_of({"Application": facts(3)})
BOOK = workbook({"Application": facts(3)})
RETRYABLE = {"artifact_empty", "artifact_html", "artifact_json", "artifact_truncated", "artifact_corrupt"}


def parts(**changes: bytes | None) -> list[Part]:
    """Return the parts of a sound workbook, some replaced by the end of their name or left out."""
    ends = {key.replace("_", "."): data for key, data in changes.items()}
    found = []
    for name, data in GOOD.items():
        key = next((end for end in ends if name.endswith(end)), None)
        replaced = data if key is None else ends[key]
        if replaced is not None:
            found.append(Part(name, replaced))
    return found


def with_sheet(sheet: str | bytes, strings: str | bytes | None = None) -> bytes:
    """Return a workbook with a sound sheet and this one."""
    return workbook({"Application": facts(3), "Odd": sheet}, strings)


def lying(size: int, declared: int) -> bytes:
    """Return a workbook with a member that unpacks to more than it declares."""
    return make_zip([*parts(), Part("xl/bomb.bin", bytes(size), declared=declared)])


def overlapping() -> bytes:
    """Return an archive in which two members share their packed data, as modern bombs do."""
    data = bytearray(make_zip([*parts(), Part("a", bytes(2**20)), Part("b", bytes(2**20))]))
    local_a = data.index(b"PK\3\4", data.index(b"sheet1.xml"))
    central_b = data.rindex(b"PK\1\2")
    data[central_b + 42 : central_b + 46] = struct.pack("<L", local_a)
    return bytes(data)


CASES = {
    "empty": (b"", "artifact_empty"),
    "html": (b"\n<!DOCTYPE html><p>Jane Doe", "artifact_html"),
    "html-bom": (b"\xef\xbb\xbf<HTML>", "artifact_html"),
    "xhtml": (b'<?xml version="1.0"?><html/>', "artifact_html"),
    "html-utf16": ("<html>".encode("utf-16"), "artifact_html"),
    "json": (b' {"status":"ERROR","user":"Jane Doe"}', "artifact_json"),
    "json-list": (b"[]", "artifact_json"),
    "xml": (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "artifact_not_zip"),
    "text": (b"Jane Doe", "artifact_not_zip"),
    "zeros": (bytes(5000), "artifact_not_zip"),
    "first-byte": (b"P", "artifact_truncated"),
    "head-only": (b"PK\3\4" + bytes(100_000), "artifact_truncated"),
    "cut": (BOOK[:-30], "artifact_truncated"),
    "cut-in-data": (BOOK[:300], "artifact_truncated"),
    "appended": (BOOK + b"x", "artifact_corrupt"),
    "prepended": (b"PK\3\4" + BOOK, "artifact_corrupt"),
    "hole": (BOOK[:400] + BOOK[410:], "artifact_corrupt"),
    "twice": (make_zip([*parts(), *parts()]), "artifact_corrupt"),
    "twice-in-another-case": (make_zip([*parts(), Part("XL\\Workbook.xml", b"")]), "artifact_corrupt"),
    "bomb": (make_zip([*parts(), Part("xl/bomb.bin", bytes(2**21))]), "artifact_bomb"),
    "bomb-that-lies": (lying(2**21, 10), "artifact_bomb"),
    "overlap-bomb": (overlapping(), "artifact_bomb"),
    "wrong-size": (lying(1000, 10), "artifact_corrupt"),
    "no-members": (b"PK\5\6" + bytes(18), "artifact_not_workbook"),
    "encrypted": (make_zip([*parts(), Part("a", b"a", flags=1)]), "artifact_not_workbook"),
    "odd-method": (make_zip([*parts(), Part("a", b"a", method=12)]), "artifact_not_workbook"),
    "password": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "artifact_not_workbook"),
    "other-zip": (make_zip([Part("readme.txt", b"x")]), "artifact_not_workbook"),
    "no-types": (make_zip(parts(Types__xml=None)[1:]), "artifact_not_workbook"),
    "no-book": (make_zip(parts(workbook_xml=None)), "artifact_not_workbook"),
    "no-rels": (make_zip(parts(xml_rels=None)), "artifact_corrupt"),
    "no-sheet-part": (make_zip(parts(sheet1_xml=None)), "artifact_corrupt"),
    "no-sheets": (workbook({}), "artifact_not_workbook"),
    "sheet-is-no-sheet": (with_sheet("<html></html>"), "artifact_not_workbook"),
    "sheet-breaks-off": (with_sheet(table([("a",)] * 9)[:-30]), "artifact_corrupt"),
    "sheet-breaks-off-behind-rows": (with_sheet(table([("a",)] * 9).removesuffix("</worksheet>")), "artifact_corrupt"),
    "sheet-without-rows": (with_sheet("<worksheet></worksheet>"), "artifact_corrupt"),
    "sheet-empty": (with_sheet(""), "artifact_corrupt"),
    "row-in-row": (with_sheet(worksheet("<row><row></row></row>")), "artifact_corrupt"),
    "end-of-no-row": (with_sheet(worksheet("</row>")), "artifact_corrupt"),
    "unfinished-row": (with_sheet(worksheet("<row>")), "artifact_corrupt"),
    "bad-markup": (with_sheet(worksheet("<row><c <v>1</v></c></row>")), "artifact_corrupt"),
    "doctype": (with_sheet('<!DOCTYPE a [<!ENTITY a "aaaa">]>' + worksheet("")), "artifact_not_workbook"),
    "entity": (with_sheet(worksheet("<!ENTITY a>")), "artifact_not_workbook"),
    "encoding": (with_sheet(b'<?xml version="1.0" encoding="UTF-7"?><worksheet/>'), "artifact_not_workbook"),
    "bad-utf16": (with_sheet("<worksheet>".encode("utf-16") + b"\x00\xd8\x00\xd8"), "artifact_corrupt"),
    "no-shared-texts": (with_sheet(worksheet('<row><c t="s"><v>0</v></c></row>')), "artifact_corrupt"),
    "few-shared-texts": (
        with_sheet(worksheet('<row><c t="s"><v>1</v></c></row>'), "<sst><si><t>a</t></si></sst>"),
        "artifact_corrupt",
    ),
    "odd-shared-text": (with_sheet(worksheet('<row><c t="s"><v>1e9</v></c></row>')), "artifact_corrupt"),
    "cut-shared-texts": (with_sheet(table([]), "<sst><si><t>a</t></si>"), "artifact_corrupt"),
    "no-fact-sheets": (workbook({"ReadMe": table([("Jane Doe",)])}), "artifact_no_fact_sheets"),
    "no-id": (workbook({"Application": table([("type", "name")])}), "artifact_no_fact_sheets"),
    "openpyxl-default": (by_openpyxl({"Sheet": []}), "artifact_no_fact_sheets"),
}


@pytest.mark.parametrize(("data", "code"), CASES.values(), ids=CASES.keys())
def test_code_and_words(tmp_path: Path, data: bytes, code: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        proved(tmp_path, data, limits=Limits())
    error = caught.value
    assert error.code == code
    assert error.retryable == (code in RETRYABLE)
    assert error.hint
    assert "\n" not in error.message
    assert "Jane" not in error.message + error.hint


@pytest.mark.parametrize(
    ("limits", "named"),
    [(Limits(max_members=4), "members"), (Limits(max_unpacked=900), "900"), (Limits(max_ratio=0.5), "bytes")],
)
def test_limits(tmp_path: Path, limits: Limits, named: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        proved(tmp_path, BOOK, limits=limits)
    assert caught.value.code == "artifact_bomb"
    assert named in caught.value.message


def test_at_its_limits_a_workbook_is_sound(tmp_path: Path) -> None:
    total = sum(map(len, GOOD.values()))
    limits = Limits(max_members=len(GOOD), max_unpacked=total, max_ratio=total / len(BOOK))
    assert proved(tmp_path, BOOK, limits=limits).fact_sheets == {"Application": 3}


def test_names_in_messages_are_printable_and_short(tmp_path: Path) -> None:
    name = "xl/" + "\N{RIGHT-TO-LEFT OVERRIDE}'\x7f" + "n" * 400
    data = make_zip([*parts(), Part(name, b"abc", declared=5, flags=0x800)])
    with pytest.raises(ArtifactError) as caught:
        proved(tmp_path, data)
    assert caught.value.code == "artifact_corrupt"
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("name", ["\x00a", "a\nb", "n" * 600, ""])
def test_impossible_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        proved(tmp_path, make_zip([*parts(), Part(name, b"")]))
    assert caught.value.code == "artifact_corrupt"


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    data = make_zip([*parts(), Part("zz", b"", flags=0x800)]).replace(b"zz", b"\xff\xfe")
    with pytest.raises(ArtifactError) as caught:
        proved(tmp_path, data)
    assert caught.value.code == "artifact_corrupt"


def test_damage_goes_before_what_the_damage_looks_like(tmp_path: Path) -> None:
    stored = make_zip(Part(part.name, part.data, stored=True) for part in parts())
    damaged = stored.replace(b"<row>", b"<!ow>", 1)
    with pytest.raises(ArtifactError) as caught:
        proved(tmp_path, damaged)
    assert caught.value.code == "artifact_corrupt"
    assert "CRC" in caught.value.message


def test_an_archive_or_audit_log_needs_no_fact_sheets(tmp_path: Path) -> None:
    data = workbook({"ReadMe": table([("prose",)])})
    assert proved(tmp_path, data, ExportType.ARCHIVE).empty
    assert proved(tmp_path, data, ExportType.AUDIT_LOG).empty


def test_never_sound_when_cut(tmp_path: Path) -> None:
    codes = set()
    for length in range(1, len(BOOK)):
        with pytest.raises(ArtifactError) as caught:
            proved(tmp_path, BOOK[:length])
        codes.add(caught.value.code)
    assert codes <= {"artifact_truncated", "artifact_corrupt"}


def test_a_workbook_by_zipfile_to_a_stream_is_sound(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        """A stream that can't seek, so that sizes are deferred."""

        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            piece = bytes(data)  # type: ignore[call-overload]  # whatever buffer zipfile hands over
            self.data += piece
            return len(piece)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in GOOD.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    assert proved(tmp_path, bytes(pipe.data)).fact_sheets == {"Application": 3}
