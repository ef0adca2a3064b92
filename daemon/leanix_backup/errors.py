"""What can go wrong, in words for the person on call.

    BackupError                 one sentence, a stable `code`, a `hint`, and whether trying again may help
    ├── ConfigError             the configuration: every mistake at once (`problems`)
    ├── UsageError              the command line asks for something that is not there
    ├── LockedError             another instance holds what we need
    ├── LeanixError             what LeanIX answered, or did not
    │   └── ExportLostError         this export can't be had any more; another attempt may work
    ├── ArtifactError           what came home is not a whole workbook
    ├── DamagedError            what lies at a destination is not what was stored there
    ├── SpoolError              the spool has no room, or can't be written
    ├── StoreError              a destination refused
    │   ├── ConflictError           something else already has that name there
    │   └── NotStoredError          there is nothing under that name
    └── InterruptedRunError     we were told to stop

Edges (`leanix`, `stores`, `spool`, `config`) translate foreign errors into these once and keep the cause. Above an
edge nobody catches httpx's, botocore's or OSError's own. Codes are an interface: they are in logs, in `--json`
and in users' alerts, so a code is never renamed or used for something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PARTIAL = 3
EXIT_LOCKED = 4
EXIT_INTERRUPTED = 130


class BackupError(Exception):
    """Say what went wrong in one sentence, with a stable code and a hint.

    Args:
        message: One sentence for the person on call; never holds a secret.
        code: A stable snake_case word; the class's own `default_code` when left out.
        hint: What to do about it, also one sentence, or empty.
        retryable: Whether another try may help without anybody changing anything.
        retry_after: Seconds that the other side asked us to wait before another try, where it did.
    """

    default_code: ClassVar[str] = "internal_error"
    default_retryable: ClassVar[bool] = False
    exit_status: ClassVar[int] = EXIT_FAILED

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        hint: str = "",
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration: where it is, what is wrong, and what would be right.

    `path` is dotted (`jobs.nightly.schedule`) or the name of a variable; `line` counts from 1 in `source`.
    """

    path: str
    message: str
    hint: str = ""
    line: int | None = None
    source: str = ""

    def __str__(self) -> str:
        """Format as `file:line: path: message (hint)`; what is unknown is left out."""
        where = (
            f"{self.source}:{self.line}: " if self.source and self.line else f"{self.source}: " if self.source else ""
        )
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{path}{self.message}{hint}"


class ConfigError(BackupError):
    """The configuration is wrong; `problems` has every mistake, not just the first."""

    default_code = "config_invalid"
    exit_status = EXIT_USAGE

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = len(problems)
        super().__init__(
            f"the configuration has {count} mistake{'' if count == 1 else 's'}",
            hint="nothing was started and nothing was changed",
        )
        self.problems = problems


class UsageError(BackupError):
    """The command line names something that does not exist, or can't be done."""

    default_code = "usage"
    exit_status = EXIT_USAGE


class LockedError(BackupError):
    """Another instance holds the lock that this one needs."""

    default_code = "locked"
    exit_status = EXIT_LOCKED


class LeanixError(BackupError):
    """LeanIX refused, broke off, or answered something that can't be used.

    `outcome_unknown` is true where the request may have had its effect all the same: nobody answered, or a gateway
    did. For a request that starts something, sending it again might start it twice.
    """

    default_code = "leanix_error"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        hint: str = "",
        retryable: bool | None = None,
        retry_after: float | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message, code=code, hint=hint, retryable=retryable, retry_after=retry_after)
        self.outcome_unknown = outcome_unknown


class ExportLostError(LeanixError):
    """This export can't be had any more (failed, deleted, its key spent): only a new one can help."""

    default_code = "export_lost"
    default_retryable = True


class ArtifactError(BackupError):
    """What came home is not a whole workbook. Nothing of it reaches a destination."""

    default_code = "artifact_invalid"


class DamagedError(BackupError):
    """What lies at a destination is not what was stored there: no backup that can be relied on."""

    default_code = "backup_altered"


class SpoolError(BackupError):
    """The spool has no room, or can't be written or read."""

    default_code = "spool_error"


class StoreError(BackupError):
    """A destination refused or broke off. What was stored there before is as it was."""

    default_code = "destination_error"
    default_retryable = True


class ConflictError(StoreError):
    """Another content already has that name there; it was left alone."""

    default_code = "destination_conflict"
    default_retryable = False


class NotStoredError(StoreError):
    """There is nothing under that name at the destination."""

    default_code = "not_stored"
    default_retryable = False


class InterruptedRunError(BackupError):
    """The run was told to stop before it was done."""

    default_code = "interrupted"
    default_retryable = True
