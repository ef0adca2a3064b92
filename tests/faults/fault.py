"""One fault as data, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from leanix_backup.model import ExportType

STORED, FAILED, PARTIAL = "succeeded", "failed", "partial"
ATTEMPTS = 3
EXPORT_TIMEOUT = timedelta(hours=4)
SOON = timedelta(minutes=2)
SHORT = {"DEFAULTS__EXPORT_TIMEOUT": "10m"}  # where a fault lasts for all of it

STATUSES = {
    400: "request_refused",
    401: "token_rejected",
    403: "forbidden",
    404: "not_found",
    429: "rate_limited",
    500: "server_error",
    502: "server_error",
    503: "unavailable",
    504: "server_error",
}
REFUSALS = {400, 403, 404}  # what another try does not cure
BROKEN = {  # how the simulated LeanIX breaks an answer, what that is called, and its code
    "html": ("503 with HTML", "unavailable"),
    "html200": ("200 with HTML", "not_json"),
    "error200": ("200 with an error envelope", "reply_invalid"),
    "cut": ("closed without an answer", "connection_lost"),
    "cut_header": ("reset mid-header", "connection_lost"),
    "cut_body": ("reset mid-body", "connection_lost"),
    "stall": ("stalled before the header", "timeout"),
    "stall_body": ("stalled mid-body", "timeout"),
    "cut_json": ("JSON cut off", "not_json"),
    "odd_types": ("wrong types", "reply_invalid"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """When the server's port is closed, so that connections are refused.

    `after`: closed once that many answers of an endpoint have been given (`("list", 2)`), or the list shows so many
    that are `completed`; from the start without it.
    `lasts`: how long, in skipped time; for ever without it.
    """

    after: tuple[str, int] | None = None
    lasts: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the wire, and what must come of it: unless it says otherwise, a backup with one export and one key.

    Attributes:
        group: Where it happens: its heading in the table.
        name: What it is called there.
        switches: How the simulated LeanIX behaves.
        settings: Further settings, as variables without their prefix.
        export: What is exported.
        skew: How far the server's clock is off.
        refusal: When its port is closed.
        tls: Whether it is spoken to over TLS.
        skips: Whether waits are skipped. A large answer over TLS is in nobody's socket while it is being opened, so
            that it would look as if nobody worked.
        outcome: What the run must come to.
        codes: The error's code must be one of these; empty for a backup.
        exports: How many exports may be started at most.
        keys: How many one-time keys may be spent at most.
        attempts: How many attempts the run must have made; any number where None.
        within: The longest that the run may take in skipped time; by the formula of `pace` alone where None.
    """

    group: str
    name: str
    switches: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    export: ExportType = ExportType.SNAPSHOT
    skew: timedelta = timedelta()
    refusal: Refusal | None = None
    tls: bool = False
    skips: bool = True
    outcome: str = STORED
    codes: frozenset[str] = frozenset()
    exports: int = 1
    keys: int = 1
    attempts: int | None = None
    within: timedelta | None = None

    def stored(self, *, attempts: int | None = None, exports: int = 1, keys: int = 1) -> Fault:
        """Say that a backup must come of it."""
        return replace(self, attempts=attempts, exports=exports, keys=keys)

    def fails(self, *codes: str, attempts: int | None = None, exports: int = 0, keys: int = 0) -> Fault:
        """Say that the run must fail with one of these codes."""
        return replace(self, outcome=FAILED, codes=frozenset(codes), attempts=attempts, exports=exports, keys=keys)

    def but(self, *, settings: Mapping[str, str] | None = None, within: timedelta | None = None) -> Fault:
        """Change what is less often said."""
        return replace(self, settings=settings or self.settings, within=within or self.within)

    @property
    def export_timeout(self) -> timedelta:
        """How long an attempt may wait for its export."""
        minutes = self.settings.get("DEFAULTS__EXPORT_TIMEOUT", "").removesuffix("m")
        return timedelta(minutes=int(minutes)) if minutes else EXPORT_TIMEOUT


@dataclass(slots=True)
class Verdict:
    """What came of a fault.

    Attributes:
        group: The fault's group.
        name: Its name.
        outcome: What the run came to, as the command printed it.
        code: The error's code; empty for a backup.
        hint: What it says to do.
        attempts: How many attempts the run made.
        requests: How often each endpoint was asked.
        exports: How many exports were started.
        keys: How many keys were spent.
        took_s: How long the run took, in skipped time.
        wrong: Every rule that was broken, in words.
        written: Everything that the process wrote: to its outputs, its log, its ledger, and manifests.
        secrets: What must not be in it.
    """

    group: str
    name: str
    outcome: str = ""
    code: str = ""
    hint: str = ""
    attempts: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    exports: int = 0
    keys: int = 0
    took_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    written: bytes = b""
    secrets: tuple[str, ...] = ()
