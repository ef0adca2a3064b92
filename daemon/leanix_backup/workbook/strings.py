"""The table of shared texts: of its millions, the few that the heads of sheets point to."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from .cells import LONGEST_TEXT
from .markup import unescape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .limits import Budget

_MOST_BYTES = 8 * LONGEST_TEXT


class StringsReader:
    """Look up shared texts by their indices while the table streams by; a handler of `Markup`.

    `found` has those that are there, cut after 256 characters.
    """

    def __init__(self, wanted: Iterable[int], budget: Budget) -> None:
        self.found: dict[int, str] = {}
        self._wanted = sorted(set(wanted), reverse=True)
        self._budget = budget
        self._index = -1
        self._collecting = self._in_text = self._phonetic = False
        self._pieces: list[bytes] = []
        self._size = 0

    def start(self, name: bytes, attributes: bytes) -> None:
        """Take a start tag."""
        del attributes
        if name == b"si":
            self._index += 1
            self._collecting = bool(self._wanted) and self._wanted[-1] == self._index
            self._pieces, self._size = [], 0
            self._in_text = self._phonetic = False
        elif name == b"rPh":
            self._phonetic = True
        elif name == b"t":
            self._in_text = not self._phonetic

    def text(self, piece: bytes) -> None:
        """Take a piece of text."""
        if self._collecting and self._in_text and self._size < _MOST_BYTES:
            piece = piece[: _MOST_BYTES - self._size]
            self._pieces.append(piece)
            self._size += len(piece)

    def end(self, name: bytes) -> None:
        """Take an end tag."""
        if name == b"si" and self._collecting:
            text = unescape(b"".join(self._pieces))[:LONGEST_TEXT]
            self._budget.take(text)
            self.found[self._wanted.pop()] = text
            self._collecting = False
        elif name == b"rPh":
            self._phonetic = False
        elif name == b"t":
            self._in_text = False

    def skim(self, buffer: bytes, position: int, limit: int, prefix: bytes) -> int:
        """Count texts up to the next one that is wanted."""
        if self._collecting:
            return position
        if not self._wanted:
            return limit
        to_pass = self._wanted[-1] - self._index - 1
        for text in _beginning(prefix).finditer(buffer, position, limit):
            if not to_pass:
                self._index = self._wanted[-1] - 1
                return text.start()
            to_pass -= 1
        self._index = self._wanted[-1] - 1 - to_pass
        return limit


@lru_cache(maxsize=4)
def _beginning(prefix: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"<" + re.escape(prefix) + rb"si(?=[\s/>])")
