"""values: how durations, sizes, percentages, spans, URLs and paths are read and written."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanix_backup.config import values
from leanix_backup.config.values import Mistake
from leanix_backup.model import RetentionSpan


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("4h", 14_400), ("7d", 604_800), ("1h30m", 5_400), ("0s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    assert values.parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "30", "s", "1.5h", "-1s", "1w", "30m1h", "1h 30m", "6mo", "٣s", "1H", "99999999d"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(Mistake) as refused:
        values.parse_duration(text)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20GiB", 20 * 1024**3),
        ("1KiB", 1024),
        ("5MiB", 5 * 1024**2),
        ("2TiB", 2 * 1024**4),
        ("1kB", 1000),
        ("3MB", 3_000_000),
        ("4GB", 4_000_000_000),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert values.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "20", "20G", "20gib", "1.5GiB", "20 GiB", "-1GiB", "GiB"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(Mistake):
        values.parse_size(text)


@given(st.integers(0, 10**12 - 1))
def test_sizes_are_written_as_they_are_read(size: int) -> None:
    assert values.parse_size(values.format_size(size)) == size


@pytest.mark.parametrize(("text", "share"), [("20%", 0.2), ("0.5%", 0.005), ("99%", 0.99)])
def test_percentages(text: str, share: float) -> None:
    assert values.parse_percent(text) == pytest.approx(share)
    assert values.format_percent(values.parse_percent(text)) == text


@pytest.mark.parametrize("text", ["20", "0%", "100%", "0.2", "-1%", "abc%"])
def test_no_percentages(text: str) -> None:
    with pytest.raises(Mistake):
        values.parse_percent(text)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("6y", RetentionSpan(years=6)),
        ("1y6mo", RetentionSpan(years=1, months=6)),
        ("8w", RetentionSpan(days=56)),
        ("1w1d", RetentionSpan(days=8)),
        ("14d12h", RetentionSpan(days=14, hours=12)),
    ],
)
def test_spans(text: str, span: RetentionSpan) -> None:
    assert values.parse_span(text) == span
    assert values.parse_span(str(span)) == span


@pytest.mark.parametrize("text", ["6m", "1y6m", "6m1d"])
def test_a_span_in_m_is_refused_with_both_its_meanings(text: str) -> None:
    with pytest.raises(Mistake, match="unit m") as refused:
        values.parse_span(text)
    assert "months" in refused.value.hint
    assert "minutes" in refused.value.hint


@pytest.mark.parametrize("text", ["", "6", "0d", "0y0mo", "6mo1y", "1d1d", "1s", "forever", "-1d"])
def test_no_spans(text: str) -> None:
    with pytest.raises(Mistake):
        values.parse_span(text)


@pytest.mark.parametrize("text", ["a", "acme", "acme-prod", "acme_prod2", "a1-b2_c3", "a-1"])
def test_names(text: str) -> None:
    assert values.parse_name(text) == text


@pytest.mark.parametrize(
    "text", ["", "Acme", "1a", "a--b", "a__b", "a-_b", "-a", "a-", "a b", "ä", "a\n", "a.b", "../a"]
)
def test_no_names(text: str) -> None:
    with pytest.raises(Mistake):
        values.parse_name(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://acme.leanix.net", "https://acme.leanix.net"),
        ("https://ACME.leanix.net/", "https://acme.leanix.net"),
        ("https://acme.leanix.net:8443", "https://acme.leanix.net:8443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_workspace_urls(text: str, url: str) -> None:
    assert values.parse_workspace_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "acme.leanix.net",
        "http://acme.leanix.net",
        "http://localhost.evil.net",
        "http://127.0.0.1.evil.net",
        "ftp://acme.leanix.net",
        "https://",
        "https://acme.leanix.net/AcmeProd",
        "https://acme.leanix.net?x=1",
        "https://acme.leanix.net/?",
        "https://acme.leanix.net#x",
        "https://user:pass@acme.leanix.net",
        "https://acme.leanix.net:99999",
        "https://acme.leanix.net:0",
        "https://acme leanix.net",
        "https://[::1",
        "https:\\\\acme.leanix.net",
    ],
)
def test_no_workspace_urls(text: str) -> None:
    with pytest.raises(Mistake) as refused:
        values.parse_workspace_url(text)
    assert "acme" not in refused.value.message
    assert "pass" not in refused.value.message.replace("password", "")


@pytest.mark.parametrize(
    ("text", "listen"),
    [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:0", ("::1", 0)), ("localhost:1", ("localhost", 1))],
)
def test_listen(text: str, listen: tuple[str, int]) -> None:
    assert values.parse_listen(text) == listen
    assert values.format_listen(listen) == text


@pytest.mark.parametrize("text", ["8080", ":8080", "::1:8080", "localhost", "localhost:x", "localhost:99999"])
def test_no_listen(text: str) -> None:
    with pytest.raises(Mistake):
        values.parse_listen(text)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert values.parse_path("backups") == tmp_path / "backups"
    assert values.parse_path("/backups") == Path("/backups")
    with pytest.raises(Mistake, match="~"):
        values.parse_path("~/backups")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("europe/berln", "did you mean `Europe/Berlin`?"),
        ("Europe", "?"),
        ("../etc/passwd", "Europe/Berlin"),
        ("utc", "UTC"),
    ],
)
def test_no_zones(text: str, hint: str) -> None:
    with pytest.raises(Mistake, match="no time zone") as refused:
        values.parse_zone(text)
    assert hint in refused.value.hint
