"""Replies: what is documented, what may be missing, and whatever else a server may say."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leanix_backup.errors import LeanixError
from leanix_backup.leanix import wire
from leanix_backup.leanix.wire import ExportRow, Identity

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
NOW = datetime(2027, 3, 31, 12, 0, tzinfo=UTC)


def nearly(names: list[str]) -> st.SearchStrategy[Any]:
    """Make objects that have the right names and anything under them."""
    return st.dictionaries(st.sampled_from(names), ANYTHING) | ANYTHING


class TestParseTime:
    @pytest.mark.parametrize("digits", range(1, 31))
    def test_any_number_of_fractional_digits(self, digits: int) -> None:
        fraction = "378194562" * 4
        found = wire.parse_time(f"2024-03-26T15:04:25.{fraction[:digits]}Z")
        micro = int(fraction[:digits][:6].ljust(6, "0"))
        assert found == datetime(2024, 3, 26, 15, 4, 25, micro, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2024-03-26T15:04:25Z", datetime(2024, 3, 26, 15, 4, 25, tzinfo=UTC)),
            ("2024-03-26T15:04:25.5", datetime(2024, 3, 26, 15, 4, 25, 500000, tzinfo=UTC)),
            ("2024-03-26T17:04:25.378194+02:00", datetime(2024, 3, 26, 15, 4, 25, 378194, tzinfo=UTC)),
            ("2024-03-26T15:04:25.1234567+0000", datetime(2024, 3, 26, 15, 4, 25, 123456, tzinfo=UTC)),
            (" 2024-03-26T15:04:25Z\n", datetime(2024, 3, 26, 15, 4, 25, tzinfo=UTC)),
            ("2024-03-26", datetime(2024, 3, 26, tzinfo=UTC)),
        ],
    )
    def test_forms(self, text: str, expected: datetime) -> None:
        found = wire.parse_time(text)
        assert found == expected
        assert found is not None
        assert found.tzinfo is UTC

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "soon",
            "2024-13-01T00:00:00Z",
            "2024-03-26T25:00:00Z",
            None,
            5,
            1711465465378,
            True,
            ["2024-03-26"],
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
        ],
    )
    def test_what_is_no_time_is_none(self, value: object) -> None:
        assert wire.parse_time(value) is None

    @given(ANYTHING)
    def test_anything(self, value: object) -> None:
        found = wire.parse_time(value)
        assert found is None or found.tzinfo is UTC

    @given(st.datetimes(), st.integers(0, 9))
    def test_what_was_written_is_read(self, at: datetime, more: int) -> None:
        text = at.isoformat(timespec="microseconds") + "9" * more + "Z"
        assert wire.parse_time(text) == at.replace(tzinfo=UTC)


class TestParseDateHeader:
    def test_an_http_date(self) -> None:
        assert wire.parse_date_header("Wed, 31 Mar 2027 12:00:00 GMT") == NOW
        assert wire.parse_date_header("Wed, 31 Mar 2027 14:00:00 +0200") == NOW

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "",
            "now",
            "Wed",
            "Wed, 31 Foo 2027 12:00:00 GMT",
            "Wed, 31 Feb 2027 12:00:00 GMT",
            "Wed, 31 Mar 99999999999999999999 12:00:00 GMT",
            "Fri, 31 Dec 9999 23:59:59 -1400",
            "Wed, 31 Mar 2027 12:00:00 +999999999999",
            "12:00:00",
            ",,,,",
        ],
    )
    def test_what_is_none_is_none(self, value: str | None) -> None:
        assert wire.parse_date_header(value) is None

    @given(st.text(st.characters(max_codepoint=255), max_size=60))
    @example("0 0 0 0:0")
    def test_anything(self, value: str) -> None:
        found = wire.parse_date_header(value)
        assert found is None or found.tzinfo is not None

    @given(
        st.from_regex(
            r"[A-Z][a-z]{2}, \d{1,2} (Jan|Feb|Dec) \d{1,5} \d{1,3}:\d{1,3}(:\d{1,3})? ?(GMT|[+-]\d{1,6})?",
            fullmatch=True,
        )
    )
    def test_what_looks_right(self, value: str) -> None:
        found = wire.parse_date_header(value)
        assert found is None or found.tzinfo is not None


class TestParseRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            (None, None),
            ("0", 0),
            ("120", 120),
            (" 7 ", 7),
            ("-5", 0),
            ("31536000", 31_536_000),
            ("Wed, 31 Mar 2027 12:01:00 GMT", 60),
            ("Wed, 31 Mar 2027 11:00:00 GMT", 0),
            ("soon", None),
            ("", None),
        ],
    )
    def test_forms(self, value: str | None, seconds: float | None) -> None:
        assert wire.parse_retry_after(value, server_now=NOW, now=NOW + timedelta(hours=5)) == seconds

    def test_a_date_is_by_the_servers_own_clock_where_it_gave_one(self) -> None:
        date = "Wed, 31 Mar 2027 12:00:30 GMT"
        hours_off = NOW + timedelta(hours=7)
        assert wire.parse_retry_after(date, server_now=NOW, now=hours_off) == 30
        assert wire.parse_retry_after(date, server_now=None, now=NOW) == 30
        assert wire.parse_retry_after(date, server_now=None, now=hours_off) == 0

    @given(st.text(st.characters(max_codepoint=255), max_size=30) | st.integers().map(str))
    @example("9" * 400)
    @example("9" * 5000)
    @example("nan")
    @example("inf")
    def test_anything(self, value: str) -> None:
        found = wire.parse_retry_after(value, server_now=None, now=NOW)
        assert found is None or found >= 0


class TestParseToken:
    def test_as_documented(self) -> None:
        reply = {"scope": "", "expired": False, "access_token": "a.b.c", "token_type": "bearer", "expires_in": 3599}
        assert wire.parse_token(reply) == wire.AccessToken("a.b.c", 3599.0)

    @pytest.mark.parametrize(
        "lifetime",
        [None, "3599", True, [], float("nan"), float("inf"), 10**400, 0, -5],
        ids=lambda value: str(value)[:9],
    )
    def test_a_lifetime_that_is_none_is_an_hour(self, lifetime: object) -> None:
        assert wire.parse_token({"access_token": "a", "expires_in": lifetime}).expires_in_s == 3600

    def test_the_token_is_not_in_its_repr(self) -> None:
        assert "s3cret" not in repr(wire.parse_token({"access_token": "s3cret"}))

    @pytest.mark.parametrize("token", [None, "", 5, [], {}, "a b", "a\r\nX-Evil: 1", "tök", "\ud800", "a\x00"])
    def test_a_token_that_can_be_no_header_is_refused(self, token: object) -> None:
        with pytest.raises(LeanixError) as caught:
            wire.parse_token({"access_token": token})
        assert caught.value.code == "reply_invalid"

    @given(nearly(["access_token", "expires_in"]))
    def test_anything(self, reply: object) -> None:
        try:
            found = wire.parse_token(reply)
        except LeanixError as error:
            assert error.code == "reply_invalid"  # noqa: PT017 -- either is right
        else:
            assert found.value.encode("ascii")
            assert float("-inf") < found.expires_in_s < float("inf")


def jwt(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{body}.c2ln"


class TestParseIdentity:
    def test_as_seen(self) -> None:
        claims = {
            "exp": 1,
            "instanceUrl": "https://acme.leanix.net",
            "principal": {
                "id": "user-1",
                "username": "backup@acme",
                "permission": {"id": "p", "role": "ADMIN", "workspaceId": "ws-1", "workspaceName": "Äcme"},
            },
        }
        assert wire.parse_identity(jwt(claims)) == Identity(
            "ws-1", "Äcme", "user-1", "ADMIN", "https://acme.leanix.net"
        )

    @pytest.mark.parametrize("length", range(4))
    def test_whatever_the_padding(self, length: int) -> None:
        assert wire.parse_identity(jwt({"principal": {"id": "u" * (length + 1)}})).user_id == "u" * (length + 1)

    @pytest.mark.parametrize(
        "token",
        [
            "",
            ".",
            "..",
            "opaque",
            "a.b",
            "a.!!!!.c",
            "a.ÄÖÜ.c",
            "a.e30.c",
            jwt(None),
            jwt([]),
            jwt(5),
            jwt({"principal": []}),
            jwt({"principal": {"permission": "ADMIN", "id": 5}}),
            "a." + base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".c",
            "a." + base64.urlsafe_b64encode(b"\xff\xfe").decode() + ".c",
        ],
        ids=lambda token: token[:24],
    )
    def test_what_says_nothing_is_nobody(self, token: str) -> None:
        assert wire.parse_identity(token) == Identity()

    @given(st.text(max_size=60) | nearly(["principal", "instanceUrl", "permission"]).map(jwt))
    def test_anything(self, token: str) -> None:
        assert isinstance(wire.parse_identity(token), Identity)


class TestParseJobId:
    def test_as_documented(self) -> None:
        reply = {
            "status": "OK",
            "type": "JobResponseData",
            "data": {"jobId": "job:374234:cmbf", "message": "A new job is queued.", "synclogId": None},
        }
        assert wire.parse_job_id(reply) == "job:374234:cmbf"

    @pytest.mark.parametrize(
        "reply",
        [
            {"status": "ERROR", "data": {"jobId": "job:1"}},
            {"data": {"jobId": "job:1"}},
            {"status": "OK"},
            {"status": "OK", "data": None},
            {"status": "OK", "data": []},
            {"status": "OK", "data": {"jobId": None}},
            {"status": "OK", "data": {"jobId": 5}},
            {"status": "OK", "data": {"jobId": ""}},
        ],
    )
    def test_what_confirms_nothing(self, reply: object) -> None:
        with pytest.raises(LeanixError) as caught:
            wire.parse_job_id(reply)
        assert caught.value.code == "reply_invalid"

    def test_a_confirmation_without_a_job_may_have_started_one(self) -> None:
        with pytest.raises(LeanixError) as caught:
            wire.parse_job_id({"status": "OK", "data": {}})
        assert caught.value.outcome_unknown

    def test_what_it_says_is_passed_on(self) -> None:
        with pytest.raises(LeanixError, match="too many exports") as caught:
            wire.parse_job_id({"status": "ERROR", "errorMessage": "too many exports"})
        assert not caught.value.outcome_unknown

    @given(nearly(["status", "data", "errors", "errorMessage", "message"]))
    @example({"status": "ERROR", "errors": 5})
    @example({"status": "ERROR", "errors": True})
    def test_anything(self, reply: object) -> None:
        with pytest.raises(LeanixError) as caught:
            wire.parse_job_id(reply)
        assert caught.value.code == "reply_invalid"


class TestParsePage:
    def test_as_documented(self) -> None:
        page = wire.parse_page(
            {
                "status": "OK",
                "type": "Export",
                "data": [
                    {
                        "id": "e1",
                        "userId": "u1",
                        "user": {"id": "u1", "firstName": "Ann", "email": "ann@acme.example"},
                        "type": "SNAPSHOT",
                        "status": "COMPLETED",
                        "createdAt": "2024-03-26T15:04:25.378194Z",
                        "deleteAt": "2024-03-26T15:14:29.515400Z",
                        "downloadKey": "k3y",
                        "factSheetCount": 3,
                    }
                ],
                "total": 8,
                "endCursor": "YXJyYXk6OA==",
            }
        )
        created = datetime(2024, 3, 26, 15, 4, 25, 378194, tzinfo=UTC)
        assert page.rows == (ExportRow("e1", "SNAPSHOT", "COMPLETED", created, frozenset({"u1"}), "k3y"),)
        assert (page.total, page.end_cursor) == (8, "YXJyYXk6OA==")
        assert "k3y" not in repr(page)
        assert "Ann" not in repr(page)
        assert "acme.example" not in repr(page)

    def test_of_a_row_only_three_fields_may_be_relied_on(self) -> None:
        page = wire.parse_page({"data": [{"id": "e1", "type": "ARCHIVE", "status": "STARTED"}]})
        assert page.rows == (ExportRow("e1", "ARCHIVE", "STARTED"),)
        assert (page.total, page.end_cursor) == (None, None)

    @pytest.mark.parametrize(
        ("fields", "users"),
        [
            ({"userId": "a"}, {"a"}),
            ({"user": {"id": "b"}}, {"b"}),
            ({"userId": "a", "user": {"id": "b"}}, {"a", "b"}),
            ({"userId": "", "user": {"id": None}}, set()),
            ({"userId": None, "user": None}, set()),
            ({"userId": 5, "user": "b"}, set()),
            ({"user": {"userName": "c"}}, set()),
        ],
    )
    def test_users(self, fields: dict[str, object], users: set[str]) -> None:
        row = {"id": "e1", "type": "ARCHIVE", "status": "STARTED", **fields}
        assert wire.parse_page({"data": [row]}).rows[0].user_ids == users

    @pytest.mark.parametrize(
        "row",
        [
            None,
            5,
            "e1",
            [],
            {},
            {"id": "e1"},
            {"id": 1, "type": "A", "status": "B"},
            {"id": "", "type": "A", "status": "B"},
        ],
    )
    def test_a_row_without_them_is_left_out_and_the_others_stay(self, row: object) -> None:
        good = {"id": "e2", "type": "SNAPSHOT", "status": "STARTED"}
        assert [each.id for each in wire.parse_page({"data": [row, good, row]}).rows] == ["e2"]

    @pytest.mark.parametrize("field", ["createdAt", "downloadKey", "userId"])
    @pytest.mark.parametrize("value", [None, 5, "", [], {}, "0001-01-01T00:00:00+14:00"])
    def test_optional_fields_with_nonsense_in_them(self, field: str, value: object) -> None:
        row = {"id": "e2", "type": "SNAPSHOT", "status": "COMPLETED", field: value}
        assert wire.parse_page({"data": [row]}).rows[0].id == "e2"

    @pytest.mark.parametrize("total", [None, "8", 8.0, True, False, [], -1])
    def test_a_total_that_is_none(self, total: object) -> None:
        assert wire.parse_page({"data": [], "total": total}).total is None

    @pytest.mark.parametrize("reply", [None, [], 5, "x", {}, {"data": None}, {"data": {}}, {"data": "rows"}])
    def test_what_is_no_list(self, reply: object) -> None:
        with pytest.raises(LeanixError) as caught:
            wire.parse_page(reply)
        assert caught.value.code == "reply_invalid"
        assert caught.value.hint

    @settings(max_examples=40)
    @given(
        st.fixed_dictionaries(
            {"data": st.lists(nearly(["id", "type", "status", "userId", "user", "createdAt", "downloadKey"]))},
            optional={"total": ANYTHING, "endCursor": ANYTHING},
        )
    )
    def test_any_rows(self, reply: object) -> None:
        for row in wire.parse_page(reply).rows:
            assert row.id
            assert row.type
            assert row.status

    @given(nearly(["data", "errors", "status"]))
    def test_anything(self, reply: object) -> None:
        try:
            wire.parse_page(reply)
        except LeanixError as error:
            assert error.code == "reply_invalid"  # noqa: PT017 -- either is right


class TestErrorText:
    @pytest.mark.parametrize(
        ("reply", "text"),
        [
            ({"errorMessage": "no"}, "no"),
            ({"message": "no", "errors": [{"value": "x", "messages": ["bad", "worse"]}]}, "no; bad; worse"),
            ({"errors": ["one", "two"]}, "one; two"),
            ({"error_description": "bad\n  token"}, "bad token"),
            ({"errors": "all of it"}, "all of it"),
            ({"errors": 5}, ""),
            ({"errors": {"a": ["b"]}}, ""),
            ({"errors": [None, 5, {"messages": 5}, {"messages": [5, None]}, {"messages": "one"}]}, "one"),
            ({}, ""),
            (None, ""),
            ([], ""),
        ],
    )
    def test_of(self, reply: object, text: str) -> None:
        assert wire.error_text(reply) == text

    def test_a_page_of_it_is_cut(self) -> None:
        assert len(wire.error_text({"errorMessage": "blah " * 1000})) <= 200

    @given(nearly(["errorMessage", "message", "errors", "error_description"]))
    def test_anything(self, reply: object) -> None:
        assert "\n" not in wire.error_text(reply)


class TestHonouredInstance:
    """Who may be given the bearer: over https, within the configured domain, and nobody else."""

    @pytest.mark.parametrize(
        ("configured", "instance", "honoured"),
        [
            ("https://acme.leanix.net", "https://acme.leanix.net", "https://acme.leanix.net"),
            ("https://acme.leanix.net", "https://eu-5.leanix.net/", "https://eu-5.leanix.net"),
            ("https://acme.leanix.net", "https://EU.LeanIX.net", "https://eu.leanix.net"),
            ("https://acme.leanix.net", "https://eu.leanix.net:8443/x", "https://eu.leanix.net:8443"),
            ("https://acme.leanix.net", "https://eu.leanix.net./", "https://eu.leanix.net"),
            ("https://leanix.example.com", "https://eu.leanix.example.com", "https://eu.leanix.example.com"),
            ("http://127.0.0.1:8080", "https://127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("https://[fd00::1]", "https://[fd00::1]:8443", "https://[fd00::1]:8443"),
        ],
    )
    def test_one_of_the_family(self, configured: str, instance: str, honoured: str) -> None:
        assert wire.honoured_instance(configured, instance) == honoured

    @pytest.mark.parametrize(
        "instance",
        [
            None,
            "",
            "acme.leanix.net",
            "//acme.leanix.net",
            "http://acme.leanix.net",
            "ftp://acme.leanix.net",
            "https://",
            "https:acme.leanix.net",
            "https://leanix.net.evil.com",
            "https://evilleanix.net",
            "https://evil-leanix.net",
            "https://acme.leanix.net.evil.com",
            "https://acme.leanix.net@evil.com",
            "https://evil.com#acme.leanix.net",
            "https://evil.com?acme.leanix.net",
            "https://evil.com/acme.leanix.net",
            "https://evil.com\\.leanix.net",
            "https://evil.com\\@acme.leanix.net",
            "https://acme.leanix.net\\@evil.com",
            "https://user@acme.leanix.net",
            "https://user:pass@acme.leanix.net",
            "https://:pass@acme.leanix.net",
            "https://evil.com%2f.leanix.net",
            "https://evil.com%00.leanix.net",
            "https://a b.leanix.net",
            "https://evil.com,.leanix.net",
            "https://*.leanix.net",
            "https://acme.leanix.net:notaport",
            "https://acme.leanix.net:99999",
            "https://[acme.leanix.net",
            "https://[::1]",
            "https://127.0.0.1",
            "https://localhost",
            "https://leanix\u3002net.evil.com",
            "https://.leanix.net",
            "https://a..leanix.net",
        ],
    )
    def test_nobody_else(self, instance: str | None) -> None:
        assert wire.honoured_instance("https://acme.leanix.net", instance) is None

    @pytest.mark.parametrize(
        ("configured", "instance"),
        [
            ("https://acme.example.com", "https://other.example.com"),
            ("https://acme.example.com", "https://example.com"),
            ("https://acme.example.com", "https://notacme.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:8080", "https://8.127.0.0.1"),
            ("https://evilleanix.net", "https://acme.leanix.net"),
        ],
    )
    def test_outside_of_leanix_only_what_lies_below(self, configured: str, instance: str) -> None:
        assert wire.honoured_instance(configured, instance) is None

    @given(st.text(max_size=40) | st.text(max_size=30).map(lambda text: f"https://{text}"))
    def test_anything(self, instance: str) -> None:
        found = wire.honoured_instance("https://acme.leanix.net", instance)
        assert found is None or found.split(":")[1].endswith("leanix.net")
