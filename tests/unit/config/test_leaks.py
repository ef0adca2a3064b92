"""No message, warning or printed configuration quotes a secret, wherever it was typed."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from leanix_backup.config import load
from leanix_backup.config.leaves import Leaf
from leanix_backup.config.shape import ROOT, Many, Named, Node, Section
from leanix_backup.errors import ConfigError
from tests.unit.config.support import ENVIRONMENT, WHOLE, written

CANARY = "u7Canary9TokenQ2xW"


def everything_told(path: Path | None, environ: dict[str, str]) -> str:
    """Give all that could be printed about a refused configuration, its chain of causes included."""
    try:
        config = load(path, environ)
    except ConfigError as error:
        lines = [str(problem) for problem in error.problems]
        return "\n".join([*lines, repr(error.problems), *traceback.format_exception(error)])
    return str(config.warnings)


def positions(node: Node, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """List every place where something can be typed, single settings and whole sections."""
    here = [path] if path else []
    if isinstance(node, Leaf):
        return [*here, (*path, "below")]
    if isinstance(node, Named):
        return here + [found for name in ("acme",) for found in positions(node.each, (*path, name))]
    if isinstance(node, Many):
        return here + positions(node.each, (*path, 0))
    sections = [node] if isinstance(node, Section) else list(node.by_type.values())
    unknown = [(*path, "unknwon"), (*path, CANARY)]
    return (
        here
        + unknown
        + [
            found
            for section in sections
            for key, entry in section.entries.items()
            for found in positions(entry.node, (*path, key))
        ]
    )


ALL = sorted(set(positions(ROOT)), key=str)


def planted(path: tuple[str | int, ...], value: object) -> Any:
    for part in reversed(path):
        value = [value] if isinstance(part, int) else {part: value}
    return value


@pytest.mark.parametrize("value", [CANARY, [CANARY], {CANARY: None}, {CANARY: CANARY}, f"https://x:{CANARY}@y z", 7])
def test_typed_at_any_place(tmp_path: Path, value: object) -> None:
    assert len(ALL) > 200
    value = f"{CANARY}-{value}" if value == 7 else value
    for path in ALL:
        told = everything_told(written(tmp_path, json.dumps(planted(path, value))), {})
        assert CANARY.lower() not in told.lower(), path


def test_typed_into_any_variable() -> None:
    for path in ALL:
        if any(isinstance(part, int) or part == CANARY for part in path):
            continue
        variable = "LEANIX_BACKUP__" + "__".join(str(part).upper() for part in path)
        for value in (CANARY, f"[{CANARY}", f'{{"{CANARY}": 1', f'{{"{CANARY}": "{CANARY}"}}', f'["{CANARY}"]'):
            assert CANARY.lower() not in everything_told(None, {**ENVIRONMENT, variable: value}).lower(), variable


@pytest.mark.parametrize(
    "line",
    [
        f"    api_token: {CANARY}\n",
        f"    api_tokn: {CANARY}\n",
        f"    api_token: *{CANARY}\n",
        f"    api_token: &{CANARY} a\n    user_id: &{CANARY} b\n",
        f"    api_token: @{CANARY}\n",
        f"    api_token: %{CANARY}\n",
        f"    api_token: !{CANARY} x\n",
        f"    api_token: !{CANARY}!x y\n",
        f'    api_token: "{CANARY}\n',
        f'    api_token: "\\q{CANARY}"\n',
        f"    api_token: [{CANARY}\n",
        f"    api_token: {{{CANARY}}}\n",
        f"    api_token: a: {CANARY}\n",
        f"    api_token: |{CANARY}\n",
        f"    api_token: >\n   {CANARY}\n",
        f"\tapi_token: {CANARY}\n",
        f"    {CANARY}\n",
        f"    {CANARY}: x\n    {CANARY}: y\n",
        f"    ? [{CANARY}]\n",
        f"    <<: *{CANARY}\n",
        f"    api_token: {CANARY}\x01\n",
        f"    api_token: {CANARY} {CANARY}\n    api_token_file: {CANARY}\x00\n",
        f"%TAG ! {CANARY}\n---\n",
    ],
)
def test_typed_into_broken_yaml(tmp_path: Path, line: str) -> None:
    text = WHOLE.replace("    api_token: token-of-acme\n", f"    api_token: {CANARY}\n{line}")
    told = everything_told(written(tmp_path, text), {})
    assert CANARY.lower() not in told.lower()
    assert "mistake" in told


def test_a_right_configuration_prints_none_of_its_secrets(tmp_path: Path) -> None:
    text = WHOLE.replace("token-of-acme", CANARY) + (
        f"notify: [{{url: 'slack://{CANARY}'}}]\nheartbeat: {{start: 'https://{CANARY}'}}\n"
        f"network: {{proxy: 'http://{CANARY}'}}\nhttp: {{token: {CANARY}}}\n"
    )
    config = load(written(tmp_path, text), {})
    assert config.workspaces["acme"].api_token.read() == CANARY
    assert CANARY not in f"{config!r} {config.effective}"
