"""The types of the models' fields, each with its leaf, and what all sections share."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from leanix_backup.config import leaves
from leanix_backup.config.secret import Secret
from leanix_backup.model import RetentionSpan

Text: TypeAlias = Annotated[str, leaves.TEXT]
Name: TypeAlias = Annotated[str, leaves.NAME]
PathText: TypeAlias = Annotated[Path, leaves.PATH]
SecretFile: TypeAlias = Annotated[Path, leaves.FILE]
SecretText: TypeAlias = Annotated[Secret, leaves.secret("text")]
PingUrl: TypeAlias = Annotated[
    Secret, leaves.secret("a URL that begins with https:// or http://", r"^https?://[^\s/]+")
]
ProxyUrl: TypeAlias = Annotated[
    Secret, leaves.secret("a URL such as http://proxy.example:3128", r"^(https?|socks5h?)://[^\s/]+")
]
NotifyUrl: TypeAlias = Annotated[Secret, leaves.secret("an apprise URL", r"^[a-z][a-z0-9+.-]*://\S")]
Duration: TypeAlias = Annotated[timedelta, leaves.DURATION]
Lasting: TypeAlias = Annotated[timedelta, leaves.LASTING]
Size: TypeAlias = Annotated[int, leaves.SIZE]
Span: TypeAlias = Annotated[RetentionSpan, leaves.SPAN]
Zone: TypeAlias = Annotated[ZoneInfo, leaves.ZONE]
ScheduleText: TypeAlias = Annotated[str, leaves.SCHEDULE]
Count: TypeAlias = Annotated[int, leaves.integer(0, 100_000)]
Attempts: TypeAlias = Annotated[int, leaves.integer(1, 100)]
Bool: TypeAlias = Annotated[bool, leaves.BOOL]


class Section(BaseModel):
    """What all sections share: nothing unknown is taken, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
