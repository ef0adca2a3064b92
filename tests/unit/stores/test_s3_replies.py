"""What S3 servers say, AWS's words among them that our test server never says, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from leanix_backup.config import Network, ObjectLock, S3Destination, Secret
from leanix_backup.config.words import Checksum, Encryption, LockMode
from leanix_backup.errors import ConflictError, StoreError
from leanix_backup.model import RetentionSpan
from leanix_backup.stores import StoredObject
from leanix_backup.stores.s3 import S3Store
from tests.support.raw_server import Request, raw_server, reply
from tests.support.s3_proxy import Head

KEY = "acme/snapshot/2027/03/a.xlsx"
NOW = datetime(2027, 3, 31, tzinfo=UTC)
NOT_ALLOWED = "User: arn:aws:iam::111122223333:user/backup is not authorized to perform: {} on resource: x because no"
EMPTY = "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>"
KEYS = (
    "<ListBucketResult><IsTruncated>{more}</IsTruncated>{token}<Contents><Key>{key}</Key><Size>5</Size>"
    "<LastModified>2027-03-31T00:00:00.000Z</LastModified><ETag>x</ETag></Contents></ListBucketResult>"
)


def xml(body: str, status: int = 200, **headers: str) -> bytes:
    return reply(status, f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode(), **headers)


def refusal(status: int, code: str, message: str = "", more: str = "", **headers: str) -> bytes:
    return xml(f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>", status, **headers)


MISSING = reply(404)


@dataclass
class Talk:
    """A store, and the server that it talks to; `answers` by operation, one after the other, the last one again."""

    store: S3Store
    answers: Mapping[str, list[bytes]]
    seen: Counter[str] = field(default_factory=Counter)
    requests: list[Request] = field(default_factory=list)


@asynccontextmanager
async def talking(answers: Mapping[str, bytes | list[bytes]], **settings: Any) -> AsyncIterator[Talk]:
    listed = {name: list(said) if isinstance(said, list) else [said] for name, said in answers.items()}

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        operation = Head(request.method, request.target, request.headers).operation
        talk.seen[operation] += 1
        talk.requests.append(request)
        said = listed[operation]
        writer.write(said.pop(0) if len(said) > 1 else said[0])
        await writer.drain()

    async with raw_server(answer) as server:
        given: dict[str, Any] = {
            "name": "offsite",
            "bucket": "backups",
            "region": "us-east-1",
            "endpoint_url": server.url,
            "access_key_id": "AKIDEXAMPLE",
            "secret_access_key": Secret("wJalrXUtnFEMI-secret"),
        }
        talk = Talk(S3Store(S3Destination(**given | settings), Network()), listed)
        yield talk


async def failure(attempt: Any) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await attempt
    assert caught.value.hint
    assert "wJalrXUtnFEMI" not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


async def scan(store: S3Store) -> list[StoredObject]:
    return [found async for found in store.scan()]


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (refusal(404, "NoSuchBucket"), "s3_bucket_missing", "destinations.offsite.bucket"),
        (refusal(403, "RequestTimeTooSkewed"), "s3_clock_skew", "clock"),
        (refusal(400, "ExpiredToken"), "s3_session_expired", "destinations.offsite.session_token"),
        (refusal(403, "InvalidAccessKeyId"), "s3_credentials_invalid", "destinations.offsite.access_key_id"),
        (refusal(403, "SignatureDoesNotMatch", "The signature"), "s3_credentials_invalid", "The signature"),
        (
            refusal(400, "AuthorizationHeaderMalformed", "wrong", "<Region>eu-west-1</Region>"),
            "s3_region_wrong",
            "another region, eu-west-1",
        ),
        (refusal(403, "QuotaExceeded", "too much"), "destination_full", "too much"),
        (refusal(403, "InvalidObjectState"), "s3_archived", "destinations.offsite.storage_class"),
        (refusal(400, "InvalidArgument", "a thing"), "s3_refused", "InvalidArgument: a thing"),
        (reply(404, b"<html><h1>Not here</h1></html>"), "s3_reply_invalid", "destinations.offsite.endpoint_url"),
        (reply(403, b"<html>Welcome<br>to the proxy"), "s3_reply_invalid", "403"),
        (reply(418, b"teapot"), "s3_reply_invalid", "418"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_each_error_has_a_code_and_names_the_setting(said: bytes, code: str, words: str) -> None:
    async with talking({"ListObjectVersions": said, "HeadObject": MISSING}) as talk:
        error = await failure(scan(talk.store))
    assert (error.code, error.retryable) == (code, code == "destination_full")
    assert words in f"{error.message} {error.hint}"
    assert "offsite" in f"{error.message} {error.hint}"


async def test_a_bucket_elsewhere_is_named_with_its_region() -> None:
    said = refusal(301, "PermanentRedirect", x_amz_bucket_region="eu-central-1")
    async with talking({"ListObjectVersions": said, "HeadObject": MISSING}) as talk:
        error = await failure(scan(talk.store))
    assert (error.code, error.retryable) == ("s3_region_wrong", False)
    assert "eu-central-1" in error.message
    assert "destinations.offsite.region" in error.hint


class TestDenied:
    async def test_it_names_the_action_that_aws_names(self) -> None:
        said = refusal(403, "AccessDenied", NOT_ALLOWED.format("s3:ListBucket"))
        async with talking({"ListObjectVersions": said, "ListObjectsV2": said}) as talk:
            error = await failure(scan(talk.store))
        assert (error.code, error.retryable) == ("destination_denied", False)
        assert "s3:ListBucket " in error.message
        assert "arn:aws" not in error.message

    async def test_a_reply_without_a_body_is_asked_for_its_reason(self) -> None:
        answers = {"HeadObject": reply(403), "GetObject": refusal(400, "ExpiredToken")}
        async with talking(answers) as talk:
            error = await failure(talk.store.put_bytes(KEY, b"x"))
            assert talk.seen == {"HeadObject": 1, "GetObject": 1}
        assert error.code == "s3_session_expired"

    async def test_a_key_that_may_not_be_used(self) -> None:
        said = refusal(403, "AccessDenied", NOT_ALLOWED.format("kms:GenerateDataKey"))
        async with talking({"HeadObject": MISSING, "PutObject": said}) as talk:
            error = await failure(talk.store.put_bytes(KEY, b"x"))
        assert error.code == "s3_kms_refused"
        assert "kms:GenerateDataKey" in error.message
        assert "destinations.offsite.kms_key_id" in error.hint


class TestOtherServers:
    async def test_one_that_lists_no_versions_lists_keys(self) -> None:
        first = KEYS.format(more="true", token="<NextContinuationToken>t</NextContinuationToken>", key=KEY)
        last = KEYS.format(more="false", token="", key="acme/b")
        answers: dict[str, Any] = {
            "ListObjectVersions": refusal(501, "NotImplemented"),
            "ListObjectsV2": [xml(first), xml(last)],
        }
        async with talking(answers) as talk:
            found = await scan(talk.store)
            assert found == [StoredObject(KEY, 5, NOW), StoredObject("acme/b", 5, NOW)]
            await scan(talk.store)
            assert talk.seen == {"ListObjectVersions": 1, "ListObjectsV2": 3}

    async def test_one_that_knows_no_conditions_is_asked_without(self) -> None:
        answers: dict[str, Any] = {"HeadObject": MISSING, "PutObject": [refusal(501, "NotImplemented"), reply(200)]}
        async with talking(answers) as talk:
            await talk.store.put_bytes(KEY, b"x")
            await talk.store.put_bytes("acme/b", b"x")
        conditions = [each.headers.get("if-none-match") for each in talk.requests if each.method == "PUT"]
        assert conditions == ["*", None, None]

    async def test_one_that_keeps_no_metadata_is_believed_by_its_checksum_or_read(self) -> None:
        checksum = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
        known: list[dict[str, str]] = [{"x_amz_checksum_sha256": checksum}, {}]
        for headers in known:
            answers = {"HeadObject": reply(200, b"", Content_Length="1", **headers), "GetObject": reply(200, b"x")}
            async with talking(answers) as talk:
                await talk.store.put_bytes(KEY, b"x")
                with pytest.raises(ConflictError):
                    await talk.store.put_bytes(KEY, b"y")
                assert talk.seen["GetObject"] == (0 if headers else 2)

    async def test_a_checksum_of_checksums_is_not_taken_for_that_of_the_whole(self) -> None:
        composite = {"x_amz_checksum_sha256": "zTBnwsNWVkdz0PwZObp0pDCxhYpP8sndExucneRKiO0=-2"}
        answers = {"HeadObject": reply(200, b"", Content_Length="1", **composite), "GetObject": reply(200, b"x")}
        async with talking(answers) as talk:
            await talk.store.put_bytes(KEY, b"x")
            assert talk.seen["GetObject"] == 1

    @pytest.mark.parametrize("kind", Checksum)
    async def test_a_delete_carries_an_md5_which_older_servers_insist_on(self, kind: Checksum) -> None:
        async with talking({"DeleteObjects": xml("<DeleteResult/>")}, checksum=kind) as talk:
            assert await talk.store.delete([StoredObject(KEY, 1, NOW, "v1")]) == ()
        (request,) = talk.requests
        assert "content-md5" in request.headers
        assert ("x-amz-checksum-crc32" in request.headers) == (kind is not Checksum.MD5)


class TestDelete:
    async def test_each_that_stays_has_its_reason(self) -> None:
        def one(key: str, code: str) -> str:
            return f"<Error><Key>{key}</Key><VersionId>v1</VersionId><Code>{code}</Code><Message>m</Message></Error>"

        errors = one("a", "AccessDenied") + one("b", "InternalError") + one("c", "NoSuchVersion") + one("d", "SlowDown")
        answers = {"DeleteObjects": xml(f"<DeleteResult>{errors}</DeleteResult>"), "HeadObject": reply(200)}
        async with talking(answers) as talk:
            stay = await talk.store.delete([StoredObject(key, 1, NOW, "v1") for key in "abcde"])
        assert {(each.key, each.error.code, each.error.retryable, each.locked_until) for each in stay} == {
            ("a", "destination_denied", False, None),
            ("b", "s3_unavailable", True, None),
            ("d", "s3_slow_down", True, None),
        }

    async def test_one_with_many_versions_stays_once_with_its_last_lock(self) -> None:
        error = "<Error><Key>a</Key><VersionId>{}</VersionId><Code>AccessDenied</Code></Error>"
        heads = [
            reply(
                200, x_amz_object_lock_mode="GOVERNANCE", x_amz_object_lock_retain_until_date=f"{year}-01-01T00:00:00Z"
            )
            for year in (2091, 2099, 2095)
        ]
        body = "".join(error.format(version) for version in ("v3", "v2", "v1"))
        answers: dict[str, Any] = {"DeleteObjects": xml(f"<DeleteResult>{body}</DeleteResult>"), "HeadObject": heads}
        async with talking(answers) as talk:
            (stays,) = await talk.store.delete([StoredObject("a", 1, NOW, "v3", ("v2", "v1"))])
        assert (stays.error.code, stays.locked_until) == ("destination_locked", datetime(2099, 1, 1, tzinfo=UTC))

    async def test_an_error_that_concerns_all_is_raised(self) -> None:
        async with talking({"DeleteObjects": refusal(403, "InvalidAccessKeyId")}) as talk:
            error = await failure(talk.store.delete([StoredObject(KEY, 1, NOW, "v1")]))
        assert error.code == "s3_credentials_invalid"


class TestTidy:
    UPLOADS = (
        "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
        "<Upload><Key>p/{ours}</Key><UploadId>1</UploadId><Initiated>2027-03-30T00:00:00.000Z</Initiated></Upload>"
        "<Upload><Key>p/{ours}</Key><UploadId>2</UploadId><Initiated>2027-03-31T23:00:00.000Z</Initiated></Upload>"
        "<Upload><Key>p/{ours}.not</Key><UploadId>3</UploadId><Initiated>2027-03-01T00:00:00.000Z</Initiated></Upload>"
        "<Upload><Key>p/other</Key><UploadId>4</UploadId><Initiated>2027-03-01T00:00:00.000Z</Initiated></Upload>"
        "</ListMultipartUploadsResult>"
    )
    OURS = "acme/snapshot/2027/03/acme-snapshot-20270331T023004Z-deadbeef.xlsx"

    async def test_only_of_this_key(self) -> None:
        answers = {"ListMultipartUploads": xml(self.UPLOADS.format(ours=self.OURS)), "AbortMultipartUpload": reply(204)}
        async with talking(answers, prefix="p") as talk:
            await talk.store.tidy(self.OURS)
        assert [each.query["uploadId"] for each in talk.requests if each.method == "DELETE"] == ["1", "2"]

    async def test_only_what_is_ours_and_old(self) -> None:
        answers = {"ListMultipartUploads": xml(self.UPLOADS.format(ours=self.OURS)), "AbortMultipartUpload": reply(204)}
        async with talking(answers, prefix="p") as talk:
            assert await talk.store.tidy_all(before=datetime(2027, 3, 31, tzinfo=UTC)) == 1
        assert [each.query["uploadId"] for each in talk.requests if each.method == "DELETE"] == ["1"]

    async def test_what_somebody_aborted_meanwhile_is_a_success(self) -> None:
        gone = refusal(404, "NoSuchUpload")
        answers = {"ListMultipartUploads": xml(self.UPLOADS.format(ours=self.OURS)), "AbortMultipartUpload": gone}
        async with talking(answers, prefix="p") as talk:
            await talk.store.tidy(self.OURS)

    async def test_a_server_that_lists_none_has_none(self) -> None:
        async with talking({"ListMultipartUploads": refusal(501, "NotImplemented")}) as talk:
            await talk.store.tidy(self.OURS)


class TestProperties:
    async def test_a_lock_ends_at_a_whole_second_in_utc(self) -> None:
        until = datetime(2099, 7, 1, 12, 0, 0, 5, tzinfo=ZoneInfo("Europe/Berlin"))
        lock = ObjectLock(LockMode.GOVERNANCE, RetentionSpan(days=2))
        async with talking({"HeadObject": MISSING, "PutObject": reply(200)}, object_lock=lock) as talk:
            await talk.store.put_bytes(KEY, b"x", retain_until=until)
        headers = talk.requests[-1].headers
        assert headers["x-amz-object-lock-mode"] == "GOVERNANCE"
        assert headers["x-amz-object-lock-retain-until-date"] == "2099-07-01T10:00:01Z"

    async def test_everything_that_is_configured_goes_with_an_object(self) -> None:
        settings: dict[str, Any] = {
            "server_side_encryption": Encryption.KMS,
            "kms_key_id": "alias/backup",
            "storage_class": "STANDARD_IA",
            "tags": {"owner": "a & b", "n": "1"},
        }
        async with talking({"HeadObject": MISSING, "PutObject": reply(200)}, **settings) as talk:
            await talk.store.put_bytes(KEY, b"x")
        headers = talk.requests[-1].headers
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/backup"
        assert "x-amz-storage-class" not in headers  # a manifest must be readable at any time
        assert headers["x-amz-tagging"] == "owner=a+%26+b&n=1"
        assert headers["x-amz-meta-sha256"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        assert headers["x-amz-content-sha256"] == headers["x-amz-meta-sha256"]
        assert headers["if-none-match"] == "*"
