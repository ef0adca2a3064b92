"""Every way in which an artifact is not a whole workbook, in words for the person on call.

Nothing of an artifact's content is ever quoted: cells hold people's names and addresses. Names of sheets and of ZIP
members are quoted, but only through `shown`, as they are as untrusted as the rest.
"""

from __future__ import annotations

from leanix_backup.errors import ArtifactError

_LONGEST_NAME = 60


def shown(name: bytes | str) -> str:
    """Make an untrusted name safe for a message: printable, quoted, at most 60 characters."""
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    cut = text[:_LONGEST_NAME] + ("…" if len(text) > _LONGEST_NAME else "")
    return "'" + "".join(char if char.isprintable() and char != "'" else "?" for char in cut) + "'"


def empty() -> ArtifactError:
    """Say that nothing came."""
    return ArtifactError(
        "the downloaded file is empty",
        code="artifact_empty",
        hint="LeanIX answered without a body; where a fresh export brings the same, ask SAP support",
        retryable=True,
    )


def html() -> ArtifactError:
    """Say that a web page came."""
    return ArtifactError(
        "the downloaded file is a web page, not a workbook",
        code="artifact_html",
        hint="usually a maintenance or login page, or a proxy's own answer: look at LeanIX's status page and the proxy",
        retryable=True,
    )


def json() -> ArtifactError:
    """Say that a JSON document came."""
    return ArtifactError(
        "the downloaded file is JSON, not a workbook",
        code="artifact_json",
        hint="usually an error message of the API sent with status 200; look at the workspace's export page",
        retryable=True,
    )


def not_zip() -> ArtifactError:
    """Say that something came which is no ZIP and nothing else we know."""
    return ArtifactError(
        "the downloaded file is not a workbook, and not a ZIP archive at all",
        code="artifact_not_zip",
        hint="look at the first bytes of the rejected file; something between here and LeanIX may rewrite downloads",
        retryable=False,
    )


def truncated(what: str = "the file ends before the directory that closes every ZIP archive") -> ArtifactError:
    """Say that the end is missing."""
    return ArtifactError(
        f"the downloaded workbook is cut off: {what}",
        code="artifact_truncated",
        hint="the connection broke or the server stopped writing: look at the network and at proxies",
        retryable=True,
    )


def corrupt(what: str) -> ArtifactError:
    """Say that bytes are not those that were written; `what` is the finding, without a full stop."""
    return ArtifactError(
        f"the downloaded workbook is damaged: {what}",
        code="artifact_corrupt",
        hint="where a fresh export is damaged, too, suspect a proxy, or this machine's disk or memory",
        retryable=True,
    )


def bomb(what: str) -> ArtifactError:
    """Say that a limit was passed; `what` names it."""
    return ArtifactError(
        f"the downloaded workbook is refused as a decompression bomb: {what}",
        code="artifact_bomb",
        hint="if the workspace really is that large, raise `verify` max_members, max_unpacked or max_ratio",
        retryable=False,
    )


def overgrown(what: str) -> ArtifactError:
    """Say that something in it is larger than in any real workbook, where no limit can be raised."""
    error = bomb(what)
    error.hint = "no export of LeanIX is like this; look at the rejected file and where it came from"
    return error


def not_workbook(what: str, hint: str = "") -> ArtifactError:
    """Say that it is something else than an XLSX workbook; `what` says why."""
    return ArtifactError(
        f"the downloaded file is not an XLSX workbook: {what}",
        code="artifact_not_workbook",
        hint=hint or "look at the rejected file; LeanIX may have changed what it exports",
        retryable=False,
    )


def no_fact_sheets() -> ArtifactError:
    """Say that a snapshot lacks what a snapshot is for."""
    return ArtifactError(
        "the snapshot has no sheet of fact sheets, that is none whose first row has the keys id, type and name",
        code="artifact_no_fact_sheets",
        hint="check that the technical user may read fact sheets; the rejected file shows which sheets came instead",
        retryable=False,
    )
