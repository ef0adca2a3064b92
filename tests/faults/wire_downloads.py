"""Faults of the download: refused, redirected, broken with its key spent or not, and another file than it should be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.faults.fault import ATTEMPTS, SOON, STATUSES, Fault

_ALWAYS = {"download_fault_times": -1}
_BREAKS = {
    "hang_up": ("closed without an answer", "connection_lost"),
    "cut_header": ("reset mid-header", "connection_lost"),
    "stall_header": ("stalled mid-header", "timeout"),
    "cut": ("closed mid-body", "connection_lost"),
    "reset": ("reset mid-body", "connection_lost"),
    "stall": ("stalled mid-body", "timeout"),
}
_OTHER_FILES = {  # what comes, what that is called, and whether a fresh export may be better
    "html200": ("HTML", "artifact_html", True),
    "json200": ("JSON", "artifact_json", True),
    "empty": ("nothing", "artifact_empty", True),
    "truncated_zip": ("half a ZIP", "artifact_truncated", True),
    "bit_flip": ("a flipped bit", "artifact_corrupt", True),
    "not_workbook": ("another ZIP", "artifact_not_workbook", False),
    "zip_bomb": ("a ZIP bomb", "artifact_bomb", False),
}


def answers() -> Iterator[Fault]:
    """The answer to the download that comes in place of its bytes; the key is unspent, and the list shows it still."""
    group = "download"
    for status, code in ({409: "key_refused"} | STATUSES).items():
        switches = {"download_fault": "status", "download_fault_status": status}
        once, always = Fault(group, f"{status}, once", switches), Fault(group, f"{status}, always", switches | _ALWAYS)
        if status in {401, 403}:
            yield once.stored(attempts=1) if status == 401 else once.fails(code, exports=1)
            yield always.fails(code, attempts=1, exports=1)
            continue
        yield once.stored(attempts=1)
        yield always.fails("key_refused" if status in {400, 404} else code, attempts=ATTEMPTS, exports=ATTEMPTS)
    page = {"download_fault": "html"}
    yield Fault(group, "503 with HTML, once", page).stored(attempts=1)
    fault = Fault(group, "503 with HTML, always", page | _ALWAYS)
    yield fault.fails("unavailable", attempts=ATTEMPTS, exports=ATTEMPTS)


def transfers() -> Iterator[Fault]:
    """Downloads that break, with the key spent by that and with the key unspent."""
    group = "transfer"
    for how, (name, code) in _BREAKS.items():
        for framing in ("length", "chunked") if how in {"cut", "reset"} else ("length",):
            for spends in (True, False):
                said = f"{name}{', chunked' if framing == 'chunked' else ''}, key {'spent' if spends else 'unspent'}"
                switches = {"download_fault": how, "broken_transfer_spends": spends, "download_framing": framing}
                once = Fault(group, f"{said}, once", switches)
                always = Fault(group, f"{said}, always", switches | _ALWAYS)
                if spends:
                    yield once.stored(attempts=2, exports=2, keys=2)
                    yield always.fails(code, attempts=ATTEMPTS, exports=ATTEMPTS, keys=ATTEMPTS)
                else:
                    yield once.stored(attempts=1)
                    yield always.fails(code, attempts=ATTEMPTS, exports=ATTEMPTS)
    kept = {"download_fault": "cut", "gone_key": "kept"}
    fault = Fault(group, "closed mid-body, key spent, and still shown, once", kept)
    yield fault.stored(attempts=2, exports=2, keys=2)


def other_files() -> Iterator[Fault]:
    """What comes home whole is not the workbook that it should be."""
    group = "file"
    for how, (name, code, cured) in _OTHER_FILES.items():
        switches = {"download_fault": how}
        once, always = Fault(group, f"{name}, once", switches), Fault(group, f"{name}, always", switches | _ALWAYS)
        if cured:
            yield once.stored(attempts=2, exports=2, keys=2)
            yield always.fails(code, attempts=ATTEMPTS, exports=ATTEMPTS, keys=ATTEMPTS)
        else:
            yield once.fails(code, attempts=1, exports=1, keys=1)
            yield always.fails(code, attempts=1, exports=1, keys=1)


def redirects() -> Iterator[Fault]:
    """The download is elsewhere: on the same origin, on another, or where nobody may be sent."""
    group, nowhere = "redirect", "unexpected_redirect"
    for spends in (True, False):
        key = "key spent by it" if spends else "key unspent"
        spent: dict[str, Any] = {"redirect_spends_key": spends}
        for origin in ("same_origin", "other_origin"):
            to, there = f"to the {origin.replace('_', ' ')}, {key}", {"download_redirect": origin} | spent
            yield Fault(group, to, there).stored(attempts=1)
            broken = Fault(group, f"{to}, closed mid-body", there | {"download_fault": "cut"})
            yield broken.stored(attempts=2, exports=2, keys=2)
        to_http = {"download_redirect": "other_origin"} | spent
        yield Fault(group, f"from https to http, {key}", to_http, tls=True).fails(nowhere, exports=1, keys=int(spends))
        to_url = {"download_redirect": "url", "download_redirect_url": "http://["} | spent
        yield Fault(group, f"to no address, {key}", to_url).fails(nowhere, exports=1, keys=int(spends))
    yield Fault(group, "none, over TLS", tls=True, skips=False).stored(attempts=1).but(within=SOON)
