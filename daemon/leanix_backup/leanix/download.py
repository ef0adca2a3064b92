"""Opening a download: the one-time key, redirects, and who may see the bearer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from leanix_backup.config.hosts import is_loopback
from leanix_backup.errors import ExportLostError, LeanixError
from leanix_backup.leanix.faults import status_error
from leanix_backup.leanix.transport import Transport, read_reply

_MOST_REDIRECTS = 5
_OK = 200
_KEY_REFUSED = {
    400,
    404,
    409,
    410,
}  # nobody knows how LeanIX says that a key was spent: none of these is cured by waiting
_ELSEWHERE_REFUSED = {*_KEY_REFUSED, 401, 403}  # what says nothing of our token, nor of our key


@dataclass(frozen=True, slots=True)
class Download:
    """An open download: how long it will be, where the server says so, and its bytes as they come."""

    size_bytes: int | None
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Opened:
    """A download and what must be closed after it."""

    download: Download
    stack: AsyncExitStack


async def open_download(transport: Transport, url: str, key: str, *, bearer: str, timeout: float) -> Opened:  # noqa: ASYNC109 -- the longest silence, not a bound on the whole
    """Ask for a download and follow its redirects until its bytes begin.

    Redirects never lead from https to http, and the bearer goes to the first origin only, as does the key.

    Raises:
        LeanixError: `unexpected_redirect`, `token_rejected`, or a fault; the key is unspent as far as anybody knows.
        ExportLostError: LeanIX does not take the key, or where it redirects to does not take its address.
    """
    own, params = _origin(url), {"key": key}
    for _ in range(_MOST_REDIRECTS + 1):
        headers = {"Accept": "application/octet-stream", "Accept-Encoding": "identity"}
        at_home = _origin(url) == own
        if at_home:
            headers["Authorization"] = f"Bearer {bearer}"
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(
                transport.stream(url, timeout=timeout, headers=headers, params=params or None)
            )
            if response.status_code == _OK:
                return Opened(_download(response), stack.pop_all())
            if response.has_redirect_location:
                url, params = redirected(url, response.headers["Location"]), {}
                continue
            reply = await read_reply(response)
            if at_home and reply.status in _KEY_REFUSED:
                raise ExportLostError(
                    f"LeanIX does not take the download key (it answered {reply.status})",
                    code="key_refused",
                    hint="a fresh export gives a fresh key; another tool may have used this one",
                )
            if not at_home and reply.status in _ELSEWHERE_REFUSED:
                raise ExportLostError(
                    f"{urlsplit(url).hostname}, where LeanIX sent the download to, answered {reply.status}",
                    code="download_refused",
                    hint="a fresh export gives a fresh address; if it lasts, a proxy or firewall may be in the way",
                )
            error = status_error(reply, doing="downloading")
            raise error or LeanixError(f"the download was answered with {reply.status}", code="unexpected_status")
    raise LeanixError("the download was redirected in circles", code="unexpected_redirect")


def redirected(url: str, location: str) -> str:
    """Say where a redirect leads; pure.

    Raises:
        LeanixError: `unexpected_redirect` where it leads to plain http (from a loopback server to a loopback one it
            may), or to something that is no web address.
    """
    if (target := _safe_target(url, location)) is not None:
        return target
    raise LeanixError(
        "the download was redirected to an address that is not https",
        code="unexpected_redirect",
        hint="nothing was sent there; report it to whoever runs the proxy or to LeanIX",
    )


def _safe_target(url: str, location: str) -> str | None:
    try:
        target = urljoin(url, location)
        here, there = urlsplit(url), urlsplit(target)
        _origin(target)
    except ValueError:  # brackets that don't close, a port that is none
        return None
    local = here.scheme == "http" and is_loopback(here.hostname or "") and is_loopback(there.hostname or "")
    return target if there.hostname and (there.scheme == "https" or (there.scheme == "http" and local)) else None


def _download(response: httpx.Response) -> Download:
    length = response.headers.get("Content-Length", "")
    if "Content-Encoding" in response.headers:  # compressed although nobody asked for it: the length is not the file's
        return Download(None, response.aiter_bytes())
    return Download(int(length) if length.isdecimal() else None, response.aiter_raw())


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", parts.port or default
