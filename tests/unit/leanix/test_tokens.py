"""The access token: one refresh for all, kept as long as it is good, and no failure outlives those who waited."""

from __future__ import annotations

import base64
import json

import anyio
import httpx
import pytest
import respx

from leanix_backup.errors import BackupError, LeanixError
from leanix_backup.events import Event, Log
from leanix_backup.leanix import TokenSource, Transport
from leanix_backup.leanix.tokens import Token
from tests.support.fake_time import FakeTime
from tests.support.jwt import access_token
from tests.support.log_lines import captured_log
from tests.unit.leanix.conftest import BASE

PATH = "/services/mtm/v1/oauth2/token"


class Endpoint:
    """The token endpoint: a new token for each call, unless `answers` has something else to say."""

    def __init__(self, router: respx.MockRouter) -> None:
        self.answers: list[httpx.Response | Exception] = []
        self.expires_in: float = 3600
        self.calls = 0
        self.requests: list[httpx.Request] = []
        self.gate: anyio.Event | None = None
        router.post(PATH).mock(side_effect=self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        number = self.calls
        self.requests.append(request)
        await (self.gate.wait() if self.gate else anyio.lowlevel.checkpoint())
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return httpx.Response(200, json={"access_token": access_token(number), "expires_in": self.expires_in})


@pytest.fixture
def endpoint(router: respx.MockRouter) -> Endpoint:
    return Endpoint(router)


@pytest.fixture
def secrets() -> list[str]:
    """What the file with the API token says now, last."""
    return ["api-token-one"]


@pytest.fixture
def tokens(transport: Transport, time: FakeTime, secrets: list[str], endpoint: Endpoint) -> TokenSource:
    assert endpoint.calls == 0
    return TokenSource(BASE, lambda: secrets[-1], transport=transport, clock=time.clock, log=Log())


class Asking:
    """Callers of one token source, and what each got."""

    def __init__(self, tokens: TokenSource, time: FakeTime) -> None:
        self.tokens = tokens
        self.time = time
        self.got: list[Token] = []
        self.failed: list[BackupError] = []

    async def once(self, stale: Token | None = None) -> Token:
        return await self.tokens.get(timeout=5, deadline=self.time.deadline(), stale=stale)

    async def note(self, stale: Token | None = None) -> None:
        try:
            self.got.append(await self.once(stale))
        except BackupError as error:
            self.failed.append(error)


@pytest.fixture
def ask(tokens: TokenSource, time: FakeTime) -> Asking:
    return Asking(tokens, time)


async def settle() -> None:
    """Let everybody get as far as they can."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def test_it_is_asked_for_as_documented(ask: Asking, endpoint: Endpoint) -> None:
    token = await ask.once()
    (request,) = endpoint.requests
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"apitoken:api-token-one").decode()
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.content == b"grant_type=client_credentials"
    assert (token.identity.workspace_id, token.identity.user_id) == ("ws-1", "user-1")
    assert token.value not in repr(token)


class TestKept:
    @pytest.mark.parametrize(("age", "calls"), [(0, 1), (3538, 1), (3539.9, 1), (3540, 2), (100_000, 2)])
    async def test_until_a_minute_before_its_end(
        self, age: float, calls: int, ask: Asking, time: FakeTime, endpoint: Endpoint
    ) -> None:
        await ask.once()
        time.advance(age)
        await ask.once()
        assert endpoint.calls == calls

    async def test_its_age_counts_from_the_question_not_from_the_answer(
        self, ask: Asking, time: FakeTime, endpoint: Endpoint
    ) -> None:
        endpoint.gate = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(ask.note)
            await settle()
            time.advance(50)
            endpoint.gate.set()
        time.advance(3495)
        await ask.once()
        assert endpoint.calls == 2

    async def test_a_short_life_is_not_a_new_one_for_each_call(
        self, ask: Asking, time: FakeTime, endpoint: Endpoint
    ) -> None:
        endpoint.expires_in = 30
        for _ in range(10):
            await ask.once()
            time.advance(1)
        assert endpoint.calls == 1
        time.advance(10)
        await ask.once()
        assert endpoint.calls == 2

    @pytest.mark.parametrize("expires_in", ["NaN", "Infinity", "-1", "0", '"soon"', "1e400", "null"])
    async def test_a_life_without_sense_ends_all_the_same(
        self, expires_in: str, ask: Asking, time: FakeTime, endpoint: Endpoint
    ) -> None:
        body = f'{{"access_token": "a.b.c", "expires_in": {expires_in}}}'
        endpoint.answers = [httpx.Response(200, text=body)]
        await ask.once()
        await ask.once()
        assert endpoint.calls == 1
        time.advance(3600)
        await ask.once()
        assert endpoint.calls == 2


class TestOneForAll:
    async def test_fifty_callers_make_one_refresh(self, ask: Asking, endpoint: Endpoint) -> None:
        endpoint.gate = anyio.Event()
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(ask.note)
            await settle()
            endpoint.gate.set()
        assert endpoint.calls == 1
        assert len(ask.got) == 50
        assert len({token.value for token in ask.got}) == 1

    async def test_fifty_refused_callers_make_one_more(self, ask: Asking, endpoint: Endpoint) -> None:
        old = await ask.once()
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(ask.note, old)
        assert endpoint.calls == 2
        assert {token.value for token in ask.got} == {access_token(2)}

    async def test_one_who_comes_late_with_the_old_token_gets_the_new_one(
        self, ask: Asking, endpoint: Endpoint
    ) -> None:
        old = await ask.once()
        new = await ask.once(old)
        assert new.value != old.value
        assert await ask.once(old) is new
        assert endpoint.calls == 2

    async def test_a_failure_is_shared_by_those_who_waited(self, ask: Asking, endpoint: Endpoint) -> None:
        endpoint.answers = [httpx.Response(401)]
        endpoint.gate = anyio.Event()
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(ask.note)
            await settle()
            endpoint.gate.set()
        assert endpoint.calls == 1
        assert [error.code for error in ask.failed] == ["token_rejected"] * 50

    async def test_who_comes_later_tries_anew(self, ask: Asking, endpoint: Endpoint) -> None:
        endpoint.answers = [httpx.Response(401)]
        await ask.note()
        assert [error.code for error in ask.failed] == ["token_rejected"]
        await ask.note()
        assert len(ask.got) == 1
        assert endpoint.calls == 2

    async def test_the_one_who_refreshes_is_cancelled_and_the_others_get_their_token(
        self, ask: Asking, endpoint: Endpoint
    ) -> None:
        endpoint.gate = anyio.Event()
        scope = anyio.CancelScope()
        async with anyio.create_task_group() as group:
            group.start_soon(self._within, scope, ask)
            await settle()
            for _ in range(10):
                group.start_soon(ask.note)
            await settle()
            scope.cancel()
            endpoint.gate.set()
        assert ask.failed == []
        assert len(ask.got) == 10
        assert endpoint.calls == 2

    async def test_nor_do_they_get_a_failure_of_long_ago(self, ask: Asking, endpoint: Endpoint, time: FakeTime) -> None:
        endpoint.answers = [httpx.Response(401)]
        await ask.note()
        ask.failed.clear()
        time.advance(3600)
        endpoint.gate = anyio.Event()
        scope = anyio.CancelScope()
        async with anyio.create_task_group() as group:
            group.start_soon(self._within, scope, ask)
            await settle()
            for _ in range(10):
                group.start_soon(ask.note)
            await settle()
            scope.cancel()
            endpoint.gate.set()
        assert ask.failed == []
        assert len(ask.got) == 10

    async def _within(self, scope: anyio.CancelScope, ask: Asking) -> None:
        with scope:
            await ask.once()


class TestFailures:
    async def test_a_fault_is_tried_again(self, ask: Asking, endpoint: Endpoint) -> None:
        endpoint.answers = [
            httpx.Response(503, headers={"Retry-After": "3"}),
            httpx.ConnectError("no"),
            httpx.ReadTimeout("no"),
            httpx.Response(200, html="<html>maintenance</html>"),
        ]
        with captured_log() as log:
            await ask.once()
        assert endpoint.calls == 5
        codes = [line["error_code"] for line in log.of(Event.RETRY_SCHEDULED)]
        assert codes == ["unavailable", "connect_failed", "timeout", "not_json"]

    @pytest.mark.parametrize(
        ("status", "code"), [(400, "request_refused"), (401, "token_rejected"), (403, "forbidden"), (404, "not_found")]
    )
    async def test_a_refusal_is_not(self, status: int, code: str, ask: Asking, endpoint: Endpoint) -> None:
        endpoint.answers = [httpx.Response(status)]
        with pytest.raises(LeanixError) as caught:
            await ask.once()
        assert caught.value.code == code
        assert endpoint.calls == 1

    @pytest.mark.parametrize("answer", [httpx.Response(502), httpx.ReadTimeout("no"), httpx.Response(200, text="x")])
    async def test_a_token_that_never_came_leaves_no_doubt_what_else_happened(
        self, answer: httpx.Response | Exception, ask: Asking, endpoint: Endpoint
    ) -> None:
        """Else a POST that was never sent would pass for one that may have worked."""
        endpoint.answers = [answer] * 6
        with pytest.raises(LeanixError) as caught:
            await ask.once()
        assert endpoint.calls == 6
        assert not caught.value.outcome_unknown
        assert caught.value.retryable

    @pytest.mark.parametrize("reply", [{}, [], None, {"access_token": None}, {"access_token": "a b"}, {"error": "x"}])
    async def test_a_reply_without_a_token(self, reply: object, ask: Asking, endpoint: Endpoint) -> None:
        endpoint.answers = [httpx.Response(200, text=json.dumps(reply))]
        with pytest.raises(LeanixError) as caught:
            await ask.once()
        assert caught.value.code == "reply_invalid"

    async def test_a_secret_that_cannot_be_read_is_its_own_error(
        self, transport: Transport, time: FakeTime, endpoint: Endpoint
    ) -> None:
        def unreadable() -> str:
            raise BackupError("no such file", code="secret_unreadable")

        source = TokenSource(BASE, unreadable, transport=transport, clock=time.clock, log=Log())
        for _ in range(2):
            with pytest.raises(BackupError) as caught:
                await source.get(timeout=5, deadline=time.deadline())
            assert caught.value.code == "secret_unreadable"
        assert endpoint.calls == 0

    async def test_an_opaque_token_is_nobodys_and_can_be_used(self, ask: Asking, endpoint: Endpoint) -> None:
        endpoint.answers = [httpx.Response(200, json={"access_token": "opaque"})]
        token = await ask.once()
        assert (token.value, token.identity.workspace_id) == ("opaque", None)


class TestSecrets:
    async def test_a_rotated_one_is_read_anew(
        self, ask: Asking, endpoint: Endpoint, secrets: list[str], time: FakeTime
    ) -> None:
        await ask.once()
        secrets.append("api-token-two")
        time.advance(3600)
        await ask.once()
        sent = [base64.b64decode(each.headers["Authorization"].split()[1]).decode() for each in endpoint.requests]
        assert sent == ["apitoken:api-token-one", "apitoken:api-token-two"]

    async def test_also_between_two_tries(self, ask: Asking, endpoint: Endpoint, secrets: list[str]) -> None:
        endpoint.answers = [httpx.Response(503)]
        endpoint.gate = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(ask.note)
            await settle()
            secrets.append("api-token-two")
            endpoint.gate.set()
        sent = [base64.b64decode(each.headers["Authorization"].split()[1]).decode() for each in endpoint.requests]
        assert sent == ["apitoken:api-token-one", "apitoken:api-token-two"]

    @pytest.mark.parametrize("secret", ["pässwörd-token", "colon:in:it", "x" * 5000])
    async def test_any_text_can_be_one(self, secret: str, ask: Asking, endpoint: Endpoint, secrets: list[str]) -> None:
        secrets.append(secret)
        await ask.once()
        sent = base64.b64decode(endpoint.requests[0].headers["Authorization"].split()[1]).decode()
        assert sent == f"apitoken:{secret}"

    async def test_none_is_ever_logged(self, ask: Asking, endpoint: Endpoint) -> None:
        endpoint.answers = [httpx.Response(503, json={"errorMessage": "bad apitoken api-token-one, you know"})]
        with captured_log() as log:
            token = await ask.once()
            Log().emit(Event.RUN_FINISHED, error=f"{token.value} {endpoint.requests[0].headers['Authorization']}")
        for secret in ("api-token-one", token.value, base64.b64encode(b"apitoken:api-token-one").decode()):
            assert secret not in log.text
        assert len(log.lines) == 2
