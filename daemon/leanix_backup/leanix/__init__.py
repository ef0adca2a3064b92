"""The wire: how LeanIX is spoken to. The one door to httpx; replies become our types, errors are translated once."""

from leanix_backup.leanix.client import ExportList, LeanixClient, Started
from leanix_backup.leanix.download import Download
from leanix_backup.leanix.faults import EXPORT_REFUSED, RATE_LIMITED, REQUEST_REFUSED
from leanix_backup.leanix.tokens import TokenSource
from leanix_backup.leanix.transport import Transport
from leanix_backup.leanix.wire import ExportRow, Identity

__all__ = [
    "EXPORT_REFUSED",
    "RATE_LIMITED",
    "REQUEST_REFUSED",
    "Download",
    "ExportList",
    "ExportRow",
    "Identity",
    "LeanixClient",
    "Started",
    "TokenSource",
    "Transport",
]
