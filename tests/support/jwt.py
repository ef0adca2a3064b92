"""Access tokens as LeanIX makes them, for tests that need no signature."""

from __future__ import annotations

import base64
import json


def access_token(number: int = 1, *, instance_url: str | None = None, user_id: str | None = "user-1") -> str:
    """Make a token of workspace `ws-1`; another number makes another token."""
    claims = {
        "jti": f"token-{number}",
        "instanceUrl": instance_url,
        "principal": {"id": user_id, "permission": {"role": "ADMIN", "workspaceId": "ws-1", "workspaceName": "Acme"}},
    }
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{body}.c2ln{number}"
