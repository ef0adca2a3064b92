"""The manifest as text: its shape is an interface, and what can't be trusted is refused without being quoted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanix_backup.errors import BackupError
from leanix_backup.manifest import decode, encode
from leanix_backup.model import ExportRef, ExportType, Trigger
from tests.support.samples import WHEN, manifest

SECRET = "s3cr3t-v4lue"


def document(export: ExportType = ExportType.SNAPSHOT) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(manifest(export)))
    return found


def changed(path: str, value: Any) -> bytes:
    fields = document(ExportType.AUDIT_LOG)
    *above, last = path.split(".")
    place = fields
    for name in above:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(fields).encode()


def paths(fields: dict[str, Any], above: str = "") -> list[str]:
    found = []
    for name, value in fields.items():
        found.append(f"{above}{name}")
        if isinstance(value, dict) and name != "fact_sheets":
            found += paths(value, f"{above}{name}.")
    return found


class TestShape:
    def test_names_of_all_fields_in_the_order_of_the_design(self) -> None:
        fields = document(ExportType.AUDIT_LOG)
        assert list(fields) == [
            "manifest_version",
            "run_id",
            "job",
            "workspace",
            "export",
            "window",
            "file",
            "content",
            "scheduled_at",
            "started_at",
            "finished_at",
            "attempts",
            "trigger",
            "host",
            "technical_user_id",
            "config_sha256",
            "tool",
        ]
        assert list(fields["workspace"]) == ["name", "id", "url"]
        assert list(fields["export"]) == ["type", "id", "job_id", "created_at"]
        assert list(fields["window"]) == ["start", "end", "asked"]
        assert list(fields["window"]["asked"]) == ["start", "end"]
        assert list(fields["file"]) == ["name", "size_bytes", "sha256"]
        assert list(fields["content"]) == ["empty", "sheets", "fact_sheets"]
        assert list(fields["content"]["sheets"][0]) == ["name", "rows", "keys"]
        assert list(fields["tool"]) == ["name", "version"]

    def test_values_are_plain(self) -> None:
        fields = document()
        assert fields["manifest_version"] == 1
        assert fields["export"]["type"] == "SNAPSHOT"
        assert fields["export"]["created_at"] == "2027-03-31T02:30:04.378194Z"
        assert fields["trigger"] == "schedule"
        assert fields["window"] is None
        assert fields["content"]["fact_sheets"] == {"Application": 2}
        assert fields["content"]["sheets"][1] == {"name": "Application", "rows": 2, "keys": ["id", "type", "näme"]}

    def test_the_text_is_for_people_too(self) -> None:
        text = encode(manifest()).decode()
        assert text.startswith('{\n  "manifest_version": 1,\n')
        assert text.endswith("}\n")
        assert "näme" in text


class TestRoundTrip:
    @pytest.mark.parametrize("export", list(ExportType))
    def test_of_each_export(self, export: ExportType) -> None:
        assert decode(encode(manifest(export))) == manifest(export)

    @pytest.mark.parametrize("trigger", list(Trigger))
    def test_of_each_trigger(self, trigger: Trigger) -> None:
        made = replace(manifest(), trigger=trigger)
        assert decode(encode(made)) == made

    def test_with_what_may_be_unknown(self) -> None:
        made = replace(manifest(), technical_user_id=None, export=ExportRef(ExportType.ARCHIVE, "e", None, WHEN))
        assert decode(encode(made)) == made

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_with_any_text(self, text: str) -> None:
        made = replace(manifest(), job=text, host=text)
        assert decode(encode(made)) == made


class TestLaterVersions:
    @pytest.mark.parametrize("above", ["", "workspace.", "export.", "window.", "file.", "content.", "tool."])
    def test_unknown_fields_are_tolerated(self, above: str) -> None:
        assert decode(changed(f"{above}brand_new", {"a": [1]})) == manifest(ExportType.AUDIT_LOG)

    def test_reserved_fields_are_tolerated(self) -> None:
        fields = document() | {
            "encryption": {"method": "age"},
            "stored_sha256": "0" * 64,
            "stored_size_bytes": 1,
            "signature": "x",
            "previous": None,
        }
        assert decode(json.dumps(fields).encode()) == manifest()

    def test_a_newer_version_says_upgrade(self) -> None:
        fields = {"manifest_version": 2, "everything": "is different"}
        with pytest.raises(BackupError) as caught:
            decode(json.dumps(fields).encode())
        assert caught.value.code == "manifest_too_new"
        assert "2" in caught.value.message
        assert "upgrade" in caught.value.hint


class TestRefused:
    @pytest.mark.parametrize("path", paths(document(ExportType.AUDIT_LOG)))
    def test_a_missing_field_is_named(self, path: str) -> None:
        with pytest.raises(BackupError) as caught:
            decode(changed(path, ...))
        assert caught.value.code == "manifest_invalid"
        assert path in caught.value.message
        assert caught.value.hint

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("run_id", [SECRET]),
            ("run_id", 5),
            ("job", None),
            ("workspace", SECRET),
            ("workspace.id", {SECRET: SECRET}),
            ("export.type", SECRET),
            ("export.created_at", SECRET),
            ("export.created_at", 1711465465),
            ("export.created_at", "2027-03-31T02:30:04"),
            ("window.start", "2027-03-31T02:30:04"),
            ("window.asked", SECRET),
            ("file.size_bytes", SECRET),
            ("file.size_bytes", "1234"),
            ("file.size_bytes", 1.5),
            ("file.size_bytes", True),
            ("content.sheets", {"a": SECRET}),
            ("content.empty", SECRET),
            ("content.fact_sheets", {"Application": SECRET}),
            ("started_at", SECRET),
            ("attempts", SECRET),
            ("trigger", SECRET),
            ("manifest_version", SECRET),
            ("manifest_version", "1"),
            ("manifest_version", 0),
            ("manifest_version", -1),
            ("manifest_version", 1.5),
            ("manifest_version", 2.0),
            ("manifest_version", True),
            ("manifest_version", None),
        ],
    )
    def test_a_wrong_kind_is_named_and_not_quoted(self, path: str, value: Any) -> None:
        with pytest.raises(BackupError) as caught:
            decode(changed(path, value))
        assert caught.value.code == "manifest_invalid"
        assert path in caught.value.message
        assert SECRET not in f"{caught.value.message}{caught.value.hint}{caught.value!r}"

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b" ",
            b"null",
            b"[]",
            b"5",
            b'"text"',
            b"{",
            b'{"manifest_version": 1',
            b"\xff\xfe\x00",
            b"PK\x03\x04",
            b"<html>" + SECRET.encode(),
            b"[" * 200_000,
            b'{"a":' * 200_000,
            b'{"manifest_version": ' + b"1" * 5000 + b"}",
        ],
        ids=lambda data: repr(data[:20]),
    )
    def test_what_is_no_object(self, data: bytes) -> None:
        with pytest.raises(BackupError) as caught:
            decode(data)
        assert caught.value.code == "manifest_invalid"
        assert SECRET not in caught.value.message

    @given(st.binary(max_size=300))
    def test_any_bytes(self, data: bytes) -> None:
        with pytest.raises(BackupError):
            decode(data)

    @given(
        st.sampled_from(paths(document(ExportType.AUDIT_LOG))),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        ),
    )
    def test_any_value_is_read_or_refused(self, path: str, value: Any) -> None:
        try:
            found = decode(changed(path, value))
        except BackupError as error:
            assert error.code in {"manifest_invalid", "manifest_too_new"}  # noqa: PT017 -- either is right
        else:
            assert decode(encode(found)) == found
