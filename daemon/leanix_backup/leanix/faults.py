"""Answers and errors of the wire, translated once into ours: a code, a hint, and whether another try may help."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from leanix_backup.errors import LeanixError
from leanix_backup.leanix import wire

REQUEST_REFUSED = "request_refused"
EXPORT_REFUSED = "export_refused"
RATE_LIMITED = "rate_limited"
TOKEN_REJECTED = "token_rejected"  # noqa: S105 -- an error's code
_SERVER_ERRORS = 500
_GATEWAY_UNKNOWN = {500, 502, 504}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer of the API."""

    status: int
    body: bytes
    server_time: datetime | None
    retry_after: float | None

    def json(self) -> Any:
        """Read the body as JSON.

        Raises:
            LeanixError: `not_json`; with a maintenance page (HTML) another try may help. `outcome_unknown`, since
                whatever put that page there may have done so behind an answer that LeanIX gave.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            html = self.body.lstrip()[:1] == b"<"
            raise LeanixError(
                "LeanIX answered with a web page instead of JSON"
                if html
                else "LeanIX answered something that is no JSON",
                code="not_json",
                hint="LeanIX may be in maintenance, or `url` or a proxy leads to something else",
                retryable=True,
                outcome_unknown=True,
            ) from error


def status_error(reply: Reply, *, doing: str) -> LeanixError | None:
    """Translate an answer's status; None where it is a success.

    `doing` says what was tried, for the message: "starting the export".
    """
    status = reply.status
    if 200 <= status < 300:  # noqa: PLR2004 -- what HTTP calls a success
        return None
    try:
        said = wire.error_text(json.loads(reply.body))
    except (ValueError, RecursionError):
        said = ""
    detail = f": {said}" if said else ""
    code, hint, retryable = _explain(status)
    return LeanixError(
        f"{doing}: LeanIX answered {status}{detail}",
        code=code,
        hint=hint,
        retryable=retryable,
        retry_after=reply.retry_after if retryable else None,
        outcome_unknown=status in _GATEWAY_UNKNOWN,
    )


def translate(error: httpx.HTTPError, host: str) -> LeanixError:
    """Turn httpx's error into ours, keeping what the person on call needs and nothing that may hold a secret."""
    if isinstance(error, httpx.ProxyError):
        return LeanixError(
            "the proxy refused or did not answer",
            code="proxy_failed",
            hint="check network.proxy (address, user, password) or HTTPS_PROXY",
            retryable=True,
        )
    if _caused_by(error, ssl.SSLCertVerificationError):
        return LeanixError(
            f"the certificate of {host} is not trusted",
            code="tls_untrusted",
            hint="behind a proxy that inspects TLS, give its certificate in network.ca_bundle",
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return LeanixError(
            f"no connection to {host}",
            code="connect_failed",
            hint="check `url`, DNS, the firewall, and network.proxy",
            retryable=True,
        )
    if isinstance(error, httpx.TimeoutException):
        return LeanixError(
            f"{host} fell silent",
            code="timeout",
            hint="raise request_timeout if LeanIX is slow, or look at the network",
            retryable=True,
            outcome_unknown=True,
        )
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return unwritable(host)
    return LeanixError(
        f"the connection to {host} broke off",
        code="connection_lost",
        hint="look at the network between here and LeanIX",
        retryable=True,
        outcome_unknown=True,
    )


def _explain(status: int) -> tuple[str, str, bool]:
    """Say a status's code, what to do, and whether another try may help."""
    known = {
        400: (REQUEST_REFUSED, "LeanIX did not like the request; its words say why", False),
        401: (
            "token_rejected",
            "the API token is wrong, expired or replaced: make a new one and update its file",
            False,
        ),
        403: ("forbidden", "the technical user needs admin permissions in this workspace", False),
        404: ("not_found", "is `url` the workspace's own, like https://acme.leanix.net?", False),
        409: (EXPORT_REFUSED, "another export of this type may still be running", True),
        429: (RATE_LIMITED, "LeanIX limits requests per user; give each tool a technical user of its own", True),
        503: ("unavailable", "LeanIX is temporarily not available", True),
    }
    if status in known:
        return known[status]
    if status >= _SERVER_ERRORS:
        return "server_error", "LeanIX has a fault; if it lasts, see its status page", True
    if 300 <= status < 400:  # noqa: PLR2004 -- what HTTP calls a redirect
        return "unexpected_redirect", "is `url` the workspace's own, like https://acme.leanix.net?", False
    return "unexpected_status", "LeanIX answered what this version does not know", False


def unwritable(host: str) -> LeanixError:
    """Say that a request can't even be written: its address is none."""
    return LeanixError(f"the request to {host} could not be written", code="request_invalid", hint="check `url`")


def _caused_by(error: BaseException, kind: type[BaseException]) -> bool:
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:  # a chain may come back to where it began
        if isinstance(cause, kind):
            return True
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return False
