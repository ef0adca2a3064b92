"""The settings of workspaces, of destinations, and of what is kept there."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from leanix_backup.config import leaves
from leanix_backup.config.kinds import Count, PathText, SecretFile, SecretText, Section, Size, Span, Text
from leanix_backup.config.words import Addressing, Checksum, DestinationType, Encryption, LockMode, Prune


class WorkspaceSection(Section):
    """One LeanIX workspace."""

    url: Annotated[str, leaves.WORKSPACE_URL] | None = Field(
        default=None,
        description="The workspace's host, `https://acme.leanix.net`; `http` only for a loopback host. Required.",
    )
    api_token: SecretText | None = Field(default=None, description="The technical user's API token. Required.")
    api_token_file: SecretFile | None = Field(default=None, description="A file with the API token.")
    workspace_id: Text | None = Field(default=None, description="The workspace's id; read from the token unless given.")
    user_id: Text | None = Field(default=None, description="The technical user's id; read from the token unless given.")


class RetentionSection(Section):
    """What to keep. Without a keep rule, everything younger than `delete_after`."""

    keep_last: Count | None = Field(default=None, description="Keep so many of the newest.")
    keep_hourly: Count | None = Field(default=None, description="Keep the newest of each of so many hours.")
    keep_daily: Count | None = Field(default=None, description="Keep the newest of each of so many days.")
    keep_weekly: Count | None = Field(default=None, description="Keep the newest of each of so many weeks.")
    keep_monthly: Count | None = Field(default=None, description="Keep the newest of each of so many months.")
    keep_yearly: Count | None = Field(default=None, description="Keep the newest of each of so many years.")
    keep_within: Span | None = Field(default=None, description="Keep all that is no older than this.")
    keep_within_hourly: Span | None = Field(default=None, description="Keep one an hour, this far back.")
    keep_within_daily: Span | None = Field(default=None, description="Keep one a day, this far back.")
    keep_within_weekly: Span | None = Field(default=None, description="Keep one a week, this far back.")
    keep_within_monthly: Span | None = Field(default=None, description="Keep one a month, this far back.")
    keep_within_yearly: Span | None = Field(default=None, description="Keep one a year, this far back.")
    keep_min: Annotated[int, leaves.integer(1, 100_000)] = Field(default=1, description="Never keep fewer than this.")
    delete_after: Span | None = Field(
        default=None, description="Delete what is older, whatever the keep rules say; not below `keep_min`."
    )


FOREVER = "forever"


def _retention(value: object) -> object:
    if isinstance(value, dict | RetentionSection) or value == FOREVER:
        return value
    hint = {"message": "must be a policy (a map) or forever", "hint": "for example {keep_daily: 14, delete_after: 6y}"}
    raise PydanticCustomError(leaves.MISTAKE, "{message}", hint)


def _retention_tag(value: object) -> str:
    return FOREVER if isinstance(value, str) else "policy"


class Forever(Section):
    """Keep everything."""


def _forever(value: object) -> object:
    return Forever() if isinstance(value, str) else value


Retention: TypeAlias = Annotated[
    Annotated[RetentionSection, Tag("policy")] | Annotated[Forever, BeforeValidator(_forever), Tag(FOREVER)],
    Discriminator(_retention_tag),
    BeforeValidator(_retention),
]


class ObjectLockSection(Section):
    """Locks S3 objects against deletion; the bucket must have object lock switched on."""

    mode: Annotated[LockMode, leaves.choice(LockMode)] = Field(
        default=LockMode.GOVERNANCE, description="How hard the lock is."
    )
    retain: Span | None = Field(
        default=None, description="How long each object is locked, from its upload on. Required."
    )


class _AnyDestination(Section):
    type: Annotated[DestinationType, leaves.choice(DestinationType)] | None = Field(
        default=None, description="What kind of destination it is. Required."
    )
    prune: Annotated[Prune, leaves.choice(Prune)] = Field(
        default=Prune.SERVICE, description="Who may delete here: the service, only the command `prune`, or nobody."
    )
    retention: Retention | None = Field(default=None, description="What to keep here, instead of what the job says.")


class LocalSection(_AnyDestination):
    """A folder."""

    path: PathText | None = Field(default=None, description="The folder. Required.")


class S3Section(_AnyDestination):
    """A bucket of an S3 server."""

    bucket: (
        Annotated[
            str,
            leaves.matching("a bucket's name", r"^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$", "3 to 63 characters"),
        ]
        | None
    ) = Field(default=None, description="The bucket. Required.")
    prefix: (
        Annotated[
            str, leaves.matching("a key prefix", r"^/?[^/\s]+(/[^/\s]+)*/?$", "folders joined by /, none of them empty")
        ]
        | None
    ) = Field(default=None, description="What every key begins with.")
    region: Text | None = Field(default=None, description="The region.")
    endpoint_url: Annotated[str, leaves.ENDPOINT] | None = Field(
        default=None, description="The server, where it is not AWS."
    )
    addressing_style: Annotated[Addressing, leaves.choice(Addressing)] = Field(
        default=Addressing.AUTO, description="How the bucket is named in URLs."
    )
    access_key_id: Text | None = Field(default=None, description="The access key; boto3's own chain where absent.")
    secret_access_key: SecretText | None = Field(default=None, description="The secret that belongs to the access key.")
    secret_access_key_file: SecretFile | None = Field(default=None, description="A file with it.")
    session_token: SecretText | None = Field(default=None, description="The token of a temporary access key.")
    session_token_file: SecretFile | None = Field(default=None, description="A file with it.")
    server_side_encryption: Annotated[Encryption, leaves.choice(Encryption)] | None = Field(
        default=None, description="What the server shall encrypt with."
    )
    kms_key_id: Text | None = Field(default=None, description="The KMS key, for the two `aws:kms` kinds.")
    storage_class: Text | None = Field(default=None, description="The storage class, such as `STANDARD_IA`.")
    tags: Annotated[dict[str, str], leaves.TAGS] | None = Field(default=None, description="Tags of every object.")
    checksum: Annotated[Checksum, leaves.choice(Checksum)] = Field(
        default=Checksum.AUTO, description="The checksum that goes with an upload."
    )
    part_size: Size = Field(
        default=32 * 1024**2, description="The size of one part of a multipart upload, 5MiB to 5GiB."
    )
    concurrency: Annotated[int, leaves.integer(1, 64)] = Field(
        default=4, description="How many parts are under way at once."
    )
    object_lock: ObjectLockSection | None = Field(default=None, description="Locks what is stored against deletion.")


class UnclearSection(LocalSection, S3Section):
    """A destination whose type is missing or wrong: its other mistakes are told all the same."""


def _destination_tag(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return str(kind) if isinstance(kind, str) and kind in set(DestinationType) else "unclear"


Destination: TypeAlias = Annotated[
    Annotated[LocalSection, Tag("local")] | Annotated[S3Section, Tag("s3")] | Annotated[UnclearSection, Tag("unclear")],
    Discriminator(_destination_tag),
]
