"""How much an artifact may ask for: of the disk and the processor (`Limits`), and of our memory (`Budget`)."""

from __future__ import annotations

from dataclasses import dataclass

from . import faults

_ROOM = 12 * 2**20
_OVERHEAD = 100  # what Python needs for one more value in a map


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an artifact may be once unpacked; `max_ratio` is the unpacked total over the size of the file."""

    max_members: int = 10_000
    max_unpacked: int = 50 * 2**30
    max_ratio: float = 200.0


@dataclass(slots=True)
class Budget:
    """Room for what has to be remembered of a workbook: names of sheets, keys. In bytes, roughly.

    A real export needs some hundred kilobytes; a hostile one could have millions of keys.
    """

    left: int = _ROOM

    def take(self, *texts: str) -> None:
        """Take room for one value with these texts.

        Raises:
            ArtifactError: There is none left (`artifact_bomb`).
        """
        self.left -= _OVERHEAD + sum(len(text) if text.isascii() else 4 * len(text) for text in texts)
        if self.left < 0:
            raise faults.overgrown("it has more sheets and field keys than fit into memory")
