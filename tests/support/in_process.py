"""Run the command line in this process: what a process of its own would do, without its half second to start."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import structlog

from leanix_backup.cli.app import run as run_command_line
from tests.support.installed import Result


def run(*arguments: str | Path, env: Mapping[str, str], cwd: Path) -> Result:
    """Run a command line with this environment, in this folder."""
    with _as_it_was(), _streams() as (out, err):
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        status = run_command_line([str(argument) for argument in arguments])
        sys.stdout.flush()
        sys.stderr.flush()
    return Result(status, out.getvalue().decode(), err.getvalue().decode())


@contextmanager
def _as_it_was() -> Iterator[None]:
    folder, variables = Path.cwd(), dict(os.environ)
    root, ours = logging.getLogger(), logging.getLogger("leanix_backup")
    before = root.handlers[:], root.level, ours.level
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        structlog.reset_defaults()
        logging.captureWarnings(capture=False)
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        ours.setLevel(before[2])


@contextmanager
def _streams() -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    out, err, before = io.BytesIO(), io.BytesIO(), (sys.stdout, sys.stderr)
    sys.stdout, sys.stderr = io.TextIOWrapper(out, "utf-8"), io.TextIOWrapper(err, "utf-8")
    streams = sys.stdout, sys.stderr
    try:
        yield out, err
    finally:
        sys.stdout, sys.stderr = before
        for stream in streams:
            stream.detach()
