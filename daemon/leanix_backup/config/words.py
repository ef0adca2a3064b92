"""The words that a setting may have where only a few are allowed."""

from __future__ import annotations

from enum import StrEnum


class DestinationType(StrEnum):
    """Where a destination is."""

    LOCAL = "local"
    S3 = "s3"


class Prune(StrEnum):
    """Who may delete at a destination."""

    SERVICE = "service"
    COMMAND = "command"
    NEVER = "never"


class LockMode(StrEnum):
    """How hard an S3 object lock is."""

    GOVERNANCE = "governance"
    COMPLIANCE = "compliance"


class Addressing(StrEnum):
    """How a bucket is named in S3 URLs."""

    AUTO = "auto"
    PATH = "path"
    VIRTUAL = "virtual"


class Checksum(StrEnum):
    """Which checksum goes with an upload."""

    AUTO = "auto"
    SHA256 = "sha256"
    CRC32 = "crc32"
    MD5 = "md5"


class Encryption(StrEnum):
    """Who encrypts at rest, and with which key."""

    AES256 = "AES256"
    KMS = "aws:kms"
    KMS_DSSE = "aws:kms:dsse"


class LogLevel(StrEnum):
    """From which level on events are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How events are written."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class NotifyLevel(StrEnum):
    """What a notification is about."""

    FAILURE = "failure"
    PARTIAL = "partial"
    RECOVERED = "recovered"
    SUCCESS = "success"
    OVERDUE = "overdue"
    GAP = "gap"
