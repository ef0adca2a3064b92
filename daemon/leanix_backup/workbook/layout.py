"""How the members of a ZIP archive lie in the file, and whether their local headers agree with the directory.

The members must tile the file from its first byte to the directory: no gap, no overlap (overlapping members are how
modern decompression bombs are built), nothing before the first. Local headers must say what the directory says, except
where writers differ: times, versions, extra fields, and sizes and CRC deferred to a data descriptor, which is
checked instead (with or without signature, 32 or 64 bits wide: which of them follows from the layout).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import faults
from .directory import MAGIC32, NEWEST_VERSION, Entry, parse_extra, read_directory

if TYPE_CHECKING:
    from leanix_backup.errors import ArtifactError

    from .limits import Limits
    from .source import Source

STORED, DEFLATED = 0, 8

_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_DEFERRED = 0x0008
_LEVEL = 0x0006  # how hard the writer tried: says nothing about the bytes
_DESCRIPTORS = {12: "<3L", 16: "<4s3L", 20: "<L2Q", 24: "<4sL2Q"}


@dataclass(frozen=True, slots=True)
class Member:
    """An entry of the directory, and the byte at which its packed data begin."""

    entry: Entry
    data_at: int


@dataclass(frozen=True, slots=True)
class Layout:
    """All members by name, in the order of the file, and how many bytes they may unpack to.

    Names are normalised (lower case, `/`), as parts of a workbook are found whatever their case.
    """

    members: dict[str, Member]
    ceiling: float


def read_layout(source: Source, limits: Limits) -> Layout:
    """Prove the structure of an archive and that what it declares is within the limits; unpack nothing.

    Raises:
        ArtifactError: It is cut off, damaged, encrypted, packed in a way no workbook is, or too large.
    """
    directory = read_directory(source, limits.max_members)
    ceiling = min(float(limits.max_unpacked), limits.max_ratio * source.size)
    declared = sum(entry.unpacked for entry in directory.entries)
    too_large = faults.bomb(f"it declares {declared} unpacked bytes, {ceiling:.0f} are allowed")
    entries = sorted(directory.entries, key=lambda entry: entry.offset)
    if not entries:
        raise faults.not_workbook("it is a ZIP archive without members")
    if entries[0].offset:
        raise faults.corrupt("bytes lie before its first member")
    ends = [*(entry.offset for entry in entries[1:]), directory.offset]
    members: dict[str, Member] = {}
    for entry, end in zip(entries, ends, strict=True):
        data_at = _check_header(source, entry)
        if data_at + entry.packed > end:
            raise too_large if declared > ceiling else faults.corrupt(f"{_name(entry)} overlaps what follows it")
        name = entry.name.decode("utf-8", "backslashreplace").replace("\\", "/").lower()
        if name in members:
            raise faults.corrupt(f"{_name(entry)} is there twice")
        _check_descriptor(source, entry, data_at + entry.packed, end)
        members[name] = Member(entry, data_at)
    if declared > ceiling:
        raise too_large
    _check_methods(entries)
    return Layout(members, ceiling)


def _check_header(source: Source, entry: Entry) -> int:
    """Hold a local header against the directory's entry; return where the data begin."""
    fields = _LOCAL.unpack(source.at(entry.offset, _LOCAL.size))
    magic, version, flags, method, _, _, crc, packed, unpacked, name_len, extra_len = fields
    if magic != b"PK\x03\x04" or version & 0xFF > NEWEST_VERSION:
        raise faults.corrupt(f"{_name(entry)} does not begin as a member does")
    if (flags | _LEVEL) != (entry.flags | _LEVEL) or method != entry.method or name_len != len(entry.name):
        raise _disagree(entry)
    name_at = entry.offset + _LOCAL.size
    if source.at(name_at, name_len) != entry.name:
        raise _disagree(entry)
    wide, second_name = parse_extra(source.at(name_at + name_len, extra_len), entry.name)
    if second_name != entry.second_name:
        raise _disagree(entry)
    packed, unpacked = _widen(packed, unpacked, wide)
    deferrable = (0,) if flags & _DEFERRED else ()
    if crc not in (entry.crc, *deferrable):
        raise _disagree(entry)
    if packed not in (entry.packed, *deferrable) or unpacked not in (entry.unpacked, *deferrable):
        raise _disagree(entry)
    return name_at + len(entry.name) + int(extra_len)


def _widen(packed: int, unpacked: int, wide: bytes) -> tuple[int, int]:
    """Take sizes from a local ZIP64 field where the plain ones point there; it has both, unpacked first."""
    values = [int.from_bytes(wide[at : at + 8], "little") for at in range(0, len(wide) - 7, 8)]
    if unpacked == MAGIC32 and values:
        unpacked = values[0]
    if packed == MAGIC32 and values:
        packed = values[min(1, len(values) - 1)]
    return packed, unpacked


def _check_descriptor(source: Source, entry: Entry, begin: int, end: int) -> None:
    """Prove that between a member's data and what follows there is its data descriptor, or nothing where none is due.

    A deferring writer that leaves the descriptor out is accepted if its local header had everything already.
    """
    size = end - begin
    if not size:
        crc, packed, unpacked = struct.unpack("<3L", source.at(entry.offset + 14, 12))
        if entry.flags & _DEFERRED and (crc, packed, unpacked) != (entry.crc, entry.packed, entry.unpacked):
            raise faults.corrupt(f"{_name(entry)} lacks its data descriptor")
        return
    if not entry.flags & _DEFERRED or size not in _DESCRIPTORS:
        raise faults.corrupt(f"bytes that belong to nothing follow {_name(entry)}")
    *signature, crc, packed, unpacked = struct.unpack(_DESCRIPTORS[size], source.at(begin, size))
    if signature not in ([], [b"PK\x07\x08"]) or (crc, packed, unpacked) != (entry.crc, entry.packed, entry.unpacked):
        raise faults.corrupt(f"the data descriptor of {_name(entry)} contradicts the directory")


def _check_methods(entries: list[Entry]) -> None:
    """Refuse what no workbook uses; after all else, so that damage is not taken for an odd writer."""
    for entry in entries:
        if entry.flags & _ENCRYPTED:
            raise faults.not_workbook(
                "its members are encrypted",
                "exports carry no password: an information-protection product in between may encrypt downloads",
            )
        if entry.method not in (STORED, DEFLATED) or (entry.method == STORED and entry.packed != entry.unpacked):
            raise faults.not_workbook(f"{_name(entry)} is packed in a way that workbooks do not use")


def _name(entry: Entry) -> str:
    return f"the member {faults.shown(entry.name)}"


def _disagree(entry: Entry) -> ArtifactError:
    return faults.corrupt(f"the header of {_name(entry)} contradicts the directory")
