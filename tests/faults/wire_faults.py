"""Every fault of the wire, in the order of the table.

Each fault that may pass happens once, and always. What is not known of LeanIX (whether a request that broke has worked,
whether a transfer that broke has spent its key, ...) happens both ways.
"""

from __future__ import annotations

from itertools import chain

from tests.faults import wire_downloads, wire_exports, wire_lists, wire_requests, wire_retry_after
from tests.faults.fault import Fault


def wire_faults() -> list[Fault]:
    """List them all."""
    return list(
        chain(
            wire_exports.without(),
            wire_requests.refused(),
            wire_requests.token_calls(),
            wire_requests.token_life(),
            wire_requests.starts(),
            wire_lists.first_lists(),
            wire_lists.looks(),
            wire_downloads.answers(),
            wire_downloads.transfers(),
            wire_downloads.other_files(),
            wire_downloads.redirects(),
            wire_retry_after.retry_after(),
            wire_exports.ends(),
            wire_exports.rows(),
            wire_exports.keys(),
            wire_exports.clocks(),
            wire_exports.other_exports(),
        )
    )
