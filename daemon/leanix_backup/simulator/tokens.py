"""Bearer tokens and the limit of requests: who may ask, and how often."""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leanix_backup.simulator.settings import WorkspaceSettings

_MINUTE_S = 60.0
_MOST_REMEMBERED = 1000
_SIGNATURE_BYTES = 256  # what RS256 makes; ours is random, as nobody but the server itself could check it


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that was given out; `expires` is world time."""

    workspace_id: str
    expires: datetime


class TokenBook:
    """Remember the bearer tokens that were given out; `issued`: the last of them, also those that were revoked."""

    def __init__(self) -> None:
        self._bearers: dict[str, Bearer] = {}
        self.issued: deque[str] = deque(maxlen=_MOST_REMEMBERED)

    def issue(self, claims: dict[str, Any], bearer: Bearer) -> str:
        """Make a token that carries those claims."""
        header = {"alg": "RS256", "typ": "JWT", "kid": "simulated"}
        parts = (json.dumps(header).encode(), json.dumps(claims).encode(), secrets.token_bytes(_SIGNATURE_BYTES))
        token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
        self._bearers[token] = bearer
        self.issued.append(token)
        return token

    def find(self, authorization: str, now: datetime) -> Bearer | None:
        """The bearer that an Authorization header names, unless unknown, revoked or expired."""
        scheme, _, token = authorization.partition(" ")
        bearer = self._bearers.get(token.strip()) if scheme.lower() == "bearer" else None
        return bearer if bearer and now < bearer.expires else None

    def revoke(self, workspace_id: str | None = None) -> None:
        """Forget all tokens, or those of one workspace."""
        self._bearers = {
            token: bearer
            for token, bearer in self._bearers.items()
            if workspace_id is not None and bearer.workspace_id != workspace_id
        }


def claims(
    settings: WorkspaceSettings, *, now: datetime, expires: datetime, issuer: str, instance_url: str, role: str
) -> dict[str, Any]:
    """What a token says about its user; both instants by the server's clock."""
    return {
        "exp": int(expires.timestamp()),
        "iat": int(now.timestamp()),
        "iss": issuer,
        "jti": str(uuid.uuid4()),
        "sub": settings.user_id,
        "instanceUrl": instance_url,
        "principal": {
            "id": settings.user_id,
            "username": f"{settings.name}-technical-user",
            "role": "ACCOUNTUSER",
            "status": "ACTIVE",
            "account": {"id": settings.made_id("account"), "name": settings.name},
            "permission": {
                "id": settings.made_id("permission"),
                "role": role,
                "customerRoles": None,
                "status": "ACTIVE",
                "workspaceId": settings.workspace_id,
                "workspaceName": settings.name,
            },
        },
    }


class RateLimit:
    """Count each user's requests over the last minute of our time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: dict[str, deque[float]] = {}

    def passes(self, user: str, limit: int) -> bool:
        """Count one request and say whether it is within the limit; a refused one is not counted."""
        moment = self._monotonic()
        seen = self._seen.setdefault(user, deque())
        while seen and seen[0] <= moment - _MINUTE_S:
            seen.popleft()
        if len(seen) >= limit:
            return False
        seen.append(moment)
        return True
