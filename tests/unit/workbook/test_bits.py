"""Flip any bit of a sound workbook: it is refused, or every member's name and bytes are as they were."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from leanix_backup.errors import ArtifactError

from .building import KEYS, LABELS, Part, by_openpyxl, by_xlsxwriter, facts, make_zip, parts_of, proved

ROWS = [KEYS, LABELS, *((f"{i:08x}", "Application", f"App {i}", "x") for i in range(50))]
SECOND_NAME = struct.pack("<2HBL", 0x7075, 5 + 3, 1, 0) + b"abc"
PADDING = struct.pack("<2H", 0xA220, 6) + b"\0" * 6


def tiny() -> bytes:
    """Return a workbook whose members are each written in another way."""
    names = parts_of({"A": facts(1)})
    how = [
        Part("[Content_Types].xml", b"<Types/>", stored=True, local_extra=PADDING),
        Part("_rels/.rels", b"<Relationships/>", stored=True, descriptor=16, both_extra=SECOND_NAME),
        Part("xl/workbook.xml", names["xl/workbook.xml"], wide=True),
        Part("xl/_rels/workbook.xml.rels", names["xl/_rels/workbook.xml.rels"], descriptor=12),
        Part("xl/worksheets/sheet1.xml", names["xl/worksheets/sheet1.xml"], descriptor=24, wide=True),
        Part("xl/empty", b"", descriptor=20),
    ]
    return make_zip(how, end64=True, comment=b"hello")


def variant(**how: object) -> bytes:
    """Return a workbook whose members are all written in the same way."""
    return make_zip(Part(name, data, **how) for name, data in parts_of({"A": facts(40)}).items())  # type: ignore[arg-type]  # a test's own words


def members(data: bytes) -> list[tuple[str, bytes]]:
    """Read an archive by other means."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def flip(folder: Path, data: bytes, bits: Iterable[int]) -> tuple[int, int]:
    """Flip bits one at a time; return how many workbooks were refused and how many accepted."""
    before = members(data)
    proved(folder, data)
    refused = accepted = 0
    for bit in bits:
        changed = bytearray(data)
        changed[bit >> 3] ^= 1 << (bit & 7)
        try:
            proved(folder, bytes(changed))
        except ArtifactError:
            refused += 1
        else:
            accepted += 1
            assert members(bytes(changed)) == before, f"bit {bit & 7} of byte {bit >> 3}"
    return refused, accepted


@pytest.mark.parametrize("share", range(4))
def test_every_bit_of_a_small_workbook(tmp_path: Path, share: int) -> None:
    data = tiny()
    refused, accepted = flip(tmp_path, data, range(share, 8 * len(data), 4))
    assert refused > 8 * accepted


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(by_openpyxl({"A": ROWS}), id="openpyxl"),
        pytest.param(by_xlsxwriter({"A": ROWS}), id="xlsxwriter"),
        pytest.param(variant(descriptor=16), id="java"),
        pytest.param(variant(descriptor=12), id="no-signature"),
        pytest.param(variant(descriptor=24, wide=True), id="zip64-stream"),
        pytest.param(variant(wide=True), id="zip64"),
        pytest.param(variant(stored=True), id="stored"),
    ],
)
def test_some_bits_of_other_writers(tmp_path: Path, data: bytes) -> None:
    chance = random.Random(len(data))
    structure = [8 * at + bit for at in range(len(data) - 300, len(data)) for bit in range(8)]
    bits = {*chance.sample(range(8 * len(data)), 700), *chance.sample(structure, 500), *range(8 * 60)}
    refused, accepted = flip(tmp_path, data, sorted(bits))
    assert refused > accepted
