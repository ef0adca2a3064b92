"""Replies of LeanIX as our types. Pure: text and plain objects in, plain values out.

Tolerant where the reference says that nobody knows: of a row only `id`, `type` and `status` may be relied on, times
may have any number of fractional digits, and whatever is not understood is left out, not guessed. Rows name people;
only their ids are taken over.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from leanix_backup.errors import LeanixError

_FRACTION = re.compile(r"\.(\d{1,6})\d*")
_SECONDS = re.compile(r"-?[0-9]+")
_MOST_SECONDS = 1e9  # some 30 years: longer than anybody waits, and a number that can still be reckoned with
_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_HOUR_S = 3600.0
_MOST_QUOTED = 200


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One row of the list of exports.

    `user_ids` are all the ids by which the row names its user (`userId`, `user.id`); empty where it names none.
    """

    id: str
    type: str
    status: str
    created_at: datetime | None = None
    user_ids: frozenset[str] = frozenset()
    download_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ExportPage:
    """One page of the list; `end_cursor` asks for the next one."""

    rows: tuple[ExportRow, ...]
    end_cursor: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What the token endpoint gave."""

    value: str = field(repr=False)
    expires_in_s: float = _HOUR_S


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token belongs to, as its claims say; None where they don't."""

    workspace_id: str | None = None
    workspace_name: str | None = None
    user_id: str | None = None
    role: str | None = None
    instance_url: str | None = None


def parse_time(value: object) -> datetime | None:
    """Read an ISO-8601 time with any number of fractional digits; one without a zone is UTC; else None."""
    if not isinstance(value, str):
        return None
    text = _FRACTION.sub(lambda match: "." + match[1].ljust(6, "0"), value.strip())
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _in_utc(instant)


def parse_date_header(value: str | None) -> datetime | None:
    """Read an HTTP date, or None."""
    if not value:
        return None
    try:
        instant = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return _in_utc(instant)


def parse_retry_after(value: str | None, *, server_now: datetime | None, now: datetime) -> float | None:
    """Read `Retry-After` as seconds from now; never negative; None where there is none or it is not understood.

    A date is taken against the server's own clock where it gave one: ours may be hours off.
    """
    if value is None:
        return None
    if _SECONDS.fullmatch(text := value.strip()):
        return min(max(0.0, float(text)), _MOST_SECONDS)
    until = parse_date_header(value)
    return None if until is None else max(0.0, (until - (server_now or now)).total_seconds())


def parse_token(reply: object) -> AccessToken:
    """Read the token endpoint's reply.

    Raises:
        LeanixError: `reply_invalid` where there is no token in it, or one that can stand in no header.
    """
    value = _text(reply, "access_token")
    if value is None or not _HEADER_SAFE.fullmatch(value):
        raise _invalid("the token endpoint answered without an access token", reply)
    return AccessToken(value, _lifetime(_child(reply, "expires_in")))


def parse_identity(token: str) -> Identity:
    """Read a token's claims without checking its signature: it came from the server itself, over TLS.

    A token that is no JWT, or says less, gives an identity with less in it.
    """
    parts = token.split(".")
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
    except (IndexError, binascii.Error, ValueError, RecursionError):
        return Identity()
    principal = _child(claims, "principal")
    permission = _child(principal, "permission")
    return Identity(
        workspace_id=_text(permission, "workspaceId"),
        workspace_name=_text(permission, "workspaceName"),
        user_id=_text(principal, "id"),
        role=_text(permission, "role"),
        instance_url=_text(claims, "instanceUrl"),
    )


def parse_job_id(reply: object) -> str:
    """Read the id of the job that was queued; it is not the export's id.

    Raises:
        LeanixError: `reply_invalid` where the reply does not say `OK` with a job; `outcome_unknown` where it says
            `OK`, as then something may have been started.
    """
    if not isinstance(reply, dict) or reply.get("status") != "OK":
        raise _invalid("LeanIX did not confirm the export", reply)
    job_id = _text(_child(reply, "data"), "jobId")
    if job_id is None:
        raise _invalid("LeanIX confirmed the export without naming a job", outcome_unknown=True)
    return job_id


def parse_page(reply: object) -> ExportPage:
    """Read one page of the list of exports; rows without id, type or status are left out.

    Raises:
        LeanixError: `reply_invalid` where it is no list.
    """
    if not isinstance(reply, dict) or not isinstance(reply.get("data"), list):
        raise _invalid("the list of exports is not a list", reply)
    rows = tuple(row for entry in reply["data"] if (row := _parse_row(entry)) is not None)
    total = reply.get("total")
    counts = isinstance(total, int) and not isinstance(total, bool) and total >= 0
    return ExportPage(rows, _text(reply, "endCursor"), total if counts else None)


def error_text(reply: object) -> str:
    """Find what an envelope says went wrong, cut to a line's length; empty where it says nothing."""
    if not isinstance(reply, dict):
        return ""
    said = [reply.get("errorMessage"), reply.get("message"), reply.get("error_description")]
    for entry in _listed(reply.get("errors")):
        said.extend(_listed(entry.get("messages")) if isinstance(entry, dict) else [entry])
    text = "; ".join(part for part in said if isinstance(part, str) and part)
    return " ".join(text.split())[:_MOST_QUOTED]


def honoured_instance(configured: str, instance_url: str | None) -> str | None:
    """Say whether a token's `instanceUrl` may be given the bearer: only over https, within the configured domain.

    Within means: the configured host itself or a host below it, or, for a host of leanix.net, any other host of
    leanix.net. Else None: the configured URL is used.
    """
    if not instance_url:
        return None
    try:
        there, here = urlsplit(instance_url), urlsplit(configured)
        port = there.port
    except ValueError:
        return None
    host, own = (there.hostname or "").rstrip("."), (here.hostname or "").rstrip(".")
    if there.scheme != "https" or not host or not own or there.username or there.password:
        return None
    below = host.endswith(f".{own}") and not own.rpartition(".")[2].isdecimal()  # nothing lies below an address
    family = own.endswith(".leanix.net") and (host == "leanix.net" or host.endswith(".leanix.net"))
    if host != own and not (_HOST_NAME.fullmatch(host) and (below or family)):
        return None
    return f"https://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def _parse_row(entry: object) -> ExportRow | None:
    row_id, kind, status = _text(entry, "id"), _text(entry, "type"), _text(entry, "status")
    if row_id is None or kind is None or status is None:
        return None
    users = {_text(entry, "userId"), _text(_child(entry, "user"), "id")}
    return ExportRow(
        id=row_id,
        type=kind,
        status=status,
        created_at=parse_time(_child(entry, "createdAt")),
        user_ids=frozenset(user for user in users if user),
        download_key=_text(entry, "downloadKey"),
    )


def _in_utc(instant: datetime) -> datetime | None:
    try:
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except OverflowError:  # a zone that leads out of the calendar
        return None


def _lifetime(value: object) -> float:
    """Read how many seconds a token lives; an hour, as documented, where it does not say so sensibly."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _HOUR_S
    try:
        seconds = float(value)
    except OverflowError:
        return _HOUR_S
    return seconds if math.isfinite(seconds) and seconds > 0 else _HOUR_S


def _listed(value: object) -> list[Any]:
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) else []


def _child(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: Any, name: str) -> str | None:
    found = _child(value, name)
    return found if isinstance(found, str) and found else None


def _invalid(message: str, reply: object = None, *, outcome_unknown: bool = False) -> LeanixError:
    """Say that an answer is none; one in which LeanIX says that it failed may be better the next time."""
    quoted = error_text(reply)
    return LeanixError(
        f"{message}: {quoted}" if quoted else message,
        code="reply_invalid",
        hint="LeanIX answered in a shape that this version does not know; see the log and report it",
        retryable=isinstance(reply, dict) and reply.get("status") == "ERROR",
        outcome_unknown=outcome_unknown,
    )
