"""`verify`, `fetch`, `list` and `show` over two folders: statuses, words, files left, secrets."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.support import in_process
from tests.support.damage import WAYS, alter, break_manifest, lose_manifest
from tests.support.reader import LOG, NEW, OLD, Reader, a_reader


@pytest.fixture
def place(tmp_path: Path) -> Reader:
    return a_reader(tmp_path)


class TestVerify:
    def test_good_ones(self, place: Reader) -> None:
        newest = place.run("verify", "--json")
        assert newest.status == 0, newest.err
        assert newest.report == {
            "version": 1,
            "checked": [
                {"destination": name, "key": each.key.artifact, "ok": True, "error": None}
                for each in (LOG, NEW)
                for name in ("disk", "vault")
            ],
            "errors": [],
        }
        assert newest.err == ""
        everything = place.run("verify", "--all", "--json")
        assert everything.status == 0
        assert len(everything.report["checked"]) == 6
        for arguments, count in (
            (("--newest", "2"), 6),
            (("--export", "snapshot"), 2),
            (("--all", "--export", "snapshot", "--destination", "disk"), 2),
            (("--all", "--workspace", "acme"), 6),
            (("--workspace", "other"), 0),
            (("00000001",), 2),
            (("00000001", "00000002", "0000-0001", "--destination", "vault"), 2),
            (("acme/snapshot@latest", "acme/audit-log@latest"), 4),
            ((NEW.key.artifact, NEW.key.manifest), 2),
            ((f"acme/snapshot@{OLD.key.taken_at:%Y-%m-%d}",), 2),
            ((NEW.manifest.run_id,), 2),
        ):
            done = place.run("verify", "--json", *arguments)
            assert done.status == 0, done.err
            assert len(done.report["checked"]) == count, arguments
        table = place.run("verify").out
        assert table.count("ok ") == 4
        assert "\x1b" not in table

    @pytest.mark.parametrize("way", WAYS)
    def test_names_a_bad_one(self, place: Reader, way: str) -> None:
        WAYS[way](place.disk / NEW.key.artifact)
        for arguments in (("--all",), ("00000002",), ()):
            done = place.run("verify", "--json", *arguments)
            assert done.status == 1, done.err
            (bad,) = [each for each in done.report["checked"] if not each["ok"]]
            assert bad["destination"] == "disk"
            assert bad["key"] in (NEW.key.artifact, NEW.key.manifest)
            assert bad["error"]["code"] == way.partition(",")[0]
            assert bad["error"]["hint"]
        told = place.run("verify", NEW.key.artifact)
        assert told.status == 1
        assert "BAD" in told.out
        assert f"[{way.partition(',')[0]}]" in told.err

    def test_a_destination_that_is_down(self, place: Reader) -> None:
        place.vault.rename(place.folder / "elsewhere")
        done = place.run("verify", "--json")
        assert done.status == 3
        assert [each["ok"] for each in done.report["checked"]] == [True, True]
        assert [each["destination"] for each in done.report["errors"]] == ["vault"]
        alter(place.disk / NEW.key.artifact)
        assert place.run("verify").status == 1
        assert place.run("verify", "feedfeed").status == 3, "it may be at the one that is down"

    def test_no_room_to_look(self, place: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(place.folder / "nowhere"))  # where Python once found it to be
        done = place.run("verify", "--json")
        assert done.status == 1
        assert done.report["checked"] == []
        assert {each["error"]["code"] for each in done.report["errors"]} == {"temp_unwritable"}
        assert place.run("fetch", "00000002", "-o", "-").status == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--all", "--newest", "1"),
            ("--all", "00000001"),
            ("00000001", "--export", "snapshot"),
            ("--newest", "0"),
            ("feedfeed",),
            ("0000",),
            ("00000002-0000-4000-8000-00000000000f",),
            ("acme/snapshot@never",),
            ("--workspace", "nobody"),
            ("--destination", "nowhere"),
            ("--export", "everything"),
        ],
    )
    def test_wrong_words(self, place: Reader, arguments: tuple[str, ...]) -> None:
        done = place.run("verify", *arguments)
        assert done.status == 2
        assert done.out == ""
        assert done.err


class TestFetch:
    def test_to_a_file_a_folder_and_a_pipe(self, place: Reader) -> None:
        done = place.run("fetch", "00000002", "-o", "out/a.xlsx")
        assert done.status == 0, done.err
        path = place.folder / "out" / "a.xlsx"
        assert path.read_bytes() == NEW.data
        assert path.stat().st_mode & 0o777 == 0o600
        assert hashlib.sha256(NEW.data).hexdigest() in done.out
        done = place.run("fetch", NEW.key.manifest, "-o", "out", "--manifest", "out", "--json")
        assert done.status == 0, done.err
        own = place.folder / "out" / Path(NEW.key.artifact).name
        assert own.read_bytes() == NEW.data
        assert (place.folder / "out" / Path(NEW.key.manifest).name).read_bytes() == NEW.manifest_bytes
        assert done.report == {
            "version": 1,
            "fetched": {
                "run_id": NEW.manifest.run_id,
                "destination": "disk",
                "key": NEW.key.artifact,
                "path": f"out/{own.name}",
                "size_bytes": len(NEW.data),
                "sha256": NEW.manifest.file.sha256,
                "hidden": False,
            },
            "errors": [],
        }

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("output", ["out", "-"])
    def test_refuses_a_bad_one(self, place: Reader, way: str, output: str) -> None:
        WAYS[way](place.disk / NEW.key.artifact)
        before = everything_in(place.folder)
        done = place.run("fetch", "00000002", "-o", output, "--destination", "disk")
        assert done.status == 1
        assert done.out == ""
        assert f"[{way.partition(',')[0]}]" in done.err
        assert everything_in(place.folder) == before

    @pytest.mark.parametrize("way", ["backup_altered", "manifest_invalid"])
    def test_takes_the_next_destination_and_says_so(self, place: Reader, way: str) -> None:
        WAYS[way](place.disk / NEW.key.artifact)
        done = place.run("fetch", "00000002", "-o", "out", "--json")
        assert done.status == 3
        assert done.report["fetched"]["destination"] == "vault"
        assert (place.folder / done.report["fetched"]["path"]).read_bytes() == NEW.data
        (error,) = done.report["errors"]
        assert (error["destination"], error["error"]["code"]) == ("disk", way)
        done = place.run("fetch", "00000002", "-o", "out", "--force")
        assert f"[{way}]" in done.err
        assert "from vault" in done.out

    @pytest.mark.parametrize("way", ["manifest_missing", "file_missing"])
    def test_takes_a_whole_one_before_half_a_one(self, place: Reader, way: str) -> None:
        WAYS[way](place.disk / NEW.key.artifact)
        done = place.run("fetch", "00000002", "-o", "out", "--json")
        assert done.status == 0, done.err
        assert done.report["fetched"]["destination"] == "vault"

    def test_takes_another_destination_where_one_is_down(self, place: Reader) -> None:
        place.disk.rename(place.folder / "elsewhere")
        done = place.run("fetch", "acme/snapshot@latest", "-o", "out")
        assert done.status == 3
        assert "disk" in done.err
        assert len(list((place.folder / "out").iterdir())) == 1
        place.vault.rename(place.folder / "gone")
        done = place.run("fetch", "acme/snapshot@latest", "-o", "out", "--force")
        assert done.status == 1, "there is no file"

    def test_never_overwrites_unless_told(self, place: Reader) -> None:
        path = place.folder / "out" / "a.xlsx"
        path.write_bytes(b"theirs")
        done = place.run("fetch", "00000002", "-o", "out/a.xlsx")
        assert done.status == 2
        assert "--force" in done.err
        assert path.read_bytes() == b"theirs"
        assert place.run("fetch", "00000002", "-o", "out/a.xlsx", "--force").status == 0
        assert path.read_bytes() == NEW.data
        alter(place.disk / OLD.key.artifact)
        alter(place.vault / OLD.key.artifact)
        assert place.run("fetch", "00000001", "-o", "out/a.xlsx", "--force").status == 1
        assert path.read_bytes() == NEW.data, "a bad one replaces nothing"
        assert [each.name for each in (place.folder / "out").iterdir()] == ["a.xlsx"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ("00000002",),
            ("00000002", "-o", "nowhere/a.xlsx"),
            ("00000002", "-o", "nowhere/"),
            ("00000002", "-o", "out", "--manifest", "-"),
            ("00000002", "-o", "/dev/null", "--force"),
            ("00000002", "-o", "-", "--json"),
            ("00000002", "-o", "out/a", "--manifest", "out/a"),
            ("feedfeed", "-o", "out"),
            ("00000002-0000-4000-8000-00000000000f", "-o", "out"),
        ],
    )
    def test_wrong_words(self, place: Reader, arguments: tuple[str, ...]) -> None:
        done = place.run("fetch", *arguments)
        assert done.status == 2
        assert done.out == ""
        assert done.err
        assert list((place.folder / "out").iterdir()) == []


def test_half_a_backup_is_none_and_is_named_where_it_is_asked_for(place: Reader) -> None:
    for folder in (place.disk, place.vault):
        lose_manifest(folder / NEW.key.artifact)
    done = place.run("list", "--json")
    assert [each["run_id"] for each in done.report["backups"]] == ["00000001", "00000003"]
    done = place.run("show", "00000002")
    assert done.status == 2
    assert "verify 00000002" in done.err
    done = place.run("show", "acme/snapshot@latest", "--json")
    assert done.report["manifest"]["run_id"] == OLD.manifest.run_id
    done = place.run("fetch", "00000002", "-o", "out")
    assert done.status == 1
    assert done.err.count("[manifest_missing]") == 2


def test_show_takes_what_narrows_a_short_start(place: Reader) -> None:
    assert place.run("show", "0000").status == 2
    done = place.run("show", "0000", "--export", "audit-log", "--workspace", "acme", "--json")
    assert done.status == 0, done.err
    assert done.report["manifest"]["run_id"] == LOG.manifest.run_id
    assert place.run("show", "00000003", "--export", "snapshot").status == 2


def test_show_reads_another_copys_manifest(place: Reader) -> None:
    break_manifest(place.disk / NEW.key.artifact)
    done = place.run("show", "00000002", "--json")
    assert done.status == 3
    assert done.report["manifest"]["run_id"] == NEW.manifest.run_id
    assert [(each["destination"], each["error"]["code"]) for each in done.report["errors"]] == [
        ("disk", "manifest_invalid")
    ]


def test_a_destination_whose_secret_is_not_there(place: Reader) -> None:
    more = {
        "TYPE": "s3",
        "BUCKET": "backups",
        "REGION": "eu-central-1",
        "ENDPOINT_URL": "http://127.0.0.1:9",
        "ACCESS_KEY_ID": "reader",
        "SECRET_ACCESS_KEY_FILE": str(place.folder / "no-such-secret"),
    }
    env = place.env | {f"LEANIX_BACKUP__DESTINATIONS__OFFSITE__{name}": text for name, text in more.items()}
    commands: list[list[str]] = [["list"], ["show", "00000002"], ["verify"], ["fetch", "00000002", "-o", "out"]]
    for words in commands:
        done = in_process.run(*words, "--destination", "disk", env=env, cwd=place.folder)
        assert done.status == 0, done.err
        assert done.err == ""
    commands[-1].append("--force")
    for words in commands:
        done = in_process.run(*words, "--json", env=env, cwd=place.folder)
        assert done.status == 3
        (error,) = done.report["errors"]
        assert (error["destination"], error["error"]["code"]) == ("offsite", "secret_unreadable")


def everything_in(folder: Path) -> dict[Path, Any]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
