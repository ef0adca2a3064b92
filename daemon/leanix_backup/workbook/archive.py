"""The members of a ZIP archive unpacked and proved: every byte, every size, every CRC."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leanix_backup.errors import ArtifactError, InterruptedRunError

from . import faults
from .layout import STORED, Layout, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .source import Source

READ_SIZE = 64 * 1024
"""Most bytes that are read from the file at once."""
BLOCK_SIZE = 512 * 1024
"""Most bytes that are unpacked at once; between two blocks the caller may cancel."""


@dataclass(slots=True)
class Archive:
    """An archive whose structure is proved and whose members are proved one by one, each at most once.

    `progress` is called with the packed bytes proved so far, over all members; they only grow.
    """

    source: Source
    layout: Layout
    progress: Callable[[int], None] | None = None
    cancelled: Callable[[], bool] | None = None
    proved: int = 0
    unpacked: int = 0
    done: set[str] = field(default_factory=set)

    def __contains__(self, name: str) -> bool:
        return name in self.layout.members

    def prove(self, name: str, feed: Callable[[bytes], None] | None = None) -> None:
        """Unpack one member, check its size and CRC, and hand its bytes to `feed` on the way.

        What `feed` raises is held back until the member is proved: damage explains odd content, so it goes first.
        Limits are enforced on what comes out, whatever was declared.

        Raises:
            ArtifactError: The member is damaged, or all members so far unpack to more than is allowed; or what `feed`
                raised.
            InterruptedRunError: The caller cancelled.
        """
        member = self.layout.members[name]
        entry = member.entry
        self.done.add(name)
        crc = size = 0
        complaint: ArtifactError | None = None
        for block in self._blocks(member):
            crc = zlib.crc32(block, crc)
            size += len(block)
            self.unpacked += len(block)
            if self.unpacked > self.layout.ceiling:
                raise faults.bomb(f"it unpacks to more than {self.layout.ceiling:.0f} bytes")
            if feed is not None and complaint is None:
                try:
                    feed(block)
                except ArtifactError as error:
                    complaint = error
        if size != entry.unpacked or crc != entry.crc:
            raise faults.corrupt(f"the member {faults.shown(entry.name)} does not have the size and CRC it should have")
        if complaint is not None:
            raise complaint

    def prove_rest(self) -> None:
        """Prove every member that was not proved yet, in the order of the file."""
        for name in self.layout.members:
            if name not in self.done:
                self.prove(name)

    def _blocks(self, member: Member) -> Iterator[bytes]:
        entry = member.entry
        if entry.method == STORED:
            yield from self._chunks(member)
            return
        if not entry.packed and not entry.unpacked:
            return  # some writers mark an empty member as deflated and write nothing
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        finished = False
        misplaced = faults.corrupt(f"the packed data of the member {faults.shown(entry.name)} end in the wrong place")
        try:
            for chunk in self._chunks(member):
                if finished:
                    raise misplaced
                rest = chunk
                while True:
                    block = inflater.decompress(rest, BLOCK_SIZE)
                    rest = inflater.unconsumed_tail
                    yield block
                    finished = inflater.eof
                    if finished or (not rest and len(block) < BLOCK_SIZE):
                        break
                    self._check_cancelled()
        except zlib.error as error:
            raise faults.corrupt(f"the member {faults.shown(entry.name)} can't be unpacked") from error
        if not finished or inflater.unused_data:
            raise misplaced

    def _chunks(self, member: Member) -> Iterator[bytes]:
        position, end = member.data_at, member.data_at + member.entry.packed
        while position < end:
            self._check_cancelled()
            chunk = self.source.at(position, min(READ_SIZE, end - position))
            position += len(chunk)
            yield chunk
            self.proved += len(chunk)
            if self.progress is not None:
                self.progress(self.proved)

    def _check_cancelled(self) -> None:
        if self.cancelled is not None and self.cancelled():
            raise InterruptedRunError("the proof of the workbook was stopped")
