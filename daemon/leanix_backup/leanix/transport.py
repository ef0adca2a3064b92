"""HTTP: connections, proxies, TLS and the translation of errors.

One TLS context serves all connections. What goes to a loopback address never goes through a proxy. Requests to the
API follow no redirects; a download's redirects are `download`'s business.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import anyio
import httpx
import truststore

from leanix_backup import __version__
from leanix_backup.config.hosts import is_excepted, is_loopback
from leanix_backup.errors import BackupError, LeanixError
from leanix_backup.leanix import wire
from leanix_backup.leanix.faults import Reply, translate, unwritable

_MOST_REPLY_BYTES = 32 * 1024 * 1024
_CONNECT_TIMEOUT_S = 30.0


class Transport:
    """Connections for any number of workspaces; a context manager that closes them.

    Args:
        ca_bundle: Certificates to trust besides the system's.
        proxy: URL of a proxy for everything but loopback and `no_proxy`; the environment's where None.
        no_proxy: Hosts, domains or networks that are reached directly.
    """

    def __init__(
        self, *, ca_bundle: Path | None = None, proxy: str | None = None, no_proxy: tuple[str, ...] = ()
    ) -> None:
        self._no_proxy = no_proxy
        self._stack = AsyncExitStack()
        tls = _tls_context(ca_bundle)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        headers = {"User-Agent": f"leanix-backup/{__version__}"}
        self._direct = httpx.AsyncClient(
            verify=tls, trust_env=False, limits=limits, headers=headers, cookies=_no_cookies()
        )
        try:
            self._routed = httpx.AsyncClient(
                verify=tls, proxy=_route(proxy, tls), limits=limits, headers=headers, cookies=_no_cookies()
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise BackupError(
                "the proxy's address can't be used",
                code="proxy_invalid",
                hint="check network.proxy, or HTTPS_PROXY in the environment: http://host:port or https://host:port",
            ) from error

    async def __aenter__(self) -> Self:
        """Open; connections are made when they are needed."""
        await self._stack.enter_async_context(self._direct)
        await self._stack.enter_async_context(self._routed)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._stack.__aexit__(kind, error, trace)

    async def send(
        self,
        method: str,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 -- a bound on one exchange that httpx needs to know too
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request and read the whole answer, whatever its status.

        Raises:
            LeanixError: Nobody answered in `timeout` seconds, or not whole; `outcome_unknown` where the request may
                have arrived.
        """
        request = self._build(method, url, timeout=timeout, headers=headers, params=params, form=form)
        try:
            with anyio.fail_after(timeout):
                async with self._open(request) as response:
                    return await read_reply(response)
        except TimeoutError as error:
            raise LeanixError(
                f"{_host(url)} did not answer within {timeout:.0f} s",
                code="timeout",
                hint="raise request_timeout if LeanIX is slow, or look at the network",
                retryable=True,
                outcome_unknown=True,
            ) from error

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 -- the longest silence, not a bound on the whole
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Open an answer whose body the caller reads in chunks; errors while it does so are translated too."""
        request = self._build("GET", url, timeout=timeout, headers=headers, params=params)
        async with self._open(request) as response:
            yield response

    def _build(self, method: str, url: str, *, timeout: float, **parts: Any) -> httpx.Request:
        form = parts.pop("form", None)
        # Shorter than the whole, so that a connection that never came about is told from an answer that did not.
        pace = httpx.Timeout(timeout, connect=min(timeout / 2, _CONNECT_TIMEOUT_S))
        try:
            return self._client(url).build_request(method, url, data=form, timeout=pace, **parts)
        except (httpx.InvalidURL, ValueError) as error:
            raise unwritable(_host(url)) from error

    @asynccontextmanager
    async def _open(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        client = self._client(str(request.url))
        try:
            response = await client.send(request, stream=True)
            try:
                yield response
            finally:
                with anyio.CancelScope(shield=True):
                    await response.aclose()
        except httpx.InvalidURL as error:  # httpx reads the address of a redirect though it does not follow it
            raise LeanixError(
                "the answer redirects to something that is no address",
                code="unexpected_redirect",
                hint="report it to whoever runs the proxy or to LeanIX",
            ) from error
        except httpx.HTTPError as error:
            raise translate(error, _host(str(request.url))) from error

    def _client(self, url: str) -> httpx.AsyncClient:
        host = _host(url)
        return self._direct if is_loopback(host) or is_excepted(host, self._no_proxy) else self._routed


@functools.cache
def _tls_context(ca_bundle: Path | None) -> ssl.SSLContext:
    """Make the one TLS context: the system's trust store, and the bundle's certificates besides."""
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_bundle is not None:
        try:
            context.load_verify_locations(cafile=str(ca_bundle))
        except (OSError, ssl.SSLError) as error:
            raise BackupError(
                f"the certificates in {ca_bundle} can't be read",
                code="ca_bundle_invalid",
                hint="network.ca_bundle names a file with certificates in PEM form",
            ) from error
    return context


def _route(proxy: str | None, tls: ssl.SSLContext) -> httpx.Proxy | None:
    """Make the way through a proxy; only one that is itself spoken to over TLS may be given a context."""
    if not proxy:
        return None
    return httpx.Proxy(proxy, ssl_context=tls if proxy.lower().startswith("https:") else None)


def _no_cookies() -> CookieJar:
    """Make a jar that stays empty: workspaces share the connections, and must not share a session."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


async def read_reply(response: httpx.Response) -> Reply:
    """Read an open answer whole, up to 32 MiB."""
    body = await _read_limited(response)
    return Reply(response.status_code, body, *_times(response))


async def _read_limited(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MOST_REPLY_BYTES:
            raise LeanixError("LeanIX's answer has no end", code="reply_too_large", hint="does `url` lead to LeanIX?")
    return bytes(body)


def _times(response: httpx.Response) -> tuple[datetime | None, float | None]:
    server_time = wire.parse_date_header(response.headers.get("Date"))
    retry_after = wire.parse_retry_after(
        response.headers.get("Retry-After"), server_now=server_time, now=datetime.now(UTC)
    )
    return server_time, retry_after


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
