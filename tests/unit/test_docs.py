"""The pages that are printed from the code, or must keep up with it."""

from __future__ import annotations

import re
from pathlib import Path

from leanix_backup.events import CATALOGUE, Event, reference

TOP = Path(__file__).parents[2]


def test_the_list_of_events_is_printed_from_the_code() -> None:
    assert (TOP / "docs" / "log-events.md").read_text() == reference()
    assert set(CATALOGUE) == set(Event)


def test_every_error_code_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", (TOP / "docs" / "errors.md").read_text()))
    used = {
        code
        for path in (TOP / "daemon").rglob("*.py")
        for code in re.findall(r'(?:code|default_code)\s*(?::\s*ClassVar\[str\])?\s*=\s*"([a-z_]+)"', path.read_text())
    }
    assert len(used) > 50
    assert used - explained == set()


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")]
    assert len(pages) > 10
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
