"""HTTP as it really happens: statuses, broken answers, proxies, certificates. Real sockets where it matters."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import respx

from leanix_backup.config.hosts import is_excepted, is_loopback
from leanix_backup.errors import BackupError, LeanixError
from leanix_backup.leanix.faults import Reply, status_error
from leanix_backup.leanix.transport import Transport
from tests.support.forward_proxy import forward_proxy
from tests.support.private_ca import PrivateCa
from tests.support.raw_server import RawServer, Request, listening, raw_server, reply
from tests.unit.leanix.conftest import BASE

SECRET = "Bearer s3cr3t-bearer-value"


async def send(transport: Transport, url: str, *, method: str = "GET", timeout: float = 5) -> Reply:  # noqa: ASYNC109 -- a bound on one exchange
    return await transport.send(method, url, timeout=timeout, headers={"Authorization": SECRET})


async def failure(transport: Transport, url: str, *, method: str = "GET", timeout: float = 5) -> LeanixError:  # noqa: ASYNC109 -- a bound on one exchange
    with pytest.raises(LeanixError) as caught:
        await send(transport, url, method=method, timeout=timeout)
    assert "s3cr3t" not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"
    return caught.value


class TestStatuses:
    @pytest.mark.parametrize(
        ("status", "code", "retryable", "unknown"),
        [
            (300, "unexpected_redirect", False, False),
            (302, "unexpected_redirect", False, False),
            (400, "request_refused", False, False),
            (401, "token_rejected", False, False),
            (402, "unexpected_status", False, False),
            (403, "forbidden", False, False),
            (404, "not_found", False, False),
            (409, "export_refused", True, False),
            (418, "unexpected_status", False, False),
            (429, "rate_limited", True, False),
            (500, "server_error", True, True),
            (501, "server_error", True, False),
            (502, "server_error", True, True),
            (503, "unavailable", True, False),
            (504, "server_error", True, True),
            (599, "server_error", True, False),
        ],
    )
    def test_each_has_a_code(self, status: int, code: str, *, retryable: bool, unknown: bool) -> None:
        body = b'{"status":"ERROR","errorMessage":"what LeanIX says"}'
        error = status_error(Reply(status, body, None, 7.0), doing="listing")
        assert error is not None
        assert (error.code, error.retryable, error.outcome_unknown) == (code, retryable, unknown)
        assert error.retry_after == (7.0 if retryable else None)
        assert error.message == f"listing: LeanIX answered {status}: what LeanIX says"
        assert error.hint

    @pytest.mark.parametrize("status", [200, 201, 204, 299])
    def test_success(self, status: int) -> None:
        assert status_error(Reply(status, b"", None, None), doing="x") is None

    @pytest.mark.parametrize(
        "body", [b"", b"<html>", b"null", b"[]", b"5", b"\xff", b"[" * 100_000, b'{"errors":5}', b'{"errors":{"a":1}}']
    )
    def test_whatever_the_body(self, body: bytes) -> None:
        error = status_error(Reply(500, body, None, None), doing="x")
        assert error is not None
        assert error.message == "x: LeanIX answered 500"


class TestJson:
    @pytest.mark.parametrize(
        "body", [b"<html>maintenance</html>", b"  \n<!doctype html>", b"", b"PK\x03\x04", b"{", b"\xff", b"[" * 100_000]
    )
    def test_what_is_none_may_be_cured_and_may_have_worked(self, body: bytes) -> None:
        with pytest.raises(LeanixError) as caught:
            Reply(200, body, None, None).json()
        assert caught.value.code == "not_json"
        assert caught.value.retryable
        assert caught.value.outcome_unknown  # a gateway's page in front of an answer that was never seen
        assert ("web page" in caught.value.message) == body.lstrip().startswith(b"<")


class TestAnswers:
    async def test_a_plain_one(self, transport: Transport) -> None:
        async with raw_server(reply(200, b'{"a":1}', Date="Wed, 31 Mar 2027 12:00:00 GMT", Retry_After="9")) as server:
            found = await transport.send(
                "POST", f"{server.url}/x", timeout=5, params={"exportType": "A B"}, form={"grant_type": "x"}
            )
        assert found.json() == {"a": 1}
        assert found.server_time == datetime(2027, 3, 31, 12, tzinfo=UTC)
        assert found.retry_after == 9
        (request,) = server.requests
        assert (request.method, request.path, request.query) == ("POST", "/x", {"exportType": "A B"})
        assert request.body == b"grant_type=x"
        assert request.headers["user-agent"].startswith("leanix-backup/")

    async def test_a_retry_date_is_by_the_servers_clock(self, transport: Transport) -> None:
        date, until = "Wed, 31 Mar 2027 12:00:00 GMT", "Wed, 31 Mar 2027 12:00:42 GMT"
        async with raw_server(reply(429, Date=date, Retry_After=until)) as server:
            assert (await send(transport, server.url)).retry_after == 42

    @pytest.mark.parametrize("value", ["soon", "Wed, 31 Mar 99999999999999999999 12:00:00 GMT", "9" * 400, "\xff"])
    async def test_headers_with_nonsense_in_them(self, value: str, transport: Transport) -> None:
        answer = reply(200, b"{}").replace(
            b"\r\n\r\n", f"\r\nDate: {value}\r\nRetry-After: {value}\r\n\r\n".encode("latin-1")
        )
        async with raw_server(answer) as server:
            assert (await send(transport, server.url)).server_time is None

    async def test_redirects_of_the_api_are_not_followed(self, transport: Transport) -> None:
        async with raw_server(reply(200)) as elsewhere, raw_server(reply(302, Location=f"{elsewhere.url}/x")) as server:
            assert (await send(transport, server.url)).status == 302
        assert elsewhere.requests == []

    async def test_a_compressed_one_is_unpacked(self, transport: Transport) -> None:
        async with raw_server(reply(200, gzip.compress(b'{"a":1}'), Content_Encoding="gzip")) as server:
            assert (await send(transport, server.url)).json() == {"a": 1}

    async def test_one_without_end_is_given_up(self, transport: Transport) -> None:
        async def endless(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            block = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
            while True:
                writer.write(block)
                await writer.drain()

        async with raw_server(endless) as server:
            error = await failure(transport, server.url, timeout=30)
        assert error.code == "reply_too_large"
        assert not error.retryable

    async def test_one_that_drips_is_bounded_as_a_whole(self, transport: Transport) -> None:
        async def drip(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

        since = time.monotonic()
        async with raw_server(drip) as server:
            error = await failure(transport, server.url, timeout=0.4)
        assert (error.code, error.retryable, error.outcome_unknown) == ("timeout", True, True)
        assert time.monotonic() - since < 5

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Len",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnothex\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x00\x01\x02\x03" * 100,
            reply(200, b"not gzip", Content_Encoding="gzip"),
        ],
        ids=range(8),
    )
    async def test_one_that_breaks_off_may_have_had_its_effect(self, answer: bytes, transport: Transport) -> None:
        async def broken(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            await writer.drain()
            writer.close()

        async with raw_server(broken) as server:
            error = await failure(transport, server.url, method="POST")
        assert (error.code, error.retryable, error.outcome_unknown) == ("connection_lost", True, True)

    async def test_silence_may_have_had_its_effect(self, transport: Transport) -> None:
        async def silence(_request: Request, _writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(3600)

        async with raw_server(silence) as server:
            error = await failure(transport, server.url, method="POST", timeout=0.3)
        assert (error.code, error.retryable, error.outcome_unknown) == ("timeout", True, True)

    async def test_nobody_there_had_surely_no_effect(self, transport: Transport) -> None:
        async with raw_server(b"") as server:
            url = server.url
        error = await failure(transport, url, method="POST")
        assert (error.code, error.retryable, error.outcome_unknown) == ("connect_failed", True, False)

    async def test_no_such_host(self, transport: Transport, router: respx.MockRouter) -> None:
        router.get("/x").mock(side_effect=httpx.ConnectError("[Errno -2] Name or service not known"))
        error = await failure(transport, f"{BASE}/x")
        assert (error.code, error.outcome_unknown) == ("connect_failed", False)
        assert "acme.leanix.net" in error.message

    async def test_a_connection_that_never_comes_about_had_no_effect(self, transport: Transport) -> None:
        """A firewall that drops: a listener whose queue is full answers no further SYN."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            queued = [socket.socket() for _ in range(3)]
            for each in queued:
                each.setblocking(False)  # noqa: FBT003 -- the standard library's
                each.connect_ex(listener.getsockname())
            try:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                error = await failure(transport, url, method="POST", timeout=0.6)
            finally:
                for each in queued:
                    each.close()
        assert (error.code, error.retryable, error.outcome_unknown) == ("connect_failed", True, False)

    @pytest.mark.parametrize("url", ["https://\x00/", "gopher://x/", "https://[::1/", "https://a:b/"])
    async def test_an_address_that_is_none(self, url: str, transport: Transport) -> None:
        assert (await failure(transport, url)).code == "request_invalid"

    async def test_a_cancellation_comes_out_as_one(self, transport: Transport) -> None:
        async def silence(_request: Request, _writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(3600)

        async with raw_server(silence) as server:
            with anyio.move_on_after(0.1) as scope:
                await send(transport, server.url, timeout=30)
        assert scope.cancelled_caught

    async def test_cookies_are_not_kept(self, transport: Transport) -> None:
        """Workspaces share the connections, and technical users must not share a session."""
        async with raw_server(reply(200, Set_Cookie="session=of-somebody; Path=/")) as server:
            await send(transport, server.url)
            await send(transport, server.url)
        assert [request.headers.get("cookie") for request in server.requests] == [None, None]

    async def test_a_connection_is_used_again(self, transport: Transport) -> None:
        async with raw_server(reply(200)) as server:
            for _ in range(3):
                await send(transport, server.url)
        assert server.connections == 1


class TestProxies:
    async def test_everything_but_loopback_goes_through_it(self) -> None:
        async with (
            raw_server(reply(200, b'"there"')) as server,
            forward_proxy({"acme.leanix.test": server.port}, credentials="user:p4ss-w0rd") as proxy,
            Transport(proxy=proxy.url) as transport,
        ):
            assert (await send(transport, "http://acme.leanix.test/x?a=b")).json() == "there"
            assert proxy.asked == ["GET http://acme.leanix.test/x?a=b"]
            assert "proxy-authorization" not in server.requests[0].headers
            assert server.requests[0].headers["authorization"] == SECRET
            for host in ("127.0.0.1", "localhost", "LOCALHOST"):
                assert (await send(transport, f"http://{host}:{server.port}/direct")).status == 200
            assert len(proxy.asked) == 1

    @pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
    async def test_of_the_environment_and_never_for_loopback(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        async with raw_server(reply(200)) as server, forward_proxy({"acme.leanix.test": server.port}) as proxy:
            monkeypatch.setenv(name, proxy.url)
            async with Transport() as transport:
                await send(transport, "http://acme.leanix.test/x")
                assert proxy.asked == ["GET http://acme.leanix.test/x"]
                await send(transport, f"{server.url}/direct")
                await send(transport, f"http://localhost:{server.port}/direct")
                assert len(proxy.asked) == 1

    async def test_the_configured_one_wins_over_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        async with (
            raw_server(reply(200)) as server,
            forward_proxy({"acme.leanix.test": server.port}) as proxy,
            Transport(proxy=proxy.url) as transport,
        ):
            assert (await send(transport, "http://acme.leanix.test/x")).status == 200

    async def test_no_proxy_is_reached_directly(self) -> None:
        async with (
            raw_server(reply(200)) as server,
            forward_proxy({"acme.leanix.test": server.port, "b.example": server.port}) as proxy,
            Transport(proxy=proxy.url, no_proxy=("leanix.test",)) as transport,
        ):
            await send(transport, "http://b.example/x")
            assert proxy.asked == ["GET http://b.example/x"]
            with respx.mock() as direct:  # no name service here knows the host
                direct.get("http://acme.leanix.test/x").mock(httpx.Response(200))
                await send(transport, "http://acme.leanix.test/x")
            assert len(proxy.asked) == 1

    async def test_the_environments_no_proxy_counts_for_the_environments_proxy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("NO_PROXY", "leanix.test")
        async with Transport() as transport:
            with respx.mock() as direct:
                direct.get("http://acme.leanix.test/x").mock(httpx.Response(200))
                assert (await send(transport, "http://acme.leanix.test/x")).status == 200

    async def test_wrong_credentials_are_said_to_be_the_proxys_matter(self, ca: PrivateCa) -> None:
        async with (
            raw_server(reply(200), tls=ca.server_context()) as server,
            forward_proxy({"acme.leanix.test": server.port}, credentials="user:right") as proxy,
            Transport(proxy=proxy.url.replace("right", "wr0ng-pass"), ca_bundle=ca.certificate) as transport,
        ):
            error = await failure(transport, "https://acme.leanix.test/x", method="POST")
        assert (error.code, error.outcome_unknown) == ("proxy_failed", False)
        assert "wr0ng-pass" not in f"{error.message}{error.hint}"
        assert server.requests == []

    async def test_one_that_is_not_there(self) -> None:
        async with Transport(proxy="http://user:p4ss-w0rd@127.0.0.1:1") as transport:
            error = await failure(transport, "http://acme.leanix.test/x", method="POST")
        assert (error.code, error.retryable, error.outcome_unknown) == ("connect_failed", True, False)
        assert "p4ss-w0rd" not in f"{error.message}{error.hint}"

    async def test_https_through_it(self, ca: PrivateCa) -> None:
        async with (
            raw_server(reply(200, b'"tls"'), tls=ca.server_context()) as server,
            forward_proxy({"acme.leanix.test": server.port}, credentials="user:p4ss") as proxy,
            Transport(proxy=proxy.url, ca_bundle=ca.certificate) as transport,
        ):
            assert (await send(transport, "https://acme.leanix.test/x")).json() == "tls"
            assert proxy.asked == ["CONNECT acme.leanix.test:443"]
            assert "proxy-authorization" not in server.requests[0].headers

    @pytest.mark.parametrize("proxy", ["no address", "socks5://127.0.0.1:1", "ftp://127.0.0.1", "http://[::1"])
    def test_an_address_that_is_none(self, proxy: str) -> None:
        with pytest.raises(BackupError) as caught:
            Transport(proxy=proxy)
        assert caught.value.code == "proxy_invalid"


class TestIsLoopback:
    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "a.localhost", "LOCALHOST", "localhost."]
    )
    def test_is(self, host: str) -> None:
        assert is_loopback(host)

    @pytest.mark.parametrize(
        "host",
        ["", "acme.leanix.net", "127.0.0.1.evil.com", "localhost.evil.com", "notlocalhost", "10.0.0.1", "0.0.0.0"],  # noqa: S104 -- nothing listens
    )
    def test_is_not(self, host: str) -> None:
        assert not is_loopback(host)


class TestIsExcepted:
    @pytest.mark.parametrize(
        ("host", "entry"),
        [
            ("acme.leanix.net", "*"),
            ("acme.leanix.net", "acme.leanix.net"),
            ("acme.leanix.net", "leanix.net"),
            ("acme.leanix.net", ".leanix.net"),
            ("acme.leanix.net", " LeanIX.net "),
            ("ACME.leanix.net", "leanix.net"),
            ("10.1.2.3", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3"),
            ("fd00::1", "fd00::/8"),
        ],
    )
    def test_is(self, host: str, entry: str) -> None:
        assert is_excepted(host, ("x", entry))

    @pytest.mark.parametrize(
        ("host", "entry"),
        [
            ("acme.leanix.net", "other.leanix.net"),
            ("evilleanix.net", "leanix.net"),
            ("leanix.net.evil.com", "leanix.net"),
            ("acme.leanix.net", ""),
            ("acme.leanix.net", "10.0.0.0/8"),
            ("11.1.2.3", "10.0.0.0/8"),
            ("acme.leanix.net", "."),
        ],
    )
    def test_is_not(self, host: str, entry: str) -> None:
        assert not is_excepted(host, (entry,))


class TestCertificates:
    async def test_one_that_nobody_trusts(self, ca: PrivateCa, transport: Transport) -> None:
        async with raw_server(reply(200), tls=ca.server_context()) as server:
            error = await failure(transport, server.url)
        assert (error.code, error.retryable, error.outcome_unknown) == ("tls_untrusted", False, False)
        assert "ca_bundle" in error.hint
        assert server.requests == []

    async def test_with_the_bundle(self, ca: PrivateCa) -> None:
        async with (
            raw_server(reply(200), tls=ca.server_context()) as server,
            Transport(ca_bundle=ca.certificate) as own,
        ):
            assert (await send(own, server.url)).status == 200

    async def test_with_the_bundle_but_for_another_host(self, ca: PrivateCa) -> None:
        async with (
            raw_server(reply(200), tls=ca.server_context()) as server,
            Transport(ca_bundle=ca.certificate) as own,
        ):
            error = await failure(own, server.url.replace("127.0.0.1", "localhost"))
        assert error.code == "tls_untrusted"

    async def test_a_server_that_speaks_none(self, transport: Transport) -> None:
        async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(reply(400))
            await writer.drain()

        async with listening(talk) as port:
            error = await failure(transport, f"https://127.0.0.1:{port}", method="POST")
        assert (error.code, error.outcome_unknown) == ("connect_failed", False)

    def test_a_bundle_that_is_none(self, tmp_path: Path) -> None:
        for content in (None, b"", b"not a certificate"):
            path = tmp_path / "ca.pem"
            if content is not None:
                path.write_bytes(content)
            with pytest.raises(BackupError) as caught:
                Transport(ca_bundle=path)
            assert caught.value.code == "ca_bundle_invalid"
            assert str(path) in caught.value.message

    def test_one_context_serves_all(self, ca: PrivateCa) -> None:
        """Each context costs 20 ms and nearly a megabyte."""
        made = [Transport(ca_bundle=ca.certificate), Transport(ca_bundle=ca.certificate, proxy="http://127.0.0.1:1")]
        clients: list[Any] = [client for transport in made for client in (transport._direct, transport._routed)]
        pools = [client._transport_for_url(httpx.URL(BASE))._pool for client in clients]
        assert len({id(pool._ssl_context) for pool in pools}) == 1


async def test_the_tests_see_no_proxy_of_this_machine() -> None:
    assert not [name for name in os.environ if name.lower().endswith("_proxy") and name.lower() != "no_proxy"]


async def test_closing_closes_every_connection() -> None:
    gone = anyio.Event()

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200))
        await writer.drain()

    server = RawServer([answer])
    talk = server.talk

    async def talk_then_tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        gone.set()

    async with listening(talk_then_tell) as port:
        async with Transport() as transport:
            await send(transport, f"http://127.0.0.1:{port}")
        with anyio.fail_after(5):
            await gone.wait()
