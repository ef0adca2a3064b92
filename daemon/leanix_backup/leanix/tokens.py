"""The access token: fetched with the API token, kept until shortly before it ends, shared by all callers."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from leanix_backup.clock import Clock, Deadline
from leanix_backup.errors import LeanixError
from leanix_backup.events import Log, redactor
from leanix_backup.leanix import wire
from leanix_backup.leanix.faults import status_error
from leanix_backup.leanix.transport import Transport
from leanix_backup.retries import retrying

_RENEW_BEFORE_END_S = 60.0
_TOKEN_PATH = "/services/mtm/v1/oauth2/token"  # noqa: S105 -- a path, no secret


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and who it belongs to; `renew_at` is an instant of the monotonic clock."""

    value: str = field(repr=False)
    identity: wire.Identity
    renew_at: float


class TokenSource:
    """Give out one access token to any number of callers, and renew it once for all of them.

    Args:
        url: The workspace's URL.
        read_api_token: Reads the API token anew, so that a rotated one needs no restart.
        transport: How LeanIX is reached.
        clock: Monotonic time for the token's end.
        log: Where retries are told.
    """

    def __init__(
        self, url: str, read_api_token: Callable[[], str], *, transport: Transport, clock: Clock, log: Log
    ) -> None:
        self._url = url
        self._read_api_token = read_api_token
        self._transport = transport
        self._clock = clock
        self._log = log
        self._lock = anyio.Lock()
        self._token: Token | None = None
        self._round = 0
        self._failure: LeanixError | None = None

    async def get(
        self,
        *,
        timeout: float,  # noqa: ASYNC109 -- a bound on one exchange
        deadline: Deadline,
        stale: Token | None = None,
        tries: int = 6,
    ) -> Token:
        """Return a token that is good for at least a minute more.

        Args:
            timeout: Seconds for one exchange.
            deadline: When to give up trying again.
            stale: A token that LeanIX refused; any other that is kept is given instead of a new one.
            tries: How often to ask at most; once for a caller that tries again itself, so that tries do not multiply.

        Raises:
            LeanixError: `token_rejected` where LeanIX does not take the API token, or it could not be reached. All
                who wait for the same refresh get the same error.
        """
        if (kept := self._usable(stale)) is not None:
            return kept
        waiting_for = self._round
        async with self._lock:
            if (kept := self._usable(stale)) is not None:
                return kept
            if self._round != waiting_for and self._failure is not None:
                raise self._failure
            self._failure = None  # an earlier one must not come out to those who wait, should this one be cancelled
            try:
                self._token = await self._fetch(timeout, deadline, tries)
            except LeanixError as error:
                error.outcome_unknown = False  # asking for a token has no effect that anybody needs to look for
                self._failure = error
                raise
            finally:
                self._round += 1
            return self._token

    def _usable(self, stale: Token | None) -> Token | None:
        token = self._token
        if token is None or token is stale or self._clock.monotonic() >= token.renew_at:
            return None
        return token

    async def _fetch(self, timeout: float, deadline: Deadline, tries: int) -> Token:  # noqa: ASYNC109 -- a bound on one exchange
        async def once() -> wire.AccessToken:
            api_token = self._read_api_token()
            credentials = base64.b64encode(f"apitoken:{api_token}".encode()).decode()
            redactor.learn(api_token)
            redactor.learn(credentials)
            reply = await self._transport.send(
                "POST",
                self._url + _TOKEN_PATH,
                timeout=timeout,
                headers={"Authorization": f"Basic {credentials}", "Accept": "application/json"},
                form={"grant_type": "client_credentials"},
            )
            if (error := status_error(reply, doing="getting an access token")) is not None:
                raise error
            return wire.parse_token(reply.json())

        asked_at = self._clock.monotonic()
        got = await retrying(
            once, what="access token", clock=self._clock, log=self._log, deadline=deadline, tries=tries
        )
        redactor.learn(got.value)
        # A token that lives shorter than the margin is used for half its life, not fetched anew for each call.
        lifetime = max(got.expires_in_s - _RENEW_BEFORE_END_S, got.expires_in_s / 2)
        return Token(got.value, wire.parse_identity(got.value), asked_at + lifetime)
