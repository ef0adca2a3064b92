"""Retry-After in every form, with 429 and with 503, at each endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.faults.fault import Fault

_YEAR_S = 31_536_000
_FORMS: dict[str, dict[str, Any]] = {
    "without Retry-After": {"retry_after": "none"},
    "Retry-After: 40": {"retry_after": "seconds", "retry_after_s": 40},
    "Retry-After: a date in 40 s": {"retry_after": "date", "retry_after_s": 40},
    "Retry-After: 0": {"retry_after": "seconds", "retry_after_s": 0},
    "Retry-After: -5": {"retry_after": "seconds", "retry_after_s": -5},
    "Retry-After: a date that has passed": {"retry_after": "date", "retry_after_s": -3600},
    "Retry-After: a year": {"retry_after": "seconds", "retry_after_s": _YEAR_S},
    "Retry-After: a date in a year": {"retry_after": "date", "retry_after_s": _YEAR_S},
    "Retry-After: garbage": {"retry_after": "garbage"},
}
_AT_ONCE = timedelta(minutes=1)


def retry_after() -> Iterator[Fault]:
    """What is asked for is waited for, also where that is more than is left: then the run fails at once."""
    group = "Retry-After"
    for status, code in ((429, "rate_limited"), (503, "unavailable")):
        for place, (switches, exports) in _places(status).items():
            for said, header in _FORMS.items():
                fault = Fault(group, f"{status} at {place}, {said}", switches | header)
                if "year" in said:
                    yield fault.fails(code, exports=exports).but(within=_AT_ONCE)
                else:
                    yield fault.stored(attempts=1)
    long = {"retry_after": "seconds", "retry_after_s": 600}
    at_list = {"list_fault": "status", "list_fault_status": 429, "list_fault_times": -1}
    yield Fault(group, "429 at the first list, Retry-After: 600, always", at_list | long).fails("rate_limited")
    limit = {"rate_limit_per_minute": 4, "retry_after": "seconds", "retry_after_s": 60, "duration_s": 60.0}
    yield Fault(group, "4 requests a minute", limit).stored(attempts=1)


def _places(status: int) -> dict[str, tuple[dict[str, Any], int]]:
    """List the switches for each place, and how many exports have been started when it comes to that."""
    listed: dict[str, Any] = {"list_fault": "status", "list_fault_status": status}
    return {
        "token call": ({"token_fault_status": status, "token_fault_times": 1}, 0),
        "POST": ({"post_fault": "refuse", "post_fault_status": status}, 0),
        "first list": (listed, 0),
        "mid-poll": (listed | {"list_fault_after": 3, "duration_s": 60.0}, 1),
        "download": ({"download_fault": "status", "download_fault_status": status}, 1),
    }
