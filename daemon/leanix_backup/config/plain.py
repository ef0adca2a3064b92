"""Text whose type is not decided yet: an unquoted YAML scalar, a JSON number, a variable's value."""

from __future__ import annotations

from typing import Final, Self

BOOLEANS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Plain(str):
    """Text that may stand for a number or a truth value, where the setting asks for one.

    For a setting that asks for text it is its text as written: `0123` stays `0123`. `kind` says what YAML would have
    made of it: `int`, `float`, `bool`, `timestamp`, or `any` for a variable's value.
    """

    __slots__ = ("kind",)

    kind: str

    def __new__(cls, text: str, kind: str) -> Self:
        """Mark a text."""
        plain = super().__new__(cls, text)
        plain.kind = kind
        return plain
