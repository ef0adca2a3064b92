"""secret: read anew, trimmed, masked."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanix_backup.config import MASK, Secret
from leanix_backup.errors import BackupError


def test_a_file_is_read_anew_at_each_use(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("  first\n", encoding="utf-8")
    secret = Secret(path=file)
    assert secret.read() == "first"
    file.write_bytes(b"\xef\xbb\xbfsecond\r\n")
    assert secret.read() == "second"


def test_a_literal_is_trimmed() -> None:
    assert Secret(literal=" token\n").read() == "token"


@pytest.mark.parametrize("form", ["{}", "{!r}", "{!s}"])
def test_it_prints_as_a_mask(form: str) -> None:
    text = form.format(Secret(literal="canary"))
    assert "canary" not in text
    assert MASK in text


def test_equal_as_data() -> None:
    assert Secret(literal="a") == Secret(literal="a")
    assert Secret(literal="a") != Secret(literal="b")
    assert not Secret().said
    assert Secret(literal="a").said


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "secret_unreadable"),
        (b"", "secret_empty"),
        (b" \n", "secret_empty"),
        (b"\xff\xfe", "secret_unreadable"),
        (b"x" * 70_000, "secret_unreadable"),
    ],
)
def test_what_can_go_wrong_with_a_file(tmp_path: Path, content: bytes | None, code: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BackupError) as failed:
        Secret(path=file).read()
    assert failed.value.code == code
    assert str(file) in failed.value.message


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(BackupError) as failed:
        Secret(path=tmp_path).read()
    assert failed.value.code == "secret_unreadable"


def test_nothing_said() -> None:
    with pytest.raises(BackupError) as failed:
        Secret().read()
    assert failed.value.code == "secret_missing"


def test_undecodable_bytes_leave_no_trace(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"canary\xff")
    with pytest.raises(BackupError) as failed:
        Secret(path=file).read()
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
