"""The lines of a listing become objects: versions of a key together, over the edges of pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from leanix_backup.stores import StoredObject
from leanix_backup.stores.s3.listing import Entry, Folding

NOON = datetime(2027, 3, 31, 12, 0, tzinfo=UTC)


def version(key: str, number: int, *, latest: bool = False, size: int | None = 5) -> Entry:
    """Make a version, the higher its number the newer; one without a size is a delete marker."""
    return Entry(key, f"v{number}", latest, NOON + timedelta(minutes=number), size)


def fold(*pages: list[Entry], prefix: str = "") -> list[StoredObject]:
    """Fold pages as a bucket gives them, each of which may go on with its last key."""
    folding = Folding(prefix)
    found: list[StoredObject] = []
    for page, following in zip(pages, [*pages[1:], None], strict=True):
        found += folding.add(page, goes_on_in=page[-1].key if following is not None else None)
    return found


def test_one_version_is_an_object() -> None:
    assert fold([version("a", 1, latest=True)]) == [StoredObject("a", 5, NOON + timedelta(minutes=1), "v1")]


def test_older_versions_and_markers_go_with_the_newest() -> None:
    page = [version("a", 4, latest=True, size=9), version("a", 2), version("a", 1), version("a", 3, size=None)]
    assert fold(page) == [StoredObject("a", 9, NOON + timedelta(minutes=4), "v4", ("v2", "v1", "v3"))]


def test_under_a_marker_the_newest_content_is_hidden() -> None:
    page = [
        version("a", 3, size=7),
        version("a", 1),
        version("a", 4, latest=True, size=None),
        version("a", 2, size=None),
    ]
    assert fold(page) == [StoredObject("a", 7, NOON + timedelta(minutes=3), "v3", ("v1", "v4", "v2"), hidden=True)]


def test_markers_alone_are_nothing() -> None:
    assert fold([version("a", 2, latest=True, size=None), version("a", 1, size=None)]) == []


def test_a_key_goes_on_over_pages() -> None:
    pages = [
        [version("a", 1, latest=True), version("b", 9, latest=True, size=None)],
        [version("b", 8), version("b", 7)],
        [version("b", 6), version("c", 1, latest=True)],
    ]
    found = fold(*pages)
    assert [(each.key, each.version, each.older, each.hidden) for each in found] == [
        ("a", "v1", (), False),
        ("b", "v8", ("v9", "v7", "v6"), True),
        ("c", "v1", (), False),
    ]


def test_where_no_line_says_that_it_is_the_latest_the_newest_is() -> None:
    assert [each.version for each in fold([version("a", 2), version("a", 1)])] == ["v2"]
    assert [each.hidden for each in fold([version("a", 1), version("a", 2, size=None)])] == [True]


def test_without_versions() -> None:
    entry = Entry("p/a", None, latest=True, modified_at=NOON, size_bytes=3)
    assert fold([entry], prefix="p/") == [StoredObject("a", 3, NOON)]


def test_what_is_no_key_of_ours_is_left_out() -> None:
    keys = ["p/", "p/.hidden", "p/a/", "p/ä", "p/a b", "p//a", "p/good"]
    page = [version(key, 1, latest=True) for key in keys]
    assert [each.key for each in fold(page, prefix="p/")] == ["good"]


def test_times_are_in_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    (found,) = fold([Entry("a", None, latest=True, modified_at=NOON.astimezone(berlin), size_bytes=1)])
    assert (found.modified_at, found.modified_at.tzinfo) == (NOON, UTC)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers(1, 5))
def test_pages_of_any_size_say_the_same(versions: list[int], page_size: int) -> None:
    entries = [
        version(f"k{number}", -age, latest=age == 0) for number, count in enumerate(versions) for age in range(count)
    ]
    pages = [entries[start : start + page_size] for start in range(0, len(entries), page_size)]
    assert fold(*pages) == fold(entries)
    assert len(fold(entries)) == len(versions)
