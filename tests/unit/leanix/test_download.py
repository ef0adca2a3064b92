"""Spending the one-time key: once, over safe ways only, and nobody else sees the bearer or the key."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
import respx

from leanix_backup.errors import ExportLostError, LeanixError
from leanix_backup.leanix import Download, LeanixClient, Transport
from leanix_backup.leanix.download import redirected
from tests.support.fake_time import FakeTime
from tests.support.jwt import access_token
from tests.support.log_lines import captured_log
from tests.support.private_ca import PrivateCa
from tests.support.raw_server import Request, raw_server, reply
from tests.unit.leanix.conftest import BASE, make_client, serve_tokens

KEY = "0neT1me/Key+=&x"
PATH = "/services/pathfinder/v1/exports/downloads/ws-1"
BYTES = b"PK\x03\x04" + bytes(range(256)) * 64


@pytest.fixture
def tokens(router: respx.MockRouter) -> respx.Route:
    return serve_tokens(router)


@pytest.fixture
def client(transport: Transport, time: FakeTime, tokens: respx.Route) -> LeanixClient:
    assert not tokens.called
    return make_client(transport, time)


async def whole(download: Download) -> bytes:
    return b"".join([chunk async for chunk in download.chunks])


@asynccontextmanager
async def opened(client: LeanixClient, time: FakeTime) -> AsyncIterator[Download]:
    async with client.download("ws-1", KEY, deadline=time.deadline()) as download:
        yield download


async def fetched(client: LeanixClient, time: FakeTime) -> bytes:
    async with opened(client, time) as download:
        return await whole(download)


async def failure(client: LeanixClient, time: FakeTime) -> LeanixError:
    with pytest.raises(LeanixError) as caught:
        await fetched(client, time)
    assert "0neT1me" not in f"{caught.value.message}{caught.value.hint}{caught.value!r}"
    return caught.value


class TestPlain:
    async def test_as_documented(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime, tokens: respx.Route
    ) -> None:
        route = router.get(PATH).mock(httpx.Response(200, content=BYTES))
        async with opened(client, time) as download:
            assert download.size_bytes == len(BYTES)
            assert await whole(download) == BYTES
        (call,) = route.calls
        assert dict(call.request.url.params) == {"key": KEY}
        assert call.request.headers["Accept"] == "application/octet-stream"
        assert call.request.headers["Accept-Encoding"] == "identity"
        assert call.request.headers["Authorization"] == f"Bearer {access_token(1)}"
        assert tokens.call_count == 1

    async def test_the_key_is_never_logged(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(PATH).side_effect = [
            httpx.Response(503, json={"errorMessage": f"key {KEY} is busy"}),
            httpx.Response(200, content=b""),
        ]
        with captured_log() as log:
            await fetched(client, time)
        assert log.names == ["retry_scheduled"]
        assert "0neT1me" not in log.text

    @pytest.mark.parametrize("length", ["", "x", "-1", "1e3", "0x10"])
    async def test_a_length_without_sense_is_none(
        self, length: str, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        answer = httpx.Response(200, content=BYTES)
        answer.headers["Content-Length"] = length
        router.get(PATH).mock(answer)
        async with opened(client, time) as download:
            assert download.size_bytes is None


class TestRefused:
    @pytest.mark.parametrize("status", [400, 404, 409, 410])
    async def test_a_key_that_is_not_taken_needs_a_fresh_export(
        self, status: int, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.get(PATH).mock(httpx.Response(status, json={"errorMessage": f"{KEY} used"}))
        error = await failure(client, time)
        assert isinstance(error, ExportLostError)
        assert (error.code, error.retryable) == ("key_refused", True)
        assert route.call_count == 1

    async def test_a_401_is_answered_with_a_new_token_once(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime, tokens: respx.Route
    ) -> None:
        route = router.get(PATH)
        route.side_effect = [httpx.Response(401), httpx.Response(200, content=BYTES)]
        assert await fetched(client, time) == BYTES
        sent = [call.request.headers["Authorization"] for call in route.calls]
        assert sent == [f"Bearer {access_token(1)}", f"Bearer {access_token(2)}"]
        assert tokens.call_count == 2

    async def test_a_second_401_is_the_end(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.get(PATH).mock(httpx.Response(401))
        assert (await failure(client, time)).code == "token_rejected"
        assert route.call_count == 2

    @pytest.mark.parametrize(
        "fault",
        [
            httpx.Response(500),
            httpx.Response(502),
            httpx.Response(504),
            httpx.ReadError("x"),
            httpx.ReadTimeout("x"),
            httpx.RemoteProtocolError("x"),
        ],
        ids=str,
    )
    async def test_where_nobody_knows_whether_the_key_was_spent_it_is_not_used_again(
        self, fault: httpx.Response | Exception, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.get(PATH)
        route.side_effect = [fault, httpx.Response(200, content=BYTES)]
        error = await failure(client, time)
        assert (error.outcome_unknown, error.retryable) == (True, True)
        assert route.call_count == 1

    async def test_it_is_tried_until_the_deadline(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.get(PATH).mock(httpx.Response(503))
        with pytest.raises(LeanixError) as caught:
            async with client.download("ws-1", KEY, deadline=time.deadline(20)):
                pass
        assert caught.value.code == "unavailable"
        assert route.call_count == 7, "no time passes here: it is tried until one wait by itself is too long"

    @pytest.mark.parametrize("fault", [httpx.Response(429), httpx.Response(503), httpx.ConnectError("x")], ids=str)
    async def test_before_it_has_begun_a_fault_is_tried_again(
        self, fault: httpx.Response | Exception, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.get(PATH)
        route.side_effect = [fault, httpx.Response(200, content=BYTES)]
        assert await fetched(client, time) == BYTES
        assert route.call_count == 2

    @pytest.mark.parametrize("status", [201, 202, 204, 206])
    async def test_another_success_is_none(
        self, status: int, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(PATH).mock(httpx.Response(status))
        assert (await failure(client, time)).code == "unexpected_status"


class TestRedirects:
    async def test_within_the_origin_the_bearer_goes_on_and_the_key_does_not(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(PATH).mock(httpx.Response(302, headers={"Location": "/blob/1?sig=abc"}))
        there = router.get("/blob/1").mock(httpx.Response(200, content=BYTES))
        assert await fetched(client, time) == BYTES
        (call,) = there.calls
        assert call.request.headers["Authorization"] == f"Bearer {access_token(1)}"
        assert dict(call.request.url.params) == {"sig": "abc"}

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_another_origin_gets_neither_bearer_nor_key(
        self, status: int, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(PATH).mock(httpx.Response(status, headers={"Location": "https://blob.example/x?sv=1&sig=a%2Fb"}))
        there = router.get("https://blob.example/x").mock(httpx.Response(200, content=BYTES))
        assert await fetched(client, time) == BYTES
        (call,) = there.calls
        assert call.request.method == "GET"
        assert "Authorization" not in call.request.headers
        assert "Referer" not in call.request.headers
        assert "Cookie" not in call.request.headers
        assert str(call.request.url) == "https://blob.example/x?sv=1&sig=a%2Fb"

    @pytest.mark.parametrize(
        ("location", "target"),
        [
            ("https://acme.leanix.net:8443/x", "https://acme.leanix.net:8443/x"),
            ("https://eu.leanix.net/x", "https://eu.leanix.net/x"),
            ("https://acme.leanix.net.evil.example/x", "https://acme.leanix.net.evil.example/x"),
            ("//evil.example/x", "https://evil.example/x"),
            ("https://acme.leanix.net@evil.example/x", "https://evil.example/x"),
        ],
    )
    async def test_another_port_or_a_neighbour_is_another_origin(
        self, location: str, target: str, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(PATH).mock(httpx.Response(302, headers={"Location": location}))
        elsewhere = router.get(target).mock(httpx.Response(200, content=BYTES))
        await fetched(client, time)
        assert access_token(1) not in str(elsewhere.calls.last.request.headers.raw)
        assert "0neT1me" not in str(elsewhere.calls.last.request.url)

    @pytest.mark.parametrize("location", ["https://ACME.leanix.net/x", "https://acme.leanix.net:443/x", "x"])
    async def test_the_same_origin_by_another_spelling(
        self, location: str, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(PATH).mock(httpx.Response(302, headers={"Location": location}))
        there = router.route(path__regex=r".*/x$").mock(httpx.Response(200, content=BYTES))
        await fetched(client, time)
        assert there.calls.last.request.headers["Authorization"] == f"Bearer {access_token(1)}"

    async def test_back_home_from_elsewhere_without_the_key(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(PATH).mock(httpx.Response(302, headers={"Location": "https://blob.example/x"}))
        router.get("https://blob.example/x").mock(httpx.Response(302, headers={"Location": f"{BASE}/y"}))
        there = router.get("/y").mock(httpx.Response(200, content=BYTES))
        assert await fetched(client, time) == BYTES
        assert "key" not in there.calls.last.request.url.params

    @pytest.mark.parametrize(
        "location",
        [
            "http://acme.leanix.net/x",
            "http://blob.example/x",
            "http://127.0.0.1:1/x",
            "ftp://blob.example/x",
            "file:///etc/passwd",
            "https://blob.example:99999/x",
            "javascript:alert(1)",
        ],
    )
    async def test_to_what_is_not_https_it_is_not_followed(
        self, location: str, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        route = router.get(PATH).mock(httpx.Response(302, headers={"Location": location}))
        other = router.route(name="anything else").mock(httpx.Response(200))
        error = await failure(client, time)
        assert error.code == "unexpected_redirect"
        assert not error.retryable
        assert route.call_count == 1
        assert not other.called

    @pytest.mark.parametrize("location", ["https://[::1/x", "https://blob.example:no/x", "https://bl\x01ob.example/x"])
    async def test_to_what_nobody_can_read_it_is_not_followed_either(
        self, location: str, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(PATH).mock(httpx.Response(302, headers={"Location": location}))
        assert (await failure(client, time)).code in {"unexpected_redirect", "connection_lost"}
        with pytest.raises(LeanixError, match="redirected"):
            redirected(BASE, location.replace("\x01", ":"))

    async def test_in_circles_it_is_given_up(
        self, router: respx.MockRouter, client: LeanixClient, time: FakeTime
    ) -> None:
        router.get(PATH).mock(httpx.Response(302, headers={"Location": "/a"}))
        circle = router.get("/a").mock(httpx.Response(302, headers={"Location": "/a"}))
        assert (await failure(client, time)).code == "unexpected_redirect"
        assert circle.call_count <= 10

    async def test_without_an_address(self, router: respx.MockRouter, client: LeanixClient, time: FakeTime) -> None:
        router.get(PATH).mock(httpx.Response(302))
        assert (await failure(client, time)).code == "unexpected_redirect"

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
    async def test_a_refusal_elsewhere_says_nothing_of_our_token_or_key(
        self, status: int, router: respx.MockRouter, client: LeanixClient, time: FakeTime, tokens: respx.Route
    ) -> None:
        first = router.get(PATH).mock(httpx.Response(302, headers={"Location": "https://blob.example/x"}))
        router.get("https://blob.example/x").mock(httpx.Response(status))
        error = await failure(client, time)
        assert error.code not in {"token_rejected", "key_refused"}
        assert first.call_count == 1
        assert tokens.call_count == 1

    async def test_from_loopback_to_loopback_plain_http_is_fine(self, transport: Transport, time: FakeTime) -> None:
        token = reply(200, b'{"access_token": "a.b.c"}')
        async with raw_server(reply(200, BYTES)) as blob:
            home = raw_server(token, reply(302, Location=f"{blob.url}/x?sig=1"))
            async with home as server:
                assert await fetched(make_client(transport, time, server.url), time) == BYTES
        assert "authorization" not in blob.requests[0].headers
        assert blob.requests[0].query == {"sig": "1"}

    async def test_from_loopback_to_elsewhere_it_is_not(self, transport: Transport, time: FakeTime) -> None:
        token = reply(200, b'{"access_token": "a.b.c"}')
        async with raw_server(token, reply(302, Location="http://blob.example/x")) as server:
            assert (await failure(make_client(transport, time, server.url), time)).code == "unexpected_redirect"

    async def test_from_https_to_http_not_even_on_loopback(self, ca: PrivateCa, time: FakeTime) -> None:
        token = reply(200, b'{"access_token": "a.b.c"}')
        async with raw_server(reply(200, BYTES)) as blob:
            home = raw_server(token, reply(302, Location=blob.url), tls=ca.server_context())
            async with home as server, Transport(ca_bundle=ca.certificate) as own:
                assert (await failure(make_client(own, time, server.url), time)).code == "unexpected_redirect"
        assert blob.requests == []

    @pytest.mark.parametrize(
        ("url", "location", "target"),
        [
            ("https://a.net/x/y?key=1", "z", "https://a.net/x/z"),
            ("https://a.net/x", "//b.net/z", "https://b.net/z"),
            ("https://a.net/x", "?sig=1", "https://a.net/x?sig=1"),
            ("http://127.0.0.1:1/x", "http://localhost:2/z", "http://localhost:2/z"),
            ("http://127.0.0.1:1/x", "https://b.net/z", "https://b.net/z"),
        ],
    )
    def test_where_one_leads(self, url: str, location: str, target: str) -> None:
        assert redirected(url, location) == target


class TestBody:
    """Over real sockets: what a server says of a body, and what comes."""

    @asynccontextmanager
    async def from_server(
        self, transport: Transport, time: FakeTime, answer: bytes, *, silence: float = 5, hang: bool = False
    ) -> AsyncIterator[Download]:
        async def say(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            await writer.drain()
            if hang:
                await asyncio.sleep(3600)
            writer.close()

        async with raw_server(reply(200, b'{"access_token": "a.b.c"}'), say) as server:
            client = make_client(transport, time, server.url, request_timeout_s=silence)
            async with client.download("ws-1", KEY, deadline=time.deadline()) as download:
                yield download

    async def test_chunked_without_a_length(self, transport: Transport, time: FakeTime) -> None:
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nPK\x03\x04\r\n3\r\nabc\r\n0\r\n\r\n"
        async with self.from_server(transport, time, answer) as download:
            assert download.size_bytes is None
            assert await whole(download) == b"PK\x03\x04abc"

    async def test_until_the_connection_ends(self, transport: Transport, time: FakeTime) -> None:
        async with self.from_server(transport, time, b"HTTP/1.1 200 OK\r\n\r\n" + BYTES) as download:
            assert download.size_bytes is None
            assert await whole(download) == BYTES

    async def test_shorter_than_promised_is_a_break(self, transport: Transport, time: FakeTime) -> None:
        answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BYTES) + 1}\r\n\r\n".encode() + BYTES
        received = bytearray()

        async def read() -> None:
            async with self.from_server(transport, time, answer) as download:
                async for chunk in download.chunks:
                    received.extend(chunk)

        with pytest.raises(LeanixError) as caught:
            await read()
        assert (caught.value.code, caught.value.outcome_unknown) == ("connection_lost", True)
        assert received == BYTES

    async def test_longer_than_promised_is_what_was_promised(self, transport: Transport, time: FakeTime) -> None:
        async with self.from_server(transport, time, reply(200, BYTES) + b"and more") as download:
            assert download.size_bytes == len(BYTES)
            assert await whole(download) == BYTES

    async def test_a_chunk_that_breaks_off(self, transport: Transport, time: FakeTime) -> None:
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nPK"
        with pytest.raises(LeanixError) as caught:
            async with self.from_server(transport, time, answer) as download:
                await whole(download)
        assert (caught.value.code, caught.value.outcome_unknown) == ("connection_lost", True)

    async def test_silence_in_the_middle(self, transport: Transport, time: FakeTime) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nPK"
        with pytest.raises(LeanixError) as caught:
            async with self.from_server(transport, time, answer, silence=0.3, hang=True) as download:
                await whole(download)
        assert (caught.value.code, caught.value.outcome_unknown) == ("timeout", True)

    async def test_compressed_though_nobody_asked(self, transport: Transport, time: FakeTime) -> None:
        packed = gzip.compress(BYTES)
        answer = reply(200, packed, Content_Encoding="gzip")
        async with self.from_server(transport, time, answer) as download:
            assert download.size_bytes is None
            assert await whole(download) == BYTES

    async def test_compressed_by_name_only(self, transport: Transport, time: FakeTime) -> None:
        with pytest.raises(LeanixError) as caught:
            async with self.from_server(transport, time, reply(200, BYTES, Content_Encoding="gzip")) as download:
                await whole(download)
        assert caught.value.outcome_unknown

    async def test_one_that_nobody_reads_to_its_end_is_closed(self, transport: Transport, time: FakeTime) -> None:
        async with self.from_server(transport, time, reply(200, BYTES * 100), hang=True) as download:
            async for _ in download.chunks:
                break

    async def test_an_error_of_the_reader_comes_out_as_it_is(self, transport: Transport, time: FakeTime) -> None:
        with pytest.raises(ZeroDivisionError):
            async with self.from_server(transport, time, reply(200, BYTES), hang=True):
                raise ZeroDivisionError

    async def test_a_cancellation_in_the_middle_comes_out_as_one(self, transport: Transport, time: FakeTime) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nPK"
        with anyio.move_on_after(0.3) as scope:
            async with self.from_server(transport, time, answer, silence=60, hang=True) as download:
                await whole(download)
        assert scope.cancelled_caught
