"""The log as an interface: its lines, its list of events, and what never gets into it."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import leanix_backup
from leanix_backup import events
from leanix_backup.events import CATALOGUE, MASK, Event, Log, Redactor, context, redactor, reference, set_stage
from leanix_backup.model import ExportType, Outcome, Trigger
from tests.support.log_lines import Captured, captured_log

SECRET = "xyzzy-Pl0ugh/+=42"
PACKAGE = Path(leanix_backup.__file__).parent


@pytest.fixture
def log() -> Iterator[Captured]:
    with captured_log() as captured:
        yield captured


@pytest.fixture
def secret() -> str:
    redactor.learn(SECRET)
    return SECRET


class TestCatalogue:
    def test_every_event_has_an_entry_and_no_other_is_there(self) -> None:
        assert set(CATALOGUE) == set(Event)
        for spec in CATALOGUE.values():
            assert spec.level in {"debug", "info", "warning", "error"}
            assert spec.meaning.endswith(".")
            assert spec.action.endswith(".")
            assert len(set(spec.fields)) == len(spec.fields)

    def test_names_are_snake_case_and_no_field_hides_one_of_the_lines_own(self) -> None:
        own = {"timestamp", "level", "event", "run_id", "job", "workspace", "export", "stage"}
        for event, spec in CATALOGUE.items():
            assert event.value == event.name.lower()
            assert not own & set(spec.fields)

    def test_the_page_is_printed_from_the_code(self) -> None:
        page = PACKAGE.parents[1] / "docs" / "log-events.md"
        assert page.read_text(encoding="utf-8") == reference()

    def test_the_page_names_every_event_and_field(self) -> None:
        page = reference()
        for event, spec in CATALOGUE.items():
            (line,) = [line for line in page.splitlines() if line.startswith(f"| `{event.value}` |")]
            assert all(f"`{name}`" in line for name in spec.fields)

    def test_what_the_code_says_is_what_the_list_says(self) -> None:
        """Each `emit(Event.X, field=…)` in the code gives only fields that the list has, and each event is used."""
        used: set[str] = set()
        for path in PACKAGE.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "emit" and node.args):
                    continue
                first = node.args[0]
                assert isinstance(first, ast.Attribute), f"{path.name}:{node.lineno}: an event that can't be read off"
                spec = CATALOGUE[Event[first.attr]]
                said = {keyword.arg for keyword in node.keywords} - {"level"}
                if "exc_info" in said:
                    said = said - {"exc_info"} | {"exception"}
                assert said <= set(spec.fields), f"{path.name}:{node.lineno}: {first.attr} says {said - {*spec.fields}}"
                used.add(first.attr)
        handlers_own = {"LINE_LOST"}  # written where a line could not be
        assert used | handlers_own == {event.name for event in Event}


class TestLines:
    def test_a_line_begins_with_the_same_fields_in_the_same_order(self, log: Captured) -> None:
        with context(stage="requested", export="SNAPSHOT", workspace="acme", job="nightly", run_id="r"):
            Log().emit(Event.EXPORT_POLLED, status="STARTED", polls=3)
        (line,) = log.lines
        assert list(line) == [
            "timestamp",
            "level",
            "event",
            "run_id",
            "job",
            "workspace",
            "export",
            "stage",
            "status",
            "polls",
        ]
        assert line["event"] == "export_polled"
        assert line["level"] == "debug"
        assert line["timestamp"].endswith("Z")
        assert abs(datetime.now(UTC) - datetime.fromisoformat(line["timestamp"])) < timedelta(seconds=30)

    @pytest.mark.parametrize("event", list(Event))
    def test_of_each_event(self, event: Event, log: Captured) -> None:
        Log().emit(event, **dict.fromkeys(CATALOGUE[event].fields, "value"))
        (line,) = log.lines
        assert line["event"] == event.value
        assert line["level"] == CATALOGUE[event].level
        assert {name: line.get(name) for name in CATALOGUE[event].fields} == dict.fromkeys(
            CATALOGUE[event].fields, "value"
        )

    def test_a_level_of_its_own(self, log: Captured) -> None:
        Log().emit(Event.RUN_FINISHED, level="error", outcome=Outcome.FAILED)
        assert [(line["level"], line["outcome"]) for line in log.lines] == [("error", "failed")]

    def test_what_is_none_is_left_out_and_what_is_empty_is_not(self, log: Captured) -> None:
        Log().emit(Event.RUN_FINISHED, error_code=None, stored=[], pruned=0, error="")
        line = log.lines[0]
        assert "error_code" not in line
        assert (line["stored"], line["pruned"], line["error"]) == ([], 0, "")

    def test_values_are_plain(self, log: Captured) -> None:
        at = datetime(2027, 3, 31, 4, 30, 4, 378194, tzinfo=timezone(timedelta(hours=2)))
        Log().emit(
            Event.RUN_STARTED,
            trigger=Trigger.CATCH_UP,
            scheduled_at=at,
            attempts_max=3,
            window_start=at.replace(microsecond=0),
            window_end=Path("/a/b"),
        )
        line = log.lines[0]
        assert line["trigger"] == "catch_up"
        assert line["scheduled_at"] == "2027-03-31T02:30:04.378194Z"
        assert line["window_start"] == "2027-03-31T02:30:04Z"
        assert line["window_end"] == "/a/b"
        assert line["attempts_max"] == 3

    def test_nested_values_are_plain(self, log: Captured) -> None:
        Log().emit(
            Event.RUN_FINISHED,
            stored=({"destination": "disk", "at": datetime(2027, 1, 1, tzinfo=UTC)},),
            failed={ExportType.SNAPSHOT: [True, 1.5, None]},
        )
        line = log.lines[0]
        assert line["stored"] == [{"destination": "disk", "at": "2027-01-01T00:00:00Z"}]
        assert line["failed"] == {"SNAPSHOT": [True, 1.5, None]}

    @settings(suppress_health_check=[HealthCheck.too_slow])  # where others use the machine
    @given(st.dictionaries(st.sampled_from(["stored", "failed", "hint"]), st.text() | st.lists(st.text())))
    def test_any_text_is_one_line_of_json(self, fields: dict[str, Any]) -> None:
        with captured_log() as log:
            Log().emit(Event.RUN_FINISHED, **fields)
            assert log.text.count("\n") == 1
            assert json.loads(log.text)["event"] == "run_finished"

    def test_below_the_level_nothing_is_said(self) -> None:
        with captured_log(level="warning") as log:
            Log().emit(Event.RUN_STARTED)
            Log().emit(Event.RETRY_SCHEDULED)
        assert log.names == ["retry_scheduled"]

    def test_libraries_are_heard_from_warning_on(self, log: Captured) -> None:
        library = logging.getLogger("some.library")
        library.info("chatter about %s", "nothing")
        library.warning("take %s", "care")
        assert [(line["level"], line["event"]) for line in log.lines] == [("warning", "take care")]

    def test_a_line_of_a_library_carries_the_context_too(self, log: Captured) -> None:
        with context(run_id="r", job="nightly"):
            logging.getLogger("some.library").warning("careful")
        assert list(log.lines[0])[:5] == ["timestamp", "level", "event", "run_id", "job"]

    def test_warnings_are_lines(self, log: Captured) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old ways", DeprecationWarning, stacklevel=1)
        assert "old ways" in log.lines[0]["event"]
        assert log.lines[0]["level"] == "warning"


class TestContext:
    async def test_goes_into_tasks_and_threads_and_ends_with_its_block(self, log: Captured) -> None:
        with context(run_id="r1"):
            async with anyio.create_task_group() as group:
                group.start_soon(self._say)
            await anyio.to_thread.run_sync(Log().emit, Event.EXPORT_POLLED)
        Log().emit(Event.EXPORT_POLLED)
        assert [line.get("run_id") for line in log.lines] == ["r1", "r1", None]

    async def test_runs_side_by_side_keep_their_own(self, log: Captured) -> None:
        async def run(name: str, stages: list[str]) -> None:
            with context(run_id=name, stage="requested"):
                for stage in stages:
                    set_stage(stage)
                    await anyio.lowlevel.checkpoint()
                    Log().emit(Event.EXPORT_POLLED, export_id=f"{name} {stage}")

        async with anyio.create_task_group() as group:
            group.start_soon(run, "a", ["exporting", "fetching"])
            group.start_soon(run, "b", ["shipping", "recorded"])
        assert len(log.lines) == 4
        for line in log.lines:
            assert f"{line['run_id']} {line['stage']}" == line["export_id"]

    def test_a_stage_ends_with_the_context_that_it_is_in(self, log: Captured) -> None:
        with context(run_id="r", stage="requested"):
            set_stage("fetching")
        Log().emit(Event.SERVICE_STOPPED)
        assert "stage" not in log.lines[0]

    async def _say(self) -> None:
        Log().emit(Event.EXPORT_POLLED)


class TestKnownSecrets:
    def test_in_fields_at_any_depth_in_keys_and_in_the_context(self, log: Captured, secret: str) -> None:
        with context(job=secret):
            Log().emit(
                Event.RUN_FINISHED,
                error=f"answered {secret}!",
                stored=[{"key": (secret, {secret: [secret]})}],
                failed={secret},
                hint=RuntimeError(secret),
                sha256=Path(f"/x/{secret}"),
            )
        assert secret not in log.text
        assert log.lines[0]["error"] == f"answered {MASK}!"

    def test_in_the_text_of_an_exception_and_of_its_cause(self, log: Captured, secret: str) -> None:
        def deep() -> None:
            raise ValueError(f"token {secret} is bad")

        def fail() -> None:
            try:
                deep()
            except ValueError as error:
                raise RuntimeError(f"because of {secret}") from error

        with pytest.raises(RuntimeError) as caught:
            fail()
        Log().emit(Event.RUN_FINISHED, exc_info=caught.value)
        assert secret not in log.text
        assert "RuntimeError" in log.lines[0]["exception"]
        assert "ValueError" in log.lines[0]["exception"]
        assert log.text.count("\n") == 1

    def test_in_what_a_library_says(self, log: Captured, secret: str) -> None:
        library = logging.getLogger("some.library")
        library.warning("sending %s to %r", secret, {"x": secret})
        library.error("it broke", exc_info=OSError(secret))
        library.error("see the stack", stack_info=True, extra={"token": secret})
        assert len(log.lines) == 3
        assert secret not in log.text

    def test_in_a_warning(self, log: Captured, secret: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"beware of {secret}", UserWarning, stacklevel=1)
        assert len(log.lines) == 1
        assert secret not in log.text

    def test_in_an_event_whose_name_a_library_made(self, log: Captured, secret: str) -> None:
        logging.getLogger("some.library").warning(secret)
        assert log.lines[0]["event"] == MASK

    def test_in_a_record_that_cannot_be_formatted(self, secret: str, capsys: pytest.CaptureFixture[str]) -> None:
        with captured_log() as log:  # not the fixture: pytest's own handler would be there too, and raise
            logging.getLogger("some.library").warning("%d items", secret)
        assert secret not in log.text + "".join(capsys.readouterr())

    def test_from_another_thread(self, log: Captured, secret: str) -> None:
        thread = threading.Thread(target=lambda: Log().emit(Event.RUN_FINISHED, error=secret))
        thread.start()
        thread.join()
        assert log.lines[0]["error"] == MASK

    def test_on_a_terminal_too(self, secret: str) -> None:
        with captured_log(style="console") as log:
            Log().emit(Event.RUN_FINISHED, error=secret, stored=[secret])
            logging.getLogger("some.library").warning("sent %s", secret)
            Log().emit(Event.RUN_FINISHED, exc_info=ValueError(secret))
        assert "run_finished" in log.text
        assert secret not in log.text

    def test_one_that_is_the_start_of_another(self) -> None:
        known = Redactor()
        known.learn("abcdef")
        known.learn("abcdefghij")
        assert known.clean("abcdefghij and abcdef") == f"{MASK} and {MASK}"

    def test_one_of_several_lines(self) -> None:
        known = Redactor()
        known.learn("line one\nline two")
        assert "two" not in known.clean("got line one\nline two!")

    def test_too_short_to_be_one(self) -> None:
        known = Redactor()
        known.learn("")
        known.learn("a")
        assert known.clean("a banana") == "a banana"

    def test_the_newest_hundreds_are_known(self) -> None:
        known = Redactor()
        for number in range(2000):
            known.learn(f"secret-{number:04}")
        assert known.clean("secret-1999 secret-1700") == f"{MASK} {MASK}"

    def test_one_that_is_in_use_all_the_time_is_not_forgotten(self) -> None:
        known = Redactor()
        for number in range(2000):
            known.learn("the-api-token")
            known.learn(f"secret-{number:04}")
        assert known.clean("the-api-token") == MASK

    @given(st.text(min_size=6, max_size=40), st.text(max_size=20), st.text(max_size=20))
    def test_any_secret_is_gone(self, secret: str, before: str, after: str) -> None:
        known = Redactor()
        known.learn(secret)
        if secret not in MASK and secret not in before + MASK + after:
            assert secret not in known.clean(before + secret + after)

    def test_what_is_no_secret_stays(self) -> None:
        known = Redactor()
        for value in (
            None,
            True,
            5,
            1.5,
            "acme/snapshot/2027/03/a.xlsx",
            "https://acme.leanix.net/x?exportType=SNAPSHOT",
        ):
            assert known.clean(value) == value


class TestShapes:
    """What looks like a secret is one, though nobody told."""

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("Authorization: Bearer eyJhbGciOi.J9.abc-_x", "Authorization: Bearer"),
            ("authorization=bearer eyJhbGciOi.J9.abc-_x", "bearer"),
            ("[(b'Authorization', b'Bearer eyJhbGciOi.J9.abc-_x')]", "b'Authorization'"),
            ("Authorization: Basic YXBpdG9rZW46c2VjcmV0MTIz", "Basic"),
            ("GET https://a.net/d/ws?key=eyJhbGciOi.J9.abc-_x HTTP/1.1", "GET https://a.net/d/ws?key="),
            ("GET https://a.net/d/ws?a=b&key=eyJhbGciOi.J9.abc-_x&c=d", "&c=d"),
            ("https://a.net/?KEY=eyJhbGciOi.J9.abc-_x", "KEY="),
            ("https://a.net/?access_token=eyJhbGciOi.J9.abc-_x", "access_token="),
            ("https://blob.net/x?X-Amz-Signature=eyJhbGciOi.J9.abc-_x", "blob.net"),
            ("https://blob.net/x?sv=1&sig=eyJhbGciOi.J9.abc-_x", "sv=1"),
            ("http://user:eyJhbGciOi.J9.abc-_x@proxy:3128/", "@proxy:3128/"),
            pytest.param(
                "http://user:pass@eyJhbGciOi.J9.abc-_x@proxy:3128/",
                "@proxy:3128/",
            ),
            ("socks5://:eyJhbGciOi.J9.abc-_x@proxy", "@proxy"),
            pytest.param(
                "https://eyJhbGciOi.J9.abc-_x@proxy:3128/",
                "@proxy:3128/",
            ),
        ],
    )
    def test_is_masked(self, text: str, kept: str) -> None:
        cleaned = Redactor().clean(text)
        assert "eyJhbGciOi" not in cleaned
        assert "abc-_x" not in cleaned
        assert kept in cleaned
        assert MASK in cleaned

    def test_in_nested_values(self) -> None:
        found = Redactor().clean({"headers": [("authorization", "Bearer abcdefghijk")], "urls": {"u": "/x?key=abc"}})
        assert found == {"headers": [["authorization", f"Bearer {MASK}"]], "urls": {"u": f"/x?key={MASK}"}}

    def test_what_a_job_says_of_itself_stays(self) -> None:
        text = "acme@latest of nightly: https://acme.leanix.net/services?exportType=SNAPSHOT&pageSize=100 (user@host)"
        assert Redactor().clean(text) == text


class TestLibrariesAtDebug:
    """The one-time key stands in the URL that httpx logs at INFO, and headers in what httpcore says at DEBUG."""

    async def test_a_real_exchange_leaves_no_secret(self, log: Captured) -> None:
        loud = [logging.getLogger(name) for name in ("httpx", "httpcore", "asyncio", "anyio", "h11")]
        before = [library.level for library in loud]
        for library in loud:
            library.setLevel(logging.DEBUG)

        async def answer(reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 302 Found\r\nLocation: https://blob.test/x?sig=0neT1meSig&key=0neT1meKey\r\n"
                b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        try:
            port = server.sockets[0].getsockname()[1]
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.get(
                    f"http://127.0.0.1:{port}/downloads/ws",
                    params={"key": "0neT1meKey"},
                    headers={"Authorization": "Bearer abcdefghijklmnop.0neT1me"},
                )
        finally:
            for library, level in zip(loud, before, strict=True):
                library.setLevel(level)
            server.close()
            await server.wait_closed()
        assert "downloads/ws" in log.text
        assert "0neT1me" not in log.text


class TestConfigure:
    def test_auto_is_json_off_a_terminal(self) -> None:
        with captured_log(style="auto") as log:
            Log().emit(Event.SERVICE_STOPPED)
        assert log.lines[0]["event"] == "service_stopped"

    def test_standard_output_stays_empty(self, capsys: pytest.CaptureFixture[str]) -> None:
        with captured_log():
            events.configure(level="info", style="json")
            Log().emit(Event.SERVICE_STOPPED)
            logging.getLogger("some.library").warning("careful")
        said = capsys.readouterr()
        assert said.out == ""
        assert [json.loads(line)["event"] for line in said.err.splitlines()] == ["service_stopped", "careful"]

    def test_a_standard_error_that_changes_is_followed(self, capsys: pytest.CaptureFixture[str]) -> None:
        with captured_log() as log:
            events.configure(level="info", style="json")
            before, sys.stderr = sys.stderr, log.stream
            try:
                Log().emit(Event.SERVICE_STOPPED)
            finally:
                sys.stderr = before
        assert log.names == ["service_stopped"]
        assert capsys.readouterr().err == ""

    def test_twice_writes_once(self, log: Captured) -> None:
        events.configure(level="debug", style="json", stream=log.stream)
        Log().emit(Event.SERVICE_STOPPED)
        assert len(log.lines) == 1

    def test_console_lines_are_for_people(self) -> None:
        with captured_log(style="console") as log, context(run_id="deadbeef-0000", job="nightly", stage="fetching"):
            Log().emit(Event.ARTIFACT_FETCHED, size_bytes=5, sha256="ab" * 32)
        assert "artifact_fetched" in log.text
        assert "nightly" in log.text
        assert "deadbeef-0000" not in log.text
