"""Keys: what is written parses back to itself, and nothing else parses at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanix_backup.model import ExportType
from leanix_backup.naming import BackupKey, backup_key, export_prefix, parse_key

INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(9999, 12, 30)).map(lambda each: each.replace(tzinfo=UTC))  # noqa: DTZ001 -- hypothesis wants bounds without a zone
PARTS = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
NAMES = st.builds(
    lambda head, rest: head + "".join(sign + part for sign, part in rest),
    st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True),
    st.lists(st.tuples(st.sampled_from("-_"), PARTS), max_size=4),
)
NASTY = st.sampled_from(
    [
        "a",
        "snapshot",
        "archive",
        "audit-log",
        "audit_log",
        "acme-snapshot",
        "acme-audit-log",
        "acme-archive-20270331",
        "t20270331t120000z",
        "a-20270331t120000z-12345678",
        "x_1-2_3",
        "manifest-json",
    ]
)
RUN_IDS = st.uuids().map(str)
AT = datetime(2027, 3, 31, 2, 30, 4, 378194, tzinfo=UTC)
RUN = "deadbeef-0000-4000-8000-000000000000"


class TestRoundTrip:
    @given(NAMES | NASTY, st.sampled_from([ExportType.SNAPSHOT, ExportType.ARCHIVE]), RUN_IDS, INSTANTS)
    def test_of_a_plain_export(self, workspace: str, export: ExportType, run_id: str, at: datetime) -> None:
        key = backup_key(workspace, export, run_id=run_id, taken_at=at)
        assert parse_key(key.artifact) == key
        assert parse_key(key.manifest) == key
        assert key.taken_at == at.replace(microsecond=0)

    @given(NAMES | NASTY, RUN_IDS, INSTANTS, st.timedeltas(timedelta(), timedelta(days=400)))
    def test_of_an_audit_log(self, workspace: str, run_id: str, start: datetime, length: timedelta) -> None:
        end = min(start + length, datetime(9999, 12, 31, tzinfo=UTC)) if start.year < 9998 else start
        key = backup_key(workspace, ExportType.AUDIT_LOG, run_id=run_id, taken_at=end, window_start=start)
        assert parse_key(key.artifact) == key
        assert parse_key(key.manifest) == key
        assert key.start == start.replace(microsecond=0)

    @given(NAMES | NASTY, st.sampled_from(list(ExportType)), RUN_IDS, INSTANTS)
    def test_never_two_meanings(self, workspace: str, export: ExportType, run_id: str, at: datetime) -> None:
        start = at if export is ExportType.AUDIT_LOG else None
        key = backup_key(workspace, export, run_id=run_id, taken_at=at, window_start=start)
        for other in ExportType:
            assert key.artifact.startswith(export_prefix(workspace, other)) == (other is export)


class TestShape:
    """Design §4, letter by letter."""

    def test_of_a_snapshot(self) -> None:
        key = backup_key("acme", ExportType.SNAPSHOT, run_id=RUN, taken_at=AT)
        assert key.artifact == "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.xlsx"
        assert key.manifest == "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.manifest.json"

    def test_of_an_audit_log_which_is_filed_under_its_end(self) -> None:
        key = backup_key(
            "acme", ExportType.AUDIT_LOG, run_id=RUN, taken_at=AT, window_start=datetime(2026, 12, 31, tzinfo=UTC)
        )
        assert key.artifact == (
            "acme/audit-log/2027/03/acme-audit-log-20261231T000000Z--20270331T023004Z-deadbeef.xlsx"
        )

    def test_the_folder_is_the_month_in_utc(self) -> None:
        berlin = timezone(timedelta(hours=2))
        at = datetime(2027, 4, 1, 1, 30, tzinfo=berlin)
        key = backup_key("acme", ExportType.ARCHIVE, run_id=RUN, taken_at=at)
        assert key.artifact == "acme/archive/2027/03/acme-archive-20270331T233000Z-deadbeef.xlsx"
        raw = BackupKey("acme", ExportType.ARCHIVE, at, "deadbeef")
        assert raw.artifact == key.artifact

    def test_an_audit_log_has_a_window_and_nothing_else_has(self) -> None:
        with pytest.raises(ValueError, match="window"):
            backup_key("acme", ExportType.AUDIT_LOG, run_id=RUN, taken_at=AT)
        with pytest.raises(ValueError, match="window"):
            backup_key("acme", ExportType.SNAPSHOT, run_id=RUN, taken_at=AT, window_start=AT)


class TestNotOurs:
    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/",
            "acme",
            "acme/snapshot/2027/03/",
            "acme-snapshot-20270331T023004Z-deadbeef.xlsx",
            "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef",
            "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.xls",
            "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.xlsx.manifest.json",
            "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.json",
            "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.xlsx\n",
            "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.XLSX",
            "/acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.xlsx",
            "x/acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.xlsx",
            "acme//snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.xlsx",
            "Acme/snapshot/2027/03/Acme-snapshot-20270331T023004Z-deadbeef.xlsx",
            "a--b/snapshot/2027/03/a--b-snapshot-20270331T023004Z-deadbeef.xlsx",
            "../snapshot/2027/03/..-snapshot-20270331T023004Z-deadbeef.xlsx",
            # the name belongs to another workspace or another export
            "acme/snapshot/2027/03/other-snapshot-20270331T023004Z-deadbeef.xlsx",
            "acme/snapshot/2027/03/acme-archive-20270331T023004Z-deadbeef.xlsx",
            "acme/SNAPSHOT/2027/03/acme-SNAPSHOT-20270331T023004Z-deadbeef.xlsx",
            "acme/survey/2027/03/acme-survey-20270331T023004Z-deadbeef.xlsx",
            # the wrong folder
            "acme/snapshot/2027/04/acme-snapshot-20270331T023004Z-deadbeef.xlsx",
            "acme/snapshot/2026/03/acme-snapshot-20270331T023004Z-deadbeef.xlsx",
            "acme/snapshot/2027/3/acme-snapshot-20270331T023004Z-deadbeef.xlsx",
            # no such instant
            "acme/snapshot/2027/02/acme-snapshot-20270230T023004Z-deadbeef.xlsx",
            "acme/snapshot/2027/13/acme-snapshot-20271301T023004Z-deadbeef.xlsx",
            "acme/snapshot/2027/03/acme-snapshot-20270331T240000Z-deadbeef.xlsx",
            "acme/snapshot/2027/03/acme-snapshot-20270331T236000Z-deadbeef.xlsx",
            "acme/snapshot/0000/03/acme-snapshot-00000331T000000Z-deadbeef.xlsx",
            # the run's digits
            "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbee.xlsx",
            "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef0.xlsx",
            "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-DEADBEEF.xlsx",
            "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeeg.xlsx",
            # a window where none belongs, none where one belongs, and one that runs backwards
            "acme/snapshot/2027/03/acme-snapshot-20270301T000000Z--20270331T023004Z-deadbeef.xlsx",
            "acme/audit-log/2027/03/acme-audit-log-20270331T023004Z-deadbeef.xlsx",
            "acme/audit-log/2027/03/acme-audit-log-20270401T000000Z--20270331T023004Z-deadbeef.xlsx",
            "acme/audit_log/2027/03/acme-audit_log-20270301T000000Z--20270331T023004Z-deadbeef.xlsx",
            # digits of other scripts
            "acme/snapshot/\u0662\u0660\u0662\u0667/03/acme-snapshot-\u0662\u0660\u0662\u06670331T023004Z-deadbeef.xlsx",
            # other people's tools
            "acme-snapshot_2027-03-31.xlsx",
            "data/2f/2f9a8c31c2b1f0d4b1f6f4d0e6a7",
            "acme/snapshot/2027/03/.acme-snapshot-20270331T023004Z-deadbeef.xlsx.1a2b3c4d.partial",
        ],
    )
    def test_is_none(self, key: str) -> None:
        assert parse_key(key) is None

    @given(st.text(max_size=120))
    def test_any_text_is_refused_or_ours(self, text: str) -> None:
        found = parse_key(text)
        assert found is None or text in (found.artifact, found.manifest)

    @given(
        st.from_regex(
            r"[a-z]{1,3}/(snapshot|archive|audit-log)/\d{4}/\d{2}/[a-z]{1,3}-(snapshot|archive|audit-log)-"
            r"\d{8}T\d{6}Z(--\d{8}T\d{6}Z)?-[0-9a-f]{8}\.(xlsx|manifest\.json)",
            fullmatch=True,
        )
    )
    def test_what_looks_right_is_refused_or_ours(self, text: str) -> None:
        found = parse_key(text)
        assert found is None or text in (found.artifact, found.manifest)
