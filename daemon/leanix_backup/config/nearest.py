"""The nearest known name to a misspelt one. Hints show the known name only, never what was typed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(typed: str, known: Iterable[str]) -> str | None:
    """Find the known name that resembles the typed one most, or None where none does."""
    by_folded = {name.casefold().replace("-", "_"): name for name in sorted(known)}
    found = get_close_matches(typed.casefold().replace("-", "_"), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """Ask for the nearest known name, or say nothing."""
    name = nearest(typed, known)
    return f"did you mean `{name}`?" if name else ""
