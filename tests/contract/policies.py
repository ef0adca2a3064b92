"""The policies that the documentation gives, and each of them without one of its actions."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

BUCKET = "acme-leanix-backups"  # the one of the documentation
PREFIX = "leanix"
_PAGE = Path(__file__).parents[2] / "docs" / "s3.md"


def documented() -> dict[str, dict[str, Any]]:
    """Read the policies of docs/s3.md, by their names there."""
    blocks = re.findall(r"<!-- policy: (\w+) -->\n```json\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    return {name: json.loads(text) for name, text in blocks}


def actions(policy: dict[str, Any]) -> list[str]:
    return [action for statement in policy["Statement"] for action in statement["Action"]]


def lacking(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """Take one action out of a policy."""
    found = copy.deepcopy(policy)
    for statement in found["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != action]
    found["Statement"] = [statement for statement in found["Statement"] if statement["Action"]]
    return found


def without(user: str, action: str) -> str:
    """Name the user who has a policy but for one action."""
    return f"{user}-without-{action.removeprefix('s3:')}"


def users() -> dict[str, dict[str, Any]]:
    """Every user of the test server, with a policy each."""
    known = documented()
    stranger = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}],
    }
    return (
        {"stranger": stranger}
        | known
        | {
            without(name, action): lacking(policy, action)
            for name, policy in known.items()
            for action in actions(policy)
        }
    )
