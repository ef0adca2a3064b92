"""What S3 and botocore say went wrong, translated once into our errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from botocore import exceptions as foreign
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from leanix_backup.errors import NotStoredError, StoreError
from leanix_backup.stores.s3 import kinds

# What a policy must allow for each request, as AWS names it.
ACTIONS = {
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "DeleteObjects": "s3:DeleteObject",
}
_OF_A_VERSION = {"s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion"}
_SAID_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")
_LONGEST_QUOTE = 300
_GATEWAYS = range(500, 600)
_NOT_ALLOWED = {"AccessDenied", "AllAccessDisabled", "UnauthorizedAccess", "Forbidden"}
_NOTHING_THERE = {"NoSuchKey", "NoSuchVersion", "404"}


@dataclass(frozen=True, slots=True)
class Call:
    """What was being done, and where: for the message.

    Attributes:
        destination: The destination's name.
        bucket: The bucket's name.
        operation: The request, as S3 names it.
        key: Of what, where it is of an object.
        versioned: Whether a version was named, for which a policy has actions of their own.
        locking: Whether a lock was asked for.
    """

    destination: str
    bucket: str
    operation: str
    key: str = ""
    versioned: bool = False
    locking: bool = False

    @property
    def action(self) -> str:
        """What a policy must allow for it."""
        action = ACTIONS.get(self.operation, f"sts:{self.operation}")
        return _OF_A_VERSION.get(action, action) if self.versioned else action

    def setting(self, name: str) -> str:
        """Name a setting of the destination."""
        return f"destinations.{self.destination}.{name}"


@contextmanager
def translated(call: Call) -> Iterator[None]:
    """Turn what botocore raises into StoreErrors.

    Raises:
        StoreError: With one of the codes above; NotStoredError where nothing is there.
    """
    try:
        yield
    except foreign.ClientError as error:
        if error.operation_name not in ACTIONS:  # it was STS that was asked, for keys
            call = replace(call, operation=error.operation_name, key="", versioned=False, locking=False)
        raise from_reply(call, error.response) from error
    except (foreign.BotoCoreError, ResponseParserError, HTTPError) as error:
        raise _from_library(call, error) from error
    except ValueError as error:  # botocore's word for an address or a name that can't be used
        raise _made(call, kinds.NO_SENSE, said=_short(error)) from error
    except OSError as error:  # the file that is being sent
        reason = error.strerror or type(error).__name__
        message = f"{call.destination}: the file to be stored can't be read: {reason}"
        raise StoreError(message, hint="look at the spool's volume and its log") from error


def from_reply(call: Call, reply: Any) -> StoreError:
    """Translate an error that the server said; also one of the errors in the reply to a delete of many."""
    said = reply.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    status = int(reply.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    # A server that speaks S3 says a code, save in reply to HEAD, which has no body.
    unsaid = call.operation != "HeadObject" and (not code or code.isdigit())
    no_id = call.versioned and code == "InvalidArgument"  # AWS's words for what is no version's id
    if no_id or (code in _NOTHING_THERE and not unsaid):
        return NotStoredError(f"{call.key} is not at {call.destination}", hint="see `leanix-backup list`")
    if code.startswith("KMS.") or " kms:" in message:
        return _made(call, kinds.KEY, said=_short(message) or code)
    if code in _NOT_ALLOWED or (code == "403" and not unsaid):
        return denied(call, message)
    if call.locking and code in {"InvalidRequest", "InvalidArgument"}:
        return _made(call, kinds.NO_LOCK, said=_short(message) or code)
    kind = kinds.SAID.get(code)
    if kind is None and status in _GATEWAYS:
        kind = kinds.AWAY
    if kind is None:
        kind = kinds.NO_SERVER if unsaid else kinds.REFUSED
    headers = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = said.get("Region") or headers.get("x-amz-bucket-region") or ""
    about = f"{code}: {_short(message)}" if message and code else _short(message) or code or f"HTTP {status}"
    return _made(call, kind, said=about, region=f", {region}" if region else "")


def denied(call: Call, message: str = "") -> StoreError:
    """Say which action is not allowed; AWS may name another one than the request's own."""
    found = _SAID_ACTION.search(message)
    own = f"{call.action} or s3:PutObjectRetention" if call.locking else call.action
    action = found[1] if found else own
    hint = (
        f"allow {action} on the bucket {call.bucket} for the credentials of destinations.{call.destination}; "
        "docs/s3.md has a policy for each use"
    )
    if action.startswith("sts:"):
        hint = "look at the role's trust policy, and at AWS_ROLE_ARN and the token that the environment names"
    return StoreError(
        f"{call.destination} does not allow {action} ({call.operation})",
        code="destination_denied",
        hint=hint,
        retryable=False,
    )


def _from_library(call: Call, error: Exception) -> StoreError:
    """Translate what kept a request from being answered."""
    said = _short(error)
    for classes, kind in kinds.HAPPENED:
        if isinstance(error, classes):
            return _made(call, kind, said=said)
    return _made(call, kinds.NO_SENSE, said=said)


def _made(call: Call, kind: kinds.Kind, *, said: str = "", region: str = "") -> StoreError:
    words = {
        "said": said,
        "region": region,
        "bucket": call.bucket,
        "operation": call.operation,
        "bucket_setting": call.setting("bucket"),
        "region_setting": call.setting("region"),
        "endpoint_setting": call.setting("endpoint_url"),
        "keys_setting": call.setting("access_key_id"),
        "token_setting": call.setting("session_token"),
        "kms_setting": call.setting("kms_key_id"),
        "class_setting": call.setting("storage_class"),
        "lock_setting": call.setting("object_lock"),
    }
    return StoreError(
        f"{call.destination}: {kind.message.format(**words)}",
        code=kind.code,
        hint=kind.hint.format(**words),
        retryable=kind.retryable,
    )


def _short(said: object) -> str:
    """Keep one line of somebody else's words."""
    text = " ".join(str(said).split())
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
