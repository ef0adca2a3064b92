"""The configuration: the only reader of YAML, environment and secrets.

`load` gives a `Config` or tells every mistake at once; `example`, `schema` and `show` print. The way of a setting:
`document` and `environment` read texts into a `tree`, `validate` turns them into `models`, `checks` looks at what
belongs together, `resolve` builds the `settings` that the rest of the house sees.
"""

from __future__ import annotations

from leanix_backup.config.example import example
from leanix_backup.config.load import DEFAULT_PATH, load
from leanix_backup.config.reference import settings_table
from leanix_backup.config.schema import schema
from leanix_backup.config.secret import MASK, Secret
from leanix_backup.config.settings import (
    AuditLog,
    Config,
    Destination,
    Heartbeat,
    Http,
    Job,
    LocalDestination,
    Log,
    Network,
    NotifyTarget,
    ObjectLock,
    Poll,
    Purpose,
    S3Destination,
    Spool,
    VerifyLimits,
    Workspace,
)
from leanix_backup.config.values import Mistake, parse_span
from leanix_backup.config.words import (
    Addressing,
    Checksum,
    DestinationType,
    Encryption,
    LockMode,
    LogFormat,
    LogLevel,
    NotifyLevel,
    Prune,
)
from leanix_backup.config.written import show

__all__ = [
    "DEFAULT_PATH",
    "MASK",
    "Addressing",
    "AuditLog",
    "Checksum",
    "Config",
    "Destination",
    "DestinationType",
    "Encryption",
    "Heartbeat",
    "Http",
    "Job",
    "LocalDestination",
    "LockMode",
    "Log",
    "LogFormat",
    "LogLevel",
    "Mistake",
    "Network",
    "NotifyLevel",
    "NotifyTarget",
    "ObjectLock",
    "Poll",
    "Prune",
    "Purpose",
    "S3Destination",
    "Secret",
    "Spool",
    "VerifyLimits",
    "Workspace",
    "example",
    "load",
    "parse_span",
    "schema",
    "settings_table",
    "show",
]
