"""The page about retention keeps up with the code."""

from __future__ import annotations

from pathlib import Path

from tests.retention import table
from tests.retention.picture import picture


def test_the_examples_are_what_comes_out() -> None:
    rows = list(table.rows())
    assert len(rows) >= 8
    for policy, held, oldest in rows:
        assert table.worked_out(policy) == (held, oldest), policy


def test_the_picture_is_drawn_from_the_code() -> None:
    drawn = Path(__file__).parents[2] / "docs" / "img" / "retention.svg"
    assert drawn.read_text() == picture(), "draw it anew: python -m tests.retention.picture > docs/img/retention.svg"
