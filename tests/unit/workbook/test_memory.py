"""Memory does not grow with a workbook, however large or hostile it is: each proof runs in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from .building import KEYS, facts, parts_of, table, worksheet

MIB = 2**20
MEASURE = """
import re, sys
from pathlib import Path
from leanix_backup.errors import ArtifactError
from leanix_backup.model import ExportType
from leanix_backup.workbook import Limits, verify

def peak():  # not ru_maxrss: that one is inherited from the process that started this one
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

before = peak()
"""
PROVE = """
try:
    verify(Path(sys.argv[1]), ExportType(sys.argv[2]), Limits(max_members=20_000, max_ratio=1e9))
    code = "sound"
except ArtifactError as error:
    code = error.code
"""
LOAD = """
held = Path(sys.argv[1]).read_bytes()
code = "loaded"
"""
REPORT = "print(code, peak() - before)"
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")

BEGIN, END = worksheet("\0").encode().split(b"\0")


def repeated(begin: bytes, piece: bytes, end: bytes, size: int = 36 * MIB) -> Iterator[bytes]:
    """Write a long part piece by piece."""
    yield begin
    block = piece * (MIB // len(piece))
    for _ in range(size // MIB):
        yield block
    yield end


def write(path: Path, parts: Iterable[tuple[str, Iterable[bytes]]], compression: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", compression, compresslevel=1) as archive:
        for name, pieces in parts:
            with archive.open(zipfile.ZipInfo(name) if not compression else name, "w", force_zip64=True) as member:
                for piece in pieces:
                    member.write(piece)


TEXT = b"<c t='inlineStr'><is><t>"
SHEETS: dict[str, tuple[tuple[bytes, bytes, bytes], str]] = {
    "endless-row": ((BEGIN + b"<row>", b"<c><v>1</v></c>", b"</row>" + END), "sound"),
    "endless-row-of-nothing": ((BEGIN + b"<row/><row/><row>", b"<c s='1'/>", b"</row>" + END), "sound"),
    "endless-attribute": ((BEGIN + b"<row x='", b"a", b"'/>" + END), "artifact_bomb"),
    "endless-name": ((BEGIN + b"<", b"a", b"/>" + END), "artifact_bomb"),
    "endless-text": ((BEGIN + b"<row>" + TEXT, b"a", b"</t></is></c></row>" + END), "sound"),
    "endless-text-behind": ((BEGIN + b"<row/>" * 5 + b"<row>" + TEXT, b"a", b"</t></is></c></row>" + END), "sound"),
    "endless-comment": ((BEGIN + b"<!--", b"a", b"-->" + END), "sound"),
    "endless-cdata": ((BEGIN + b"<row><c><v><![CDATA[", b"a", b"]]></v></c></row>" + END), "sound"),
    "endless-depth": ((BEGIN + b"<row>", b"<a>", END), "artifact_corrupt"),
    "other-document": ((b"", b"a", b""), "artifact_corrupt"),
    "many-rows": ((BEGIN, b"<row><c><v>1</v></c></row>", END), "sound"),
    "behind-the-rows": (
        (BEGIN + b"</sheetData>", b"<a x='1'/>", b"</worksheet>"),
        "sound",
    ),
}


def prove(path: Path, export: str = "ARCHIVE", act: str = PROVE) -> tuple[str, int]:
    """Return what came of a proof, and the MiB by which its process grew."""
    program = [sys.executable, "-c", MEASURE + act + REPORT, str(path), export]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    code, grown = done.stdout.split()
    return code, int(grown) // 1024


def test_growth_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(36 * MIB))
    code, grown = prove(tmp_path / "a", act=LOAD)
    assert code == "loaded"
    assert 34 <= grown <= 40


@pytest.mark.parametrize(("pieces", "code"), SHEETS.values(), ids=SHEETS.keys())
def test_sheets(tmp_path: Path, pieces: tuple[bytes, bytes, bytes], code: str) -> None:
    slow = pieces[1] in {b"<a>", b"<c><v>1</v></c>"}  # read tag by tag
    parts: dict[str, Iterable[bytes]] = {name: [data] for name, data in parts_of({"Application": b""}).items()}
    parts["xl/worksheets/sheet1.xml"] = repeated(*pieces, (4 if slow else 36) * MIB)
    write(tmp_path / "a", parts.items())
    said, grown = prove(tmp_path / "a")
    assert said == code
    assert grown < 30


def test_shared_texts(tmp_path: Path) -> None:
    sheet = worksheet('<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>')
    parts = {name: [data] for name, data in parts_of({"Application": sheet}).items()}
    texts = repeated(b"<sst><si><t>", b"a", b"</t></si><si><t>b</t></si></sst>")
    write(tmp_path / "a", [*parts.items(), ("xl/sharedStrings.xml", texts)])
    assert prove(tmp_path / "a") < ("sound", 30)


def test_a_large_stored_member(tmp_path: Path) -> None:
    parts = {name: [data] for name, data in parts_of({"Application": facts(3)}).items()}
    write(tmp_path / "a", [*parts.items(), ("xl/media/a.bin", repeated(b"", b"x", b"", 100 * MIB))], zipfile.ZIP_STORED)
    said, grown = prove(tmp_path / "a", "SNAPSHOT")
    assert (said, grown < 30) == ("sound", True)


def test_ten_thousand_sheets(tmp_path: Path) -> None:
    sheet = table([KEYS, KEYS, ("1", "2", "3", "4")])
    parts = parts_of({f"S{number}": sheet for number in range(10_000)})
    write(tmp_path / "a", ((name, [data]) for name, data in parts.items()))
    said, grown = prove(tmp_path / "a", "SNAPSHOT")
    assert (said, grown < 30) == ("sound", True)


def test_sheets_full_of_keys(tmp_path: Path) -> None:
    sheet = table([["id", *(f"key{number}" + "x" * 240 for number in range(16_000))]])
    parts = parts_of({f"S{number}": sheet for number in range(10)})
    write(tmp_path / "a", ((name, [data]) for name, data in parts.items()))
    said, grown = prove(tmp_path / "a", "SNAPSHOT")
    assert (said, grown < 30) == ("artifact_bomb", True)


def test_as_many_keys_as_are_allowed(tmp_path: Path) -> None:
    shared = "".join(f'<c t="s"><v>{index}</v></c>' for index in range(16_000))
    sheet = worksheet(f'<row><c t="inlineStr"><is><t>id</t></is></c>{shared}</row>')
    texts = "<sst>" + "<si><t>k</t></si>" * 16_000 + "</sst>"
    parts = parts_of({f"S{number}": sheet for number in range(5)}, texts)
    write(tmp_path / "a", ((name, [data]) for name, data in parts.items()))
    said, grown = prove(tmp_path / "a")
    assert (said, grown < 30) == ("sound", True)
