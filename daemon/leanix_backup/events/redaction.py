"""No secret is written: known ones, and what looks like one, are masked on their way to the stream."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from leanix_backup.clock import format_utc

MASK = "********"
_MOST_SECRETS = 512
_SHORTEST_SECRET = 6
_LOOKS_SECRET = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}"), rf"\1 {MASK}"),
    (
        re.compile(r"(?i)([?&;](?:key|token|access_token|api_token|signature|sig|x-amz-[a-z-]+)=)[^&\s\"'<>]+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)([a-z][a-z0-9+.-]*://)[^/\s\"'<>]*@"), rf"\1{MASK}@"),
)


class Redactor:
    """Replace secrets in anything that is about to be written.

    Knows the newest few hundred secrets that were registered, and the shapes that secrets usually have.
    """

    def __init__(self) -> None:
        self._secrets: OrderedDict[str, None] = OrderedDict()

    def learn(self, secret: str) -> None:
        """Never let this text be written from now on; texts too short to be a secret are not remembered."""
        if len(secret) < _SHORTEST_SECRET:
            return
        self._secrets[secret] = None
        self._secrets.move_to_end(secret)
        while len(self._secrets) > _MOST_SECRETS:
            self._secrets.popitem(last=False)

    def clean(self, value: Any) -> Any:
        """Return the value with every secret in it masked, at any depth; keys of mappings are cleaned too."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.clean(key): self.clean(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean(entry) for entry in value]
        if isinstance(value, datetime):
            return format_utc(value)
        return self._clean_text(str(value.value if isinstance(value, Enum) else value))

    def _clean_text(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):  # one may begin another
            if secret in text:
                text = text.replace(secret, MASK)
        for pattern, replacement in _LOOKS_SECRET:
            text = pattern.sub(replacement, text)
        return text


redactor = Redactor()
