"""What there is: backups over all destinations, from their keys alone; their manifests; which one a selector means."""

from .backups import Backup, Catalog, Half, HiddenCopy, read_catalog
from .manifests import parse_manifest, read_manifest, read_manifest_bytes
from .selectors import is_start_of, select

__all__ = [
    "Backup",
    "Catalog",
    "Half",
    "HiddenCopy",
    "is_start_of",
    "parse_manifest",
    "read_catalog",
    "read_manifest",
    "read_manifest_bytes",
    "select",
]
