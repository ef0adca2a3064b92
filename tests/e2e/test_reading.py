"""`verify` and `fetch` as a user starts them: real processes, pipes, terminals, signals, mounts."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from leanix_backup.model import Content, Sheet
from tests.support import installed
from tests.support.backups import Made, made
from tests.support.damage import alter
from tests.support.reader import LOG, NEW, Reader, a_reader
from tests.unit.workbook import building


@pytest.fixture
def place(tmp_path: Path) -> Reader:
    return a_reader(tmp_path)


@pytest.fixture(scope="module")
def big() -> Made:
    """Make a backup that takes a while to be proved: some 40 MB."""
    row = '<row><c t="inlineStr"><is><t>id</t></is></c><c t="inlineStr"><is><t>Application</t></is></c></row>'
    count = 400_000
    head = building.table([building.KEYS, building.LABELS])
    body = head.replace("</sheetData>", row * count + "</sheetData>")
    parts = building.parts_of({"Application": body})
    data = building.make_zip(building.Part(name, text, stored=True) for name, text in parts.items())
    kept = made("000000ff", data=data)
    content = Content(
        empty=False, sheets=(Sheet("Application", count, building.KEYS),), fact_sheets={"Application": count}
    )
    return replace(kept, manifest=replace(kept.manifest, content=content))


def everything_in(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_good_and_bad_from_end_to_end(place: Reader) -> None:
    done = place.start("verify", "--all", "--json")
    assert (done.status, done.err) == (0, "")
    assert all(each["ok"] for each in done.report["checked"])
    assert len(done.report["checked"]) == 6
    assert place.start("fetch", "acme/snapshot@latest", "-o", "out").status == 0
    (fetched,) = (place.folder / "out").iterdir()
    assert fetched.read_bytes() == NEW.data
    alter(place.disk / LOG.key.artifact)
    before = everything_in(place.folder)
    done = place.start("fetch", "00000003", "-o", "out", "--destination", "disk")
    assert done.status == 1
    assert "[backup_altered]" in done.err
    assert everything_in(place.folder) == before


def test_to_a_pipe(place: Reader) -> None:
    piped = subprocess.run(
        [installed.COMMAND, "fetch", "acme/audit-log@latest", "-o", "-"],
        env=place.env,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (piped.returncode, piped.stderr) == (0, b"")
    assert piped.stdout == LOG.data


def test_a_terminal_gets_no_workbook(place: Reader) -> None:
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [installed.COMMAND, "fetch", "00000002", "-o", "-"],
            env=place.env,
            stdout=slave,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )
    finally:
        os.close(slave)
        os.close(master)
    assert done.returncode == 2


def test_a_reader_that_goes_away(place: Reader, big: Made) -> None:
    big.lay(place.disk)
    with subprocess.Popen(
        [installed.COMMAND, "fetch", "000000ff", "-o", "-"],
        env=place.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(4) == b"PK\x03\x04"
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(30) == 1
    assert b"Traceback" not in said


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_stopped_on_its_way_it_leaves_nothing(number: signal.Signals, status: int, place: Reader, big: Made) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("whoever started the tests has it ignored, as nohup does, and so would the command")
    big.lay(place.disk)
    out, ended = place.folder / "out", 0
    for _ in range(5):
        with installed.started("fetch", "000000ff", "-o", out, env=place.env) as running:
            deadline = time.monotonic() + 20
            while not list(out.iterdir()):
                assert time.monotonic() < deadline
                time.sleep(0.005)
            ended = running.stop(number)
        if ended != 0:
            break
        for done in out.iterdir():  # it was done before the signal came
            done.unlink()
    assert ended == status
    assert list(out.iterdir()) == []


def test_a_destination_that_may_only_be_read(place: Reader) -> None:
    mount = f"mount --bind {place.disk} {place.disk} && mount -o remount,bind,ro {place.disk}"
    namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*namespace, mount], capture_output=True, check=False, timeout=30).returncode != 0:
        pytest.skip("nobody may mount here")
    for words in ("verify --all", f"fetch 00000002 -o {place.folder}/out"):
        script = f"{mount} && ! touch {place.disk}/x && exec {installed.COMMAND} {words} --destination disk"
        done = subprocess.run(
            [*namespace, script], env=place.env, capture_output=True, text=True, check=False, timeout=30
        )
        assert done.returncode == 0, done.stderr
    assert (place.folder / "out" / Path(NEW.key.artifact).name).read_bytes() == NEW.data
