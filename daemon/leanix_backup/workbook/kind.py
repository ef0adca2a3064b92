"""What a file is, by its first bytes: a ZIP archive, or what came instead of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import faults

if TYPE_CHECKING:
    from .source import Source

_LOCAL_HEADER = b"PK\x03\x04"
_END_RECORD = b"PK\x05\x06"
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_LOOK_AT = 4096


def check_kind(source: Source) -> None:
    """Return if the file begins as a ZIP archive with members does.

    Raises:
        ArtifactError: It is empty, a web page, JSON, an old or encrypted Office file, or something else.
    """
    if not source.size:
        raise faults.empty()
    head = source.at(0, min(source.size, _LOOK_AT))
    if head.startswith(_LOCAL_HEADER):
        return
    if _LOCAL_HEADER.startswith(head):
        raise faults.truncated()
    if head.startswith(_END_RECORD):
        raise faults.not_workbook("it is a ZIP archive without members")
    if head.startswith(_COMPOUND_FILE):
        raise faults.not_workbook(
            "it is a password-protected workbook or an old .xls file",
            "exports carry no password: an information-protection product in between may encrypt downloads",
        )
    text = _plain(head)
    if text.startswith((b"{", b"[")):
        raise faults.json()
    if text.startswith(b"<") and (not text.startswith(b"<?xml") or b"<html" in text or b"<!doctype html" in text):
        raise faults.html()
    raise faults.not_zip()


def _plain(head: bytes) -> bytes:
    """Strip what may stand before text, and the zero bytes of UTF-16."""
    for bom in _BOMS:
        head = head.removeprefix(bom)
    return head.replace(b"\0", b"").lstrip().lower()
