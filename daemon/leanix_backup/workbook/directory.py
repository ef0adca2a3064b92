"""The end of a ZIP archive: its end records and its central directory.

Stricter than `zipfile`, which repairs and ignores: the records must tile the end of the file without a byte over, and
say the same wherever they say something twice. What real writers do differently is accepted: ZIP64 records that nobody
needed, a comment at the end, unknown extra fields.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import faults

if TYPE_CHECKING:
    from .source import Source

MAGIC16 = 0xFFFF
MAGIC32 = 0xFFFFFFFF
LONGEST_NAME = 512
"""Bytes in a member's name; real ones have less than 80."""

NEWEST_VERSION = 63
"""The newest version of the ZIP format, 6.3; more is damage."""
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_ZIP64_FIELD = 0x0001
_UNICODE_NAME_FIELD = 0x7075


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as the central directory has it; sizes and the offset of its local header are bytes.

    `second_name` is the extra field with which some writers give the name once more in UTF-8; usually empty.
    """

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    offset: int
    second_name: bytes


@dataclass(frozen=True, slots=True)
class Directory:
    """All members in the order of the directory, and the byte at which it begins."""

    entries: tuple[Entry, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class _End:
    count: int
    size: int
    offset: int
    position: int


def read_directory(source: Source, max_members: int) -> Directory:
    """Read the central directory, which must lie right before the end records.

    Raises:
        ArtifactError: The file is cut off, damaged, or has more than `max_members` members.
    """
    end = _read_end(source)
    if end.count > max_members:
        raise faults.bomb(f"it has {end.count} members, {max_members} are allowed")
    if end.offset + end.size != end.position:
        raise faults.corrupt("its directory does not lie where its end says")
    entries = []
    position = end.offset
    while position < end.position:
        entry, position = _read_entry(source, position, end.position)
        entries.append(entry)
        if len(entries) > end.count:
            break
    if len(entries) != end.count or position != end.position:
        raise faults.corrupt("its directory does not have as many members as its end says")
    return Directory(tuple(entries), end.offset)


def _read_end(source: Source) -> _End:
    tail_at = max(0, source.size - _END.size - MAGIC16)
    tail = source.at(tail_at, source.size - tail_at)
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or found + _END.size > len(tail):
        raise faults.truncated()
    _, disk, first_disk, count_here, count, size, offset, comment = _END.unpack_from(tail, found)
    if found + _END.size + comment > len(tail):
        raise faults.truncated("its last record is incomplete")
    if found + _END.size + comment < len(tail):
        raise faults.corrupt("bytes follow after its end")
    position = tail_at + found
    end64 = _read_end64(source, position)
    if end64 is not None:
        said = zip((disk, first_disk, count_here, count), (0, 0, end64.count, end64.count), strict=True)
        if any(short not in (MAGIC16, long) for short, long in said):
            raise faults.corrupt("its two end records contradict each other")
        if size not in (MAGIC32, end64.size) or offset not in (MAGIC32, end64.offset):
            raise faults.corrupt("its two end records contradict each other")
        return end64
    if disk or first_disk or count != count_here:
        raise faults.corrupt("its end record speaks of other volumes")
    return _End(count, size, offset, position)


def _read_end64(source: Source, position: int) -> _End | None:
    """Read the ZIP64 end record through the locator before the plain one; None where there is no locator."""
    locator_at = position - _LOCATOR.size
    if locator_at < _END64.size:
        return None
    magic, disk, record_at, disks = _LOCATOR.unpack(source.at(locator_at, _LOCATOR.size))
    if magic != b"PK\x06\x07":
        return None
    if disk or disks > 1 or record_at + _END64.size != locator_at:
        raise faults.corrupt("its ZIP64 locator points nowhere")
    record = _END64.unpack(source.at(record_at, _END64.size))
    magic, length, _, _, disk, first_disk, count_here, count, size, offset = record
    if magic != b"PK\x06\x06" or length != _END64.size - 12:
        raise faults.corrupt("its ZIP64 end record is not one")
    if disk or first_disk or count != count_here:
        raise faults.corrupt("its ZIP64 end record speaks of other volumes")
    return _End(count, size, offset, record_at)


def _read_entry(source: Source, position: int, end: int) -> tuple[Entry, int]:
    if position + _CENTRAL.size > end:
        raise faults.corrupt("its directory breaks off")
    fields = _CENTRAL.unpack(source.at(position, _CENTRAL.size))
    magic, _, version, flags, method, _, _, crc, packed, unpacked, name_len, extra_len, comment_len, disk = fields[:14]
    offset = fields[16]
    after = position + _CENTRAL.size + name_len + extra_len + comment_len
    if magic != b"PK\x01\x02" or after > end:
        raise faults.corrupt("its directory breaks off")
    if version & 0xFF > NEWEST_VERSION:
        raise faults.corrupt("a member asks for a version of ZIP that does not exist")
    name = _check_name(source.at(position + _CENTRAL.size, min(name_len, LONGEST_NAME)), name_len, flags)
    wide, second = parse_extra(source.at(position + _CENTRAL.size + name_len, extra_len), name)
    values = [unpacked, packed, offset]
    rest = wide
    for index, value in enumerate(values):
        if value == MAGIC32:
            if len(rest) < 8:  # noqa: PLR2004 - a 64-bit number
                raise faults.corrupt(f"the member {faults.shown(name)} lacks its 64-bit sizes")
            values[index] = int.from_bytes(rest[:8], "little")
            rest = rest[8:]
    if disk == MAGIC16 and len(rest) >= 4:  # noqa: PLR2004 - a 32-bit number
        disk = int.from_bytes(rest[:4], "little")
    if disk:
        raise faults.corrupt(f"the member {faults.shown(name)} is said to lie on another volume")
    return Entry(name, flags, method, crc, values[1], values[0], values[2], second), after


def _check_name(name: bytes, length: int, flags: int) -> bytes:
    """Return a member's name if it is one: not empty, not endless, no control characters, UTF-8 where so flagged."""
    if not 0 < length <= LONGEST_NAME:
        raise faults.corrupt("a member has no name or an endless one")
    if any(byte < 0x20 for byte in name):  # noqa: PLR2004 - control characters
        raise faults.corrupt(f"the member {faults.shown(name)} has control characters in its name")
    if flags & 0x800:
        try:
            name.decode("utf-8")
        except UnicodeDecodeError as error:
            raise faults.corrupt(f"the name of the member {faults.shown(name)} is not text") from error
    return name


def parse_extra(extra: bytes, name: bytes) -> tuple[bytes, bytes]:
    """Return the ZIP64 field and the Unicode name field of an extra block, each empty where there is none.

    Fewer than four bytes at the end are padding, as some writers leave it.
    """
    wide = second = b""
    position = 0
    while position + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, position)
        position += 4
        if position + length > len(extra):
            raise faults.corrupt(f"the member {faults.shown(name)} has broken extra fields")
        if tag == _ZIP64_FIELD:
            wide = extra[position : position + length]
        elif tag == _UNICODE_NAME_FIELD:
            second = extra[position : position + length]
        position += length
    if len(second) > 2 * LONGEST_NAME:
        raise faults.corrupt(f"the member {faults.shown(name)} has an endless second name")
    return wide, second
