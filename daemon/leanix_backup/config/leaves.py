"""The kinds of single values that a setting can have: how each is read, written, and described to others.

A leaf is at once pydantic's validator, the source of the JSON schema and of the reference page, and the writer of
`config show`. What it reads is `str`, `Plain` or a value that is already right; anything else is a mistake. No message
quotes a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from leanix_backup import cron
from leanix_backup.config import values
from leanix_backup.config.nearest import did_you_mean
from leanix_backup.config.plain import BOOLEANS, Plain
from leanix_backup.config.secret import MASK, Secret
from leanix_backup.config.values import Mistake

MISTAKE = "mistake"
_TEXT = {"type": "string", "minLength": 1}
# A number where text is wanted is taken as it was written, so that an all-digits token survives.
_FREE_TEXT = {"type": ["string", "number"], "minLength": 1}


@dataclass(frozen=True, eq=False)
class Leaf:
    """One kind of value.

    Attributes:
        kind: What it is called on the reference page.
        read: Turn `str` or `Plain` into the value; raises Mistake.
        schema: What JSON schema says about it.
        write: Turn the value into what the YAML file would say.
        secret: Whether the value must never be shown.
        mapping: Whether it is a map of free texts, which a variable gives as JSON.
    """

    kind: str
    read: Callable[[Any], Any]
    schema: Mapping[str, object]
    write: Callable[[Any], object] = field(default=str)
    secret: bool = False
    mapping: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Hand pydantic the reader as the one and only validation."""
        return core_schema.no_info_plain_validator_function(self._validate)

    def _validate(self, value: object) -> object:
        try:
            return self.read(value if self.mapping else self._single(value))
        except Mistake as mistake:
            # Placeholders keep the template from being formatted with anything else.
            raise PydanticCustomError(
                MISTAKE, "{message}", {"message": mistake.message, "hint": mistake.hint}
            ) from None

    def _single(self, value: object) -> str:
        if isinstance(value, str):
            return value
        raise Mistake(f"must be {self.kind}", "a single value, neither a list nor a map")


def as_text(value: str) -> str:
    """Take a scalar as the text it was written as; a bare `true` or an empty text is a mistake."""
    if isinstance(value, Plain) and value.kind == "bool":
        raise Mistake("must be text", "a bare true, false, yes, no, on or off is not: quote it")
    if not value.strip():
        raise Mistake("must not be empty", "leave the setting out where it is not wanted")
    if any(ord(character) < ord(" ") for character in value.strip()):
        raise Mistake("must be one line without control characters")
    return str(value)


def _read_bool(value: str) -> bool:
    if not isinstance(value, Plain) or value.kind not in {"bool", "any"} or value.lower() not in BOOLEANS:
        raise Mistake("must be true or false", "without quotes")
    return BOOLEANS[value.lower()]


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not isinstance(value, Plain) or re.fullmatch(r"0|[1-9][0-9]{0,11}", value) is None:
            raise Mistake("must be a whole number", "in plain digits, without quotes")
        if not low <= int(value) <= high:
            raise Mistake(f"must be between {low} and {high}")
        return int(value)

    return read


def _over_one(value: str) -> float:
    if not isinstance(value, Plain) or re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value) is None:
        raise Mistake("must be a number", "such as 1.2, without quotes")
    if not 1 < float(value) <= 10:  # noqa: PLR2004 - a wait that grows tenfold is no growth anybody means
        raise Mistake("must be more than 1, and at most 10")
    return float(value)


def _text(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda value: parse(as_text(value).strip())


def _lasting(value: str) -> timedelta:
    if not (duration := values.parse_duration(as_text(value).strip())):
        raise Mistake("must be longer than zero", "for example 60s")
    return duration


def _positive_size(value: str) -> int:
    if not (size := values.parse_size(as_text(value).strip())):
        raise Mistake("must be more than zero", "for example 20GiB")
    return size


def _tags(value: object) -> dict[str, str]:
    limit = 10  # S3's own
    if not isinstance(value, dict):
        raise Mistake("must be a map", "for example {owner: architecture}")
    if len(value) > limit:
        raise Mistake("may have at most ten tags", "S3 takes no more")
    if not all(isinstance(text, str) for text in value.values()):
        raise Mistake("must be a map of texts", "neither lists nor maps inside")
    return {str(name): as_text(text) for name, text in value.items()}


def integer(low: int, high: int) -> Leaf:
    """Describe a whole number between two bounds."""
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Leaf("a whole number", _integer(low, high), schema, write=int)


def choice(enum: type[StrEnum]) -> Leaf:
    """Describe one of a few words."""
    words = [member.value for member in enum]

    def read(value: str) -> StrEnum:
        text = as_text(value).strip()
        if text not in words:
            raise Mistake(f"must be one of {', '.join(words)}", did_you_mean(text, words))
        return enum(text)

    return Leaf(" or ".join(f"`{word}`" for word in words), read, {"enum": words})


def matching(kind: str, pattern: str, hint: str) -> Leaf:
    """Describe text of a given form."""

    def read(value: str) -> str:
        text = as_text(value).strip()
        if re.fullmatch(pattern, text) is None:
            raise Mistake(f"must be {kind}", hint)
        return text

    return Leaf(kind, read, {"type": "string", "pattern": pattern})


def secret(kind: str, pattern: str | None = None) -> Leaf:
    """Describe a secret; the pattern, where there is one, is a check that needs no quoting."""

    def read(value: str) -> Secret:
        text = as_text(value)
        if pattern is not None and re.match(pattern, text.strip()) is None:
            raise Mistake(f"must be {kind}")
        return Secret(literal=text)

    schema = {**_TEXT, "pattern": pattern} if pattern else _FREE_TEXT
    return Leaf(kind, read, schema, write=lambda _: MASK, secret=True)


def _patterned(pattern: str) -> dict[str, object]:
    return {"type": "string", "pattern": pattern}


def _zone_key(value: ZoneInfo) -> str:
    return value.key


BOOL = Leaf("true or false", _read_bool, {"type": "boolean"}, write=bool)
TEXT = Leaf("text", _text(str), _FREE_TEXT)
# A bare `off` or `on` is a name like any other.
NAME = Leaf("a name", lambda value: values.parse_name(str(value).strip()), _patterned(values.NAME_PATTERN))
PATH = Leaf("a path", _text(values.parse_path), _patterned(values.PATH_PATTERN))
DURATION = Leaf(
    "a duration", _text(values.parse_duration), _patterned(values.DURATION_PATTERN), write=cron.format_duration
)
LASTING = Leaf("a duration", _lasting, _patterned(values.DURATION_PATTERN), write=cron.format_duration)
SIZE = Leaf("a size", _positive_size, _patterned(values.SIZE_PATTERN), write=values.format_size)
PERCENT = Leaf(
    "a percentage", _text(values.parse_percent), _patterned(values.PERCENT_PATTERN), write=values.format_percent
)
SPAN = Leaf("a retention span", _text(values.parse_span), _patterned(values.SPAN_PATTERN))
ZONE = Leaf("a time zone", _text(values.parse_zone), _TEXT, write=_zone_key)
SCHEDULE = Leaf("a schedule", _text(values.parse_schedule), _TEXT)
WORKSPACE_URL = Leaf("a URL", _text(values.parse_workspace_url), _patterned(r"^https?://[^/?#@\s]+/?$"))
ENDPOINT = Leaf("a URL", _text(values.parse_endpoint), _patterned(r"^https?://[^?#@\s]+$"))
LISTEN = Leaf("a host and a port", _text(values.parse_listen), _patterned(r":[0-9]{1,5}$"), write=values.format_listen)
FACTOR = Leaf("a number", _over_one, {"type": "number", "exclusiveMinimum": 1, "maximum": 10}, write=float)
TAGS = Leaf(
    "a map of texts",
    _tags,
    {"type": "object", "additionalProperties": _FREE_TEXT, "maxProperties": 10},
    write=dict,
    mapping=True,
)
FILE = Leaf("the path of a file", _text(values.parse_path), _patterned(values.PATH_PATTERN))
