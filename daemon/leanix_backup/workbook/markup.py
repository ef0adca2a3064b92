"""XML read in constant memory, whatever is in it.

Expat keeps whole tokens, every name it ever saw and every open element, so that hostile parts make it grow without
end. This reader keeps one unfinished tag at most. It does not prove that a part is well-formed (the CRC proves its
bytes): it tells tags, text, comments, CDATA and processing instructions apart exactly as XML does, refuses document
types (and with them entities), and insists that the part's root is closed at its end.

Elements are taken to carry the root's namespace prefix, whichever that is; others are ignored.
"""

from __future__ import annotations

import codecs
import re
from typing import Protocol

from . import faults

LONGEST_TAG = 64 * 1024
"""Bytes; the longest real ones, with all their namespaces, have some thousand."""

_TAG = re.compile(rb"""<(/?)([^\s<>/="'&!?]++)((?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)>""")
_ATTRIBUTE = re.compile(rb"""([^\s=<>"'/]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_ENCODING = re.compile(rb"""<\?xml\s[^?>]*?encoding\s*=\s*["']([A-Za-z0-9._-]*)""")
_REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|(amp|lt|gt|quot|apos));")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_AS_UTF8 = {b"utf-8", b"utf8", b"us-ascii", b"ascii", b"utf-16"}  # the last: said by .NET writers that then write UTF-8
_SNIFF = 1024
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class Handler(Protocol):
    """What is told of a part while it is read. Each method may raise ArtifactError."""

    def start(self, name: bytes, attributes: bytes) -> None:
        """Take a start tag: its local name, empty if of another prefix, and its attributes as they are written."""

    def end(self, name: bytes) -> None:
        """Take an end tag; follows at once after the start of an element that is empty."""

    def text(self, piece: bytes) -> None:
        """Take a piece of text with its references; may be any part of a longer one, and cut a reference in two."""

    def skim(self, buffer: bytes, position: int, limit: int, prefix: bytes) -> int:
        """Jump ahead where the outcome can be told without looking at each tag.

        Between `position`, where a tag begins, and `limit`, where the last whole one of a stretch begins, there is
        nothing but whole tags and text; elements carry `prefix`, which includes its colon. Returns where to go on:
        anywhere outside a tag up to `limit`, or `position` for no jump.
        """
        ...


class Markup:
    """A reader of one part, fed with bytes.

    Args:
        part: The part's name, for messages.
        root: The local name that the root must have.
        handler: What is told of it.
    """

    def __init__(self, part: str, root: bytes, handler: Handler) -> None:
        self.part = part
        self._handler = handler
        self._prefix = b""
        self._wanted_root = root
        self._root = b""
        self._last_end = b""
        self._sniffed: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rest = b""
        self._until = b""
        self._literal = False

    def feed(self, data: bytes) -> None:
        """Take the part's next bytes.

        Raises:
            ArtifactError: They are not XML as workbooks have it.
        """
        if self._sniffed is not None:
            self._sniffed += data
            if len(self._sniffed) < _SNIFF:
                return
            data = self._sniff()
        self._read(self._decode(data, final=False))

    def close(self) -> None:
        """Take the end of the part.

        Raises:
            ArtifactError: The part is not finished.
        """
        if self._sniffed is not None:
            self._read(self._decode(self._sniff(), final=False))
        self._read(self._decode(b"", final=True))
        if self._rest or self._until or not self._root or self._last_end != self._root:
            raise faults.corrupt(f"the part {faults.shown(self.part)} breaks off")

    def _sniff(self) -> bytes:
        """Choose a decoder by the first bytes; return those to go on with."""
        head = self._sniffed or b""
        self._sniffed = None
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            self._decoder = codecs.getincrementaldecoder("utf-16")()
        elif head.startswith(b"<\0"):
            self._decoder = codecs.getincrementaldecoder("utf-16-le")()
        elif head.startswith(b"\0<"):
            self._decoder = codecs.getincrementaldecoder("utf-16-be")()
        else:
            head = head.removeprefix(codecs.BOM_UTF8)
            declared = _ENCODING.match(head)
            if declared is not None and declared[1].lower() not in _AS_UTF8:
                raise faults.not_workbook(f"the part {faults.shown(self.part)} is in an encoding that is not Unicode")
        return head

    def _decode(self, data: bytes, *, final: bool) -> bytes:
        if self._decoder is None:
            return data
        try:
            return self._decoder.decode(data, final).encode()
        except UnicodeError as error:
            raise faults.corrupt(f"the part {faults.shown(self.part)} is not UTF-16 throughout") from error

    def _read(self, data: bytes) -> None:
        buffer = self._rest + data if self._rest else data
        bangs, queries = _Finder(buffer, b"!"), _Finder(buffer, b"?")
        last = buffer.rfind(b"<", 0, -1)  # one at the very end may turn out to begin something odd
        odd = limit = -1  # where the next thing begins that is no tag, and the last tag in front of it
        position = 0
        while position < len(buffer):
            if position > odd and not self._until:
                odd = min(bangs.after(position), queries.after(position))
                # A CDATA section may be a value, so the tag in front of what is odd must not be skimmed.
                limit = last if odd > last else buffer.rfind(b"<", position, odd)
            if self._root and position < limit and buffer[position] == 0x3C:  # noqa: PLR2004 - "<"
                ahead = self._handler.skim(buffer, position, limit, self._prefix)
                if ahead > position:
                    position = ahead
                    continue
            after = self._token(buffer, position)
            if after == position:
                break
            position = after
        self._rest = buffer[position:]

    def _token(self, buffer: bytes, position: int) -> int:
        """Read one token; return where it ends, or `position` if the buffer has not the whole of it."""
        if self._until:
            return self._inside(buffer, position)
        if buffer[position] != 0x3C:  # noqa: PLR2004 - "<"
            end = buffer.find(b"<", position)
            end = len(buffer) if end < 0 else end
            if self._root:
                self._handler.text(buffer[position:end])
            elif buffer[position:end].strip():
                raise self._malformed()
            return end
        tag = _TAG.match(buffer, position)
        if tag is not None:
            self._tag(tag)
            return tag.end()
        return self._odd(buffer, position)

    def _tag(self, tag: re.Match[bytes]) -> None:
        slash, raw, attributes = tag.groups()
        if not self._root:
            self._root = raw
            self._prefix = raw[: raw.rfind(b":") + 1]
            if slash or raw[len(self._prefix) :] != self._wanted_root:
                raise faults.not_workbook(f"the part {faults.shown(self.part)} is not what it is said to be")
        name = raw[len(self._prefix) :] if raw.startswith(self._prefix) else b""
        if not slash:
            self._last_end = b""
            self._handler.start(name, attributes)
        if slash or attributes.endswith(b"/"):
            self._last_end = raw
            self._handler.end(name)

    def _odd(self, buffer: bytes, position: int) -> int:
        """Read the begin of what is no tag, or find that the tag's end is still to come."""
        if buffer.startswith(b"<!--", position):
            return self._enter(b"-->", position + 4)
        if buffer.startswith(b"<![CDATA[", position):
            return self._enter(b"]]>", position + 9, literal=True)
        if buffer.startswith(b"<?", position):
            return self._enter(b"?>", position + 2)
        waiting = len(buffer) - position
        if buffer.startswith(b"<!", position):
            if waiting < len(b"<![CDATA["):
                return position
            raise faults.not_workbook(f"the part {faults.shown(self.part)} declares a document type")
        if buffer.find(b"<", position + 1) >= 0:
            raise self._malformed()
        if waiting > LONGEST_TAG:
            raise faults.overgrown(f"the part {faults.shown(self.part)} has a tag of more than {LONGEST_TAG} bytes")
        return position

    def _enter(self, until: bytes, position: int, *, literal: bool = False) -> int:
        self._until, self._literal = until, literal
        return position

    def _inside(self, buffer: bytes, position: int) -> int:
        """Read on in a comment, an instruction or a CDATA section."""
        found = buffer.find(self._until, position)
        end = found if found >= 0 else max(position, len(buffer) - len(self._until) + 1)
        if self._literal and self._root and end > position:
            self._handler.text(buffer[position:end].replace(b"&", b"&amp;"))
        if found < 0:
            return end
        self._until = b""
        return found + (2 if buffer[found] == 0x3F else 3)  # noqa: PLR2004 - "?": the end of an instruction

    def _malformed(self) -> Exception:
        return faults.corrupt(f"the part {faults.shown(self.part)} is not well-formed XML")


class _Finder:
    """Find "<!" or "<?" from ever later places, looking at each byte of the buffer once."""

    def __init__(self, buffer: bytes, second: bytes) -> None:
        self._buffer = buffer
        self._wanted = b"<" + second
        # One byte is found far faster than two, and most parts don't have it.
        self._next = -1 if second in buffer else len(buffer)

    def after(self, position: int) -> int:
        """Return the first place from `position` on, or the buffer's length."""
        if self._next < position:
            found = self._buffer.find(self._wanted, position)
            self._next = found if found >= 0 else len(self._buffer)
        return self._next


def unescape(text: bytes) -> str:
    """Decode text as it stands between tags: UTF-8 with XML's own references; what is neither stays as it is."""
    return _REFERENCE.sub(_dereference, text.decode("utf-8", "replace"))


def attributes_of(raw: bytes) -> dict[str, str]:
    """Parse the attributes of a tag; names keep their prefix."""
    return {
        match[1].decode("utf-8", "replace"): unescape(match[2] if match[2] is not None else match[3])
        for match in _ATTRIBUTE.finditer(raw)
    }


def _dereference(match: re.Match[str]) -> str:
    if match[3]:
        return _ENTITIES[match[3]]
    code = int(match[1], 16) if match[1] else int(match[2])
    return match[0] if code > _LAST_CODE_POINT or code in _SURROGATES else chr(code)
