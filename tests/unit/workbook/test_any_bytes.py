"""Whatever the bytes, the proof ends with a summary or with an ArtifactError: nothing foreign comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leanix_backup.errors import ArtifactError
from leanix_backup.model import ExportType

from .building import Part, facts, make_zip, parts_of, proved

PARTS = parts_of({"Application": facts(5)}, "<sst><si><t>id</t></si></sst>")
BOOK = make_zip((Part(name, data) for name, data in PARTS.items()), end64=True)
WIDE = make_zip(Part(name, data, descriptor=24, wide=True) for name, data in PARTS.items())
EXPORTS = st.sampled_from(ExportType)
SIGNATURES = [b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\x08", b"\xff" * 4, b"\xff" * 8, bytes(8)]
PUNCTUATION = r"""< > / </ /> " ' = & &#0; &#x110000; &#xD800; <!-- --> <![CDATA[ ]]> <! <? ?> ../.. %00 %ff \ 1"""
ROWS = "<row </row <row> </row> <row/> <c <c> </c> <v> </v> <t> </t> <f> <rPh> <sheetData> </sheetData> <x:row>"
OTHERS = "<worksheet> </worksheet> <si> </si> <sst> </sst> <sheet <Relationship \0 \ud7ff \ufeff Ünï"
ATTRIBUTES = "t='s' r='A1' r='99999999999' r='ZZZ9' name=' r:id='rId1' Id='rId1' Target=' Type='/worksheet'"
FRAGMENTS = [*PUNCTUATION.split(), *ROWS.split(), *OTHERS.split(" "), *(f" {name}" for name in ATTRIBUTES.split()), " "]
SLOW = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def ends_well(folder: Path, data: bytes, export: ExportType) -> None:
    """Prove; fails by itself when anything but an ArtifactError comes out."""
    caught = None
    try:
        proved(folder, data, export)
    except ArtifactError as error:
        caught = error
    assert caught is None or (caught.code.startswith("artifact_") and caught.message.isprintable())


def mutate(draw: Any, data: bytes, pieces: list[bytes]) -> bytes:
    """Overwrite, insert, cut out and repeat at a few places."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(changed)))
        length = draw(st.integers(0, 12))
        piece = draw(st.one_of(st.sampled_from(pieces), st.binary(max_size=4)))
        match draw(st.integers(0, 3)):
            case 0:
                changed[at : at + len(piece)] = piece
            case 1:
                changed[at:at] = piece
            case 2:
                del changed[at : at + length]
            case _:
                changed[at:at] = changed[at : at + 10 * length]
    return bytes(changed)


@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\3\4", b"PK\5\6"]), EXPORTS)
@SLOW
def test_random_bytes(tmp_path: Path, data: bytes, begin: bytes, export: ExportType) -> None:
    ends_well(tmp_path, begin + data, export)


@given(st.data(), st.sampled_from([BOOK, WIDE]), EXPORTS)
@SLOW
def test_mutated_archives(tmp_path: Path, data: st.DataObject, book: bytes, export: ExportType) -> None:
    ends_well(tmp_path, mutate(data.draw, book, SIGNATURES), export)


@given(st.data(), st.sampled_from(sorted(PARTS)), EXPORTS, st.sampled_from(["utf-8", "utf-8", "utf-16"]))
@SLOW
def test_mutated_parts_in_sound_archives(
    tmp_path: Path, data: st.DataObject, name: str, export: ExportType, encoding: str
) -> None:
    part = PARTS[name].decode().encode(encoding)
    changed = mutate(data.draw, part, [fragment.encode(encoding) for fragment in FRAGMENTS])
    ends_well(tmp_path, make_zip(Part(*item) for item in (PARTS | {name: changed}).items()), export)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40), st.sampled_from(sorted(PARTS)), EXPORTS)
@SLOW
def test_parts_made_of_fragments(tmp_path: Path, fragments: list[str], name: str, export: ExportType) -> None:
    text = "".join(fragments)
    wraps = {"sheet1": f"<worksheet><sheetData>{text}</sheetData></worksheet>", "sharedStrings": f"<sst>{text}</sst>"}
    part = next((wrapped for key, wrapped in wraps.items() if key in name), text)
    ends_well(tmp_path, make_zip(Part(*item) for item in (PARTS | {name: part.encode()}).items()), export)
