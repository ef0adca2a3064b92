"""What nobody knows about LeanIX, and what can go wrong: one switch each.

A switch may be set on the object (`sim.switches.row_delay_s = 10`) or through the admin endpoint, which merges JSON.
The names that end in `_times` count down: a fault happens that many times more, -1 is always.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from leanix_backup.errors import UsageError

SecondExport = Literal["queue", "refuse_409", "refuse_429", "refuse_400", "deduplicate", "parallel"]
EndStatus = Literal["COMPLETED", "ERROR", "CANCELED", "DELETED", "DOWNLOADED"]
# What may become of an answer on its way; see `broken`.
Breakage = Literal["cut", "cut_header", "cut_body", "stall", "stall_body", "cut_json"]
TokenFault = Literal["status", "html", "html200", "error200", "odd_types", Breakage]
ListFault = Literal[
    "none", "status", "html", "html200", "error200", "odd_types", "odd_rows", "odd_ids", "odd_statuses", Breakage
]
PostFault = Literal[
    "none",
    "refuse",
    "works",
    "html",
    "html200",
    "works_html200",
    "error200",
    "odd_types",
    "works_cut",
    "works_stall",
    Breakage,
]
AuditDates = Literal["both", "date_only", "datetime_only", "truncate"]
AuditLayout = Literal["keys_and_labels", "labels_only"]
RowUser = Literal["user_only", "both", "userId_only", "absent", "other_id"]
RowFields = Literal["sample", "all", "minimal"]
Redirect = Literal["none", "same_origin", "other_origin", "url"]
GoneKey = Literal["null", "absent", "kept"]
RetryAfter = Literal["none", "seconds", "date", "garbage"]
Role = Literal["ADMIN", "MEMBER", "VIEWER"]
DownloadFault = Literal[
    "none",
    "cut",
    "reset",
    "stall",
    "hang_up",
    "cut_header",
    "stall_header",
    "html200",
    "json200",
    "empty",
    "truncated_zip",
    "bit_flip",
    "not_workbook",
    "zip_bomb",
    "status",
    "html",
]


class SwitchError(UsageError):
    """A switch that does not exist, or a value that it can't have; nothing was changed."""

    default_code = "switch_invalid"


@dataclass(slots=True)
class Switches:
    """How the simulated LeanIX behaves; each field says what it does."""

    # starting an export
    second_export: Annotated[SecondExport, "a second export of one type while the first is under way"] = "queue"
    post_fault: Annotated[
        PostFault,
        "what becomes of fullExport: works, works_… and an answer that breaks after its begin start the export",
    ] = "none"
    post_fault_status: Annotated[int, "the status that post_fault answers with"] = 500
    post_fault_times: Annotated[int, "how many more POSTs meet post_fault"] = 1
    audit_dates: Annotated[
        AuditDates,
        "the forms of startDate and endDate that pass; truncate cuts to days",
    ] = "both"
    audit_start_inclusive: Annotated[bool, "a change at startDate itself is in the changelog"] = True
    audit_end_inclusive: Annotated[bool, "a change at endDate itself (or on that day) is in it"] = True
    audit_max_days: Annotated[float, "the longest window in days, longer ones are refused; 0 is unlimited"] = 0.0
    # the life of an export
    row_delay_s: Annotated[float, "seconds between the POST and the row in the list"] = 0.0
    duration_s: Annotated[float, "seconds from the row to COMPLETED (longer where the workbook takes longer)"] = 2.0
    duration_jitter_s: Annotated[float, "up to that many seconds more, at random"] = 0.0
    padding_bytes: Annotated[int, "add an incompressible member of that size to the workbook"] = 0
    lifetime_s: Annotated[float, "seconds from COMPLETED to deleteAt"] = 600.0
    after_delete: Annotated[Literal["vanishes", "DELETED"], "what becomes of a row after its deleteAt"] = "vanishes"
    gone_key: Annotated[GoneKey, "downloadKey of a row that is DOWNLOADED or DELETED"] = "null"
    end_status: Annotated[EndStatus, "how an export ends (DOWNLOADED: by someone else)"] = "COMPLETED"
    end_status_times: Annotated[int, "how many more exports end with end_status"] = 1
    odd_status: Annotated[str, "an unknown status that the row shows first"] = ""
    odd_status_s: Annotated[float, "for how many seconds it shows odd_status"] = 2.0
    key_delay_s: Annotated[float, "seconds from COMPLETED to the downloadKey in the row"] = 0.0
    key_taken_times: Annotated[int, "how many more keys somebody else uses as soon as the list shows them"] = 0
    audit_layout: Annotated[AuditLayout, "header of the changelog's sheet"] = "keys_and_labels"
    # the list
    row_user: Annotated[
        RowUser,
        "how a row names its user; other_id: our rows carry an id unlike the token's",
    ] = "user_only"
    row_fields: Annotated[
        RowFields,
        "as documented; with file names; id, type, status, key",
    ] = "sample"
    row_shows_created_at: Annotated[bool, "whether rows have createdAt"] = True
    fraction_digits: Annotated[int, "fraction digits of the times in rows: 0 to 9"] = 6
    extra_rows: Annotated[int, "at least that many rows of other users in the list"] = 0
    foreign_newer: Annotated[bool, "each POST also brings a newer COMPLETED export of someone else"] = False
    list_fault: Annotated[ListFault, "what the list answers instead"] = "none"
    list_fault_after: Annotated[int, "so many list calls pass before list_fault"] = 0
    list_fault_status: Annotated[int, "the status of list_fault (html: 503 where this says 500)"] = 500
    list_fault_times: Annotated[int, "how many more list calls meet list_fault"] = 1
    # the download
    download_framing: Annotated[Literal["length", "chunked"], "Content-Length or chunked"] = "length"
    download_redirect: Annotated[
        Redirect,
        "302 to a path here, another port, or download_redirect_url",
    ] = "none"
    download_redirect_url: Annotated[str, "where download_redirect=url points, as it is"] = ""
    redirect_spends_key: Annotated[bool, "the redirect spends the key (else the download behind it does)"] = True
    download_range: Annotated[bool, "honour Range"] = False
    second_use_status: Annotated[int, "the status of a download with a key that is spent or gone"] = 404
    broken_transfer_spends: Annotated[bool, "a transfer that broke has spent the key"] = True
    download_fault: Annotated[DownloadFault, "what goes wrong with a download"] = "none"
    download_fault_times: Annotated[int, "how many more downloads meet download_fault"] = 1
    download_fault_bytes: Annotated[int, "cut or stall after that many bytes"] = 1000
    download_fault_status: Annotated[int, "the status of download_fault=status, answered before the key is spent"] = 503
    download_bytes_per_s: Annotated[int, "throttle; 0 is unlimited"] = 0
    # tokens and users
    token_fault: Annotated[TokenFault, "what token calls are answered with while token_fault_times lasts"] = "status"  # noqa: S105  (the name of a fault)
    token_fault_status: Annotated[int, "the status of a refused token call"] = 401
    token_fault_times: Annotated[int, "how many more token calls are refused"] = 0
    token_fault_after: Annotated[int, "so many token calls pass before token_fault"] = 0
    token_expires_in_s: Annotated[int, "life of a bearer token in seconds"] = 3599
    revoke_after_lists: Annotated[int, "all bearers become unknown after that many more list calls; 0: never"] = 0
    token_delay_s: Annotated[float, "how long a token call takes"] = 0.0
    instance_url: Annotated[str, "instanceUrl in the token's claims; empty: this server"] = ""
    role: Annotated[Role, "role of the technical user; others than ADMIN get 403"] = "ADMIN"
    technical_user_expiry: Annotated[str, "when the API token expires, ISO-8601; empty: in a year; past: 401"] = ""
    # everything
    latency_s: Annotated[float, "how long each request takes at least"] = 0.0
    rate_limit_per_minute: Annotated[int, "requests a minute and user before 429"] = 1800
    retry_after: Annotated[RetryAfter, "Retry-After on 429 and 503"] = "none"
    retry_after_s: Annotated[int, "what Retry-After says, in seconds from now; may be negative"] = 1

    def merge(self, changes: dict[str, Any]) -> None:
        """Set several switches at once; after an error none was changed.

        Raises:
            SwitchError: An unknown name or a value of the wrong kind; its hint names the nearest switch or the values.
        """
        checked = {name: _checked(name, value) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def take(self, counter: str) -> bool:
        """Count a fault down: say whether it happens once more."""
        left: int = getattr(self, counter)
        if left > 0:
            setattr(self, counter, left - 1)
        return left != 0

    def as_json(self) -> dict[str, Any]:
        """All switches with their values, as `merge` takes them."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


def describe() -> dict[str, str]:
    """What each switch does, by name."""
    return {name: hint.__metadata__[0] for name, hint in get_type_hints(Switches, include_extras=True).items()}


def values(name: str) -> tuple[str, ...]:
    """The values that a switch can have, where it has a list of them."""
    kind = _TYPES[name]
    return get_args(kind) if get_origin(kind) is Literal else ()


_TYPES: dict[str, Any] = get_type_hints(Switches)
_ERROR_STATUSES = range(400, 600)
_ALWAYS = -1  # of a name in `_times`
_ANY_SIGN = {"retry_after_s"}


def _checked(name: str, value: Any) -> Any:
    kind = _TYPES.get(name)
    if kind is None:
        near = difflib.get_close_matches(name, _TYPES, n=1, cutoff=0.4)
        raise SwitchError(f"there is no switch {name!r}", hint=f"did you mean {near[0]!r}?" if near else "")
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise SwitchError(f"{name} can't be {value!r}", hint=f"one of {', '.join(get_args(kind))}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise SwitchError(f"{name} can't be {value!r}", hint=f"it takes a {kind.__name__}")
    return _in_bounds(name, value)


def _in_bounds(name: str, value: Any) -> Any:
    if name == "technical_user_expiry" and value:
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            when = None
        if when is None or when.tzinfo is None:
            raise SwitchError(f"{name} can't be {value!r}", hint="an ISO-8601 date-time with its zone")
    least = _ALWAYS if name.endswith("_times") else 0
    if isinstance(value, (int, float)) and value < least and name not in _ANY_SIGN:
        raise SwitchError(f"{name} can't be {value!r}", hint="zero or more")
    if name.endswith("_status") and isinstance(value, int) and value not in _ERROR_STATUSES:
        raise SwitchError(f"{name} can't be {value!r}", hint="an HTTP status of an error, 400 to 599")
    if name == "fraction_digits" and value > len("123456789"):
        raise SwitchError(f"{name} can't be {value!r}", hint="0 to 9")
    return value
