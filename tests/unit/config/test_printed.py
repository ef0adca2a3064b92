"""What is printed from the models: the sample, the JSON schema, the reference page."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from leanix_backup.config import example, schema, settings_table
from tests.unit.config.support import WHOLE
from tests.unit.config.test_load import FULL

REPOSITORY = Path(__file__).parents[3]
BEGIN, END = "<!-- settings: printed from the code -->\n", "<!-- end of settings -->"


def accepted(text: str) -> bool:
    validator = jsonschema.Draft202012Validator(schema())
    return validator.is_valid(yaml.safe_load(text))


def test_the_sample_in_the_repository_is_the_codes() -> None:
    assert (REPOSITORY / "config/leanix-backup.example.yaml").read_text(encoding="utf-8") == example()


def test_the_schema_in_the_repository_is_the_codes() -> None:
    text = (REPOSITORY / "config/leanix-backup.schema.json").read_text(encoding="utf-8")
    assert text == json.dumps(schema(), indent=2) + "\n"


def test_the_reference_page_has_the_codes_table() -> None:
    page = (REPOSITORY / "docs/configuration.md").read_text(encoding="utf-8")
    assert page.partition(BEGIN)[2].partition(END)[0].strip() == settings_table().strip()


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    "text",
    [
        example(),
        WHOLE,
        FULL,
        WHOLE.replace("api_token: token-of-acme", "api_token_file: /run/secrets/acme"),
        WHOLE + "http: null\n",
        WHOLE + "http: {listen: null}\nlog: null\nspool: {path: null}\n",
        WHOLE.replace("forever", "{keep_within: 1y6mo}"),
        "{}",
    ],
)
def test_the_schema_takes_what_load_takes(text: str) -> None:
    assert accepted(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("url:", "ulr:"),
        ("jobs:", "jbs:"),
        ("  acme:", "  Acme:"),
        ("nightly:", "nightly__x:"),
        ("path: /backups", "bucket: abc"),
        ("path: /backups", "path: ~/backups"),
        ("type: local", "type: lokal"),
        ("forever", "never"),
        ("forever", "{keep_last: -1}"),
        ("forever", "{keep_within: 6m}"),
        ("forever", "{keep_within: ''}"),
        ("SNAPSHOT", "snapshot"),
        ("SNAPSHOT", "SNAPSHOT\n    attempts: 0"),
        ("SNAPSHOT", "SNAPSHOT\n    attempts: true"),
        ("SNAPSHOT", "SNAPSHOT\n    catch_up: 1"),
        ("SNAPSHOT", "SNAPSHOT\n    jitter: 5"),
        ("SNAPSHOT", "SNAPSHOT\n    poll: {factor: 1}"),
        ("SNAPSHOT", "SNAPSHOT\n    shrink_guard: 20"),
        ("jobs:", "spool: {max_size: 20}\njobs:"),
        ("jobs:", "notify: [{url: x}]\njobs:"),
        ("jobs:", "log: {level: loud}\njobs:"),
    ],
)
def test_the_schema_refuses_what_load_refuses(old: str, new: str) -> None:
    assert not accepted(WHOLE.replace(old, new, 1))


def test_every_setting_is_described() -> None:
    rows = [row.split("|") for row in settings_table().splitlines()[2:]]
    assert all(len(row) == 6 and row[4].strip() for row in rows)
    assert len(rows) > 90
