"""Artifacts that are not what they should be, for the faults of the download."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from leanix_backup.simulator.replies import MAINTENANCE_PAGE
from leanix_backup.simulator.switches import DownloadFault

_BOMB_BYTES = 128 * 1024 * 1024
_BLOCK = b" " * (1024 * 1024)
_DATA_STARTS = 30  # a local header's length without name and extra field
_NAME_LENGTH, _EXTRA_LENGTH = slice(26, 28), slice(28, 30)


def spoil(whole: Path, fault: DownloadFault, target: Path) -> str:
    """Write what that fault sends instead of the whole workbook; return its media type.

    Blocks for as long as a copy of the file takes.
    """
    kind = "application/octet-stream"
    if fault == "html200":
        target.write_text(MAINTENANCE_PAGE)
        kind = "text/html"
    elif fault == "json200":
        target.write_text('{"status":"ERROR","type":"Error","errorMessage":"Something went wrong","errors":[]}')
        kind = "application/json"
    elif fault == "empty":
        target.write_bytes(b"")
    elif fault == "truncated_zip":
        shutil.copyfile(whole, target)
        with target.open("r+b") as file:
            file.truncate(whole.stat().st_size // 2)
    elif fault == "bit_flip":
        shutil.copyfile(whole, target)
        _flip_a_bit(target)
    elif fault == "not_workbook":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("readme.txt", "a ZIP file, but not a workbook\n" * 20)
    elif fault == "zip_bomb":
        shutil.copyfile(whole, target)
        with (
            zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive,
            archive.open("xl/worksheets/sheet99.xml", "w") as member,
        ):
            for _ in range(_BOMB_BYTES // len(_BLOCK)):
                member.write(_BLOCK)
    else:
        raise AssertionError(f"{fault} does not change the content")
    return kind


def _flip_a_bit(path: Path) -> None:
    """Flip one bit in the middle of the largest member's data, where its CRC must notice."""
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.compress_size)
    with path.open("r+b") as file:
        file.seek(largest.header_offset)
        header = file.read(_DATA_STARTS)
        skipped = sum(int.from_bytes(header[part], "little") for part in (_NAME_LENGTH, _EXTRA_LENGTH))
        place = largest.header_offset + _DATA_STARTS + skipped + largest.compress_size // 2
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
