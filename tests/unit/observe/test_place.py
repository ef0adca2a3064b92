"""`state_dir`, found without the whole configuration: always the one that the service finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanix_backup.config import Purpose, load
from leanix_backup.observe.place import find_state_dir, plain_line

REST = "destinations: {disk: {type: local, path: /backups}}\n"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("", None),
        ("state_dir: /srv/state\n", "/srv/state"),
        ("state_dir:   /srv/state   # here\n", "/srv/state"),
        ("state_dir: '/srv/state'\r\n", "/srv/state"),
        ('state_dir: "/srv/state"\n', "/srv/state"),
        ("# state_dir: /not/this\nstate_dir: /srv/state\n", "/srv/state"),
        ("state_dir: /srv/state#1\n", None),
        ("state_dir: /srv/my state\n", None),
        ("state_dir:\n  /srv/state\n", None),
        ("state_dir: &here /srv/state\n", None),
        ('"state_dir": /srv/state\n', None),
        ("state_dir: relative/state\n", None),
        ('state_dir: "/srv/\\u00e4"\n', None),
        ("# nothing but a word: state_dir\n", None),
        ("state_dir: null\n", None),
    ],
)
def test_it_is_the_one_that_the_service_finds(tmp_path: Path, text: str, plain: str | None) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes((REST + text).encode())
    assert plain_line(text) == plain
    assert find_state_dir(str(path), {}) == str(load(path, {}, Purpose.READ).state_dir)


def test_a_flow_map_is_read_as_yaml(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("{destinations: {disk: {type: local, path: /backups}}, state_dir: /srv/state}\n")
    assert find_state_dir(str(path), {}) == str(load(path, {}, Purpose.READ).state_dir) == "/srv/state"


@pytest.mark.parametrize("said", ["/var/other", " /var/other ", "other", "null", ""])
def test_the_environment_wins(tmp_path: Path, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(REST + "state_dir: /srv/state\n")
    environ = {"LEANIX_BACKUP__STATE_DIR": said, "LEANIX_BACKUP_CONFIG": str(path)}
    assert find_state_dir(None, environ) == str(load(None, environ, Purpose.READ).state_dir)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.yaml")
    with pytest.raises(FileNotFoundError):
        find_state_dir(missing, {})
    with pytest.raises(FileNotFoundError):
        find_state_dir(None, {"LEANIX_BACKUP_CONFIG": missing})
    assert find_state_dir(missing, {"LEANIX_BACKUP__STATE_DIR": "/srv/state"}) == "/srv/state"


def test_what_is_no_yaml_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("state_dir: [\n")
    with pytest.raises(ValueError, match="YAML"):
        find_state_dir(str(path), {})
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="decode"):
        find_state_dir(str(path), {})
