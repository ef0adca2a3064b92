"""What the tests of the wire share."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import respx
import stamina

from leanix_backup.events import Log
from leanix_backup.leanix import LeanixClient, TokenSource, Transport
from tests.support.fake_time import FakeTime
from tests.support.jwt import access_token
from tests.support.private_ca import PrivateCa, make_ca

BASE = "https://acme.leanix.net"


@pytest.fixture(autouse=True)
def no_backoff() -> Iterator[None]:
    """Waits between tries take no time: stamina's own switch for tests."""
    with stamina.set_testing(True, attempts=10_000):
        yield


@pytest.fixture(autouse=True)
def no_proxy_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own proxy must not decide what these tests show."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport() as opened:
        yield opened


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    """LeanIX as a table of answers: for odd HTTP that no real server gives."""
    with respx.mock(base_url=BASE, assert_all_called=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> PrivateCa:
    return make_ca(tmp_path_factory.mktemp("ca"), "acme.leanix.test")


def make_client(transport: Transport, time: FakeTime, url: str = BASE, *, request_timeout_s: float = 5) -> LeanixClient:
    """Make a client whose API token is `api-token-one`."""
    tokens = TokenSource(url, lambda: "api-token-one", transport=transport, clock=time.clock, log=Log())
    return LeanixClient(
        url, tokens, transport=transport, request_timeout_s=request_timeout_s, clock=time.clock, log=Log()
    )


def serve_tokens(router: respx.MockRouter, *, instance_url: str | None = None) -> respx.Route:
    """Give a new access token for each request."""
    numbers = itertools.count(1)

    def answer(_request: httpx.Request) -> httpx.Response:
        value = access_token(next(numbers), instance_url=instance_url)
        return httpx.Response(200, json={"access_token": value, "expires_in": 3600})

    return router.post("/services/mtm/v1/oauth2/token").mock(side_effect=answer)
