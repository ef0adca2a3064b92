"""Faults of connecting, of the token call, and of the request for an export."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.faults.fault import ATTEMPTS, BROKEN, REFUSALS, SHORT, SOON, STATUSES, Fault, Refusal

_TEN_SECONDS = timedelta(seconds=10)
_SLOW: dict[str, Any] = {"duration_s": 100.0}
_MINUTE_TOKENS: dict[str, Any] = {"duration_s": 300.0, "token_expires_in_s": 60}
_UNKNOWN = "export_outcome_unknown"


def refused() -> Iterator[Fault]:
    """Nobody listens: at first, or from some moment on; for a while, or for ever."""
    group = "connection refused"
    yield Fault(group, "always", refusal=Refusal()).fails("connect_failed").but(within=SOON)
    yield Fault(group, "for 10 s at first", refusal=Refusal(lasts=_TEN_SECONDS))
    for where, after in (("list", ("token", 1)), ("POST", ("list", 1)), ("look", ("post", 1))):
        yield Fault(group, f"for 10 s before the first {where}", _SLOW, refusal=Refusal(after, _TEN_SECONDS))
        fault = Fault(group, f"always before the first {where}", _SLOW, SHORT, refusal=Refusal(after))
        yield fault.fails("connect_failed", exports=int(where == "look"))
    for name, lasts in (("for 10 s", _TEN_SECONDS), ("always", None)):
        fault = Fault(group, f"{name} before the download", _SLOW, refusal=Refusal(("completed", 1), lasts))
        yield fault.stored(attempts=1) if lasts else fault.fails("connect_failed", attempts=ATTEMPTS, exports=1)
    for_a_while = Refusal(("list", 4), timedelta(minutes=3))
    yield Fault(group, "for 3 min mid-poll", _SLOW, refusal=for_a_while).stored(attempts=1)
    fault = Fault(group, "always mid-poll", _SLOW, SHORT, refusal=Refusal(("list", 4)))
    yield fault.fails("connect_failed", exports=1)


def token_calls() -> Iterator[Fault]:
    """The first token call fails."""
    group = "token call"
    faults: list[tuple[str, dict[str, Any], str, bool]] = [
        (str(status), {"token_fault_status": status}, code, status not in {*REFUSALS, 401})
        for status, code in STATUSES.items()
    ]
    faults += [(name, {"token_fault": how}, code, how != "odd_types") for how, (name, code) in BROKEN.items()]
    for name, switches, code, cured in faults:
        once = Fault(group, f"{name}, once", {**switches, "token_fault_times": 1})
        yield once if cured else once.fails(code)
        yield Fault(group, f"{name}, always", {**switches, "token_fault_times": -1}).fails(code)


def token_life() -> Iterator[Fault]:
    """A token ends, is revoked, can't be renewed, or says something odd."""
    group = "token"
    yield Fault(group, "expires each minute", _MINUTE_TOKENS).stored(attempts=1)
    each_second = {"duration_s": 20.0, "token_expires_in_s": 1}
    yield Fault(group, "expires each second", each_second).stored(attempts=1)
    yield Fault(group, "revoked mid-poll", _SLOW | {"revoke_after_lists": 4}).stored(attempts=1)
    names = {"status": "401", **{how: name for how, (name, _) in BROKEN.items()}}
    for how, name in names.items():
        renewal = {**_MINUTE_TOKENS, "token_fault": how, "token_fault_after": 1}
        yield Fault(group, f"renewal: {name}, once", renewal | {"token_fault_times": 1}).stored(attempts=1)
    always = {**_MINUTE_TOKENS, "token_fault_after": 1, "token_fault_times": -1}
    yield Fault(group, "renewal: 401, always", always).fails("token_rejected", exports=1)
    page = always | {"token_fault": "html"}
    yield Fault(group, "renewal: 503 with HTML, always", page, SHORT).fails("unavailable", exports=1)
    yield Fault(group, "names another host", {"instance_url": "https://elsewhere.example.com"}).stored(attempts=1)
    yield Fault(group, "of a user who may not", {"role": "VIEWER"}).fails("forbidden", attempts=1)


def starts() -> Iterator[Fault]:
    """The request for an export is refused, or nobody knows whether it worked; then both, that it has and has not."""
    group, always = "POST", {"post_fault_times": -1}
    for status, code in ({409: "export_refused"} | STATUSES).items():
        switches = {"post_fault": "refuse", "post_fault_status": status}
        if code == "server_error":
            yield Fault(group, f"{status}, once", switches).stored(attempts=2)
            yield Fault(group, f"{status}, always", switches | always).fails(_UNKNOWN, attempts=ATTEMPTS)
            worked = {"post_fault": "works", "post_fault_status": status}
            yield Fault(group, f"{status} though it worked, once", worked).stored(attempts=1)
            yield Fault(group, f"{status} though it worked, always", worked | always).stored(attempts=1)
            continue
        once = Fault(group, f"{status}, once", switches)
        yield once.fails(code, attempts=1) if status in REFUSALS else once
        yield Fault(group, f"{status}, always", switches | always).fails(code)
    for how, (name, code) in BROKEN.items():
        switches = {"post_fault": how}
        if how in {"html", "error200"}:
            yield Fault(group, f"{name}, once", switches).stored(attempts=1)
            yield Fault(group, f"{name}, always", switches | always).fails(code, attempts=ATTEMPTS)
            continue
        if how in {"html200", "cut", "stall"}:  # those whose begin says nothing
            yield Fault(group, f"{name}, once", switches).stored(attempts=2)
            yield Fault(group, f"{name}, always", switches | always).fails(_UNKNOWN, attempts=ATTEMPTS)
            switches, name = {"post_fault": f"works_{how}"}, f"{name} though it worked"  # noqa: PLW2901 -- the other way
        yield Fault(group, f"{name}, once", switches).stored(attempts=1)
        yield Fault(group, f"{name}, always", switches | always).stored(attempts=1)
