"""Every request that the store makes, one method each: blocking, typed, with errors translated.

What is not asked for here needs no permission; `docs/s3.md` has the policies. Keys are the bucket's own, with the
prefix. A method may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from leanix_backup.config import Network, S3Destination
from leanix_backup.errors import StoreError
from leanix_backup.stores.s3.body import Body, Sum
from leanix_backup.stores.s3.client import open_client
from leanix_backup.stores.s3.faults import Call, from_reply, translated
from leanix_backup.stores.s3.listing import Entry
from leanix_backup.stores.s3.objects import SHA256_FIELD, Head, Refused, Upload

if TYPE_CHECKING:  # types alone: that package is not installed where this runs
    from mypy_boto3_s3 import S3Client

_WITHOUT_A_REASON = {"400", "403", "301", "307"}  # the codes of replies to HEAD, which have no body


class Bucket:
    """A bucket and the requests to it; a connection is made with the first one.

    Args:
        destination: Which bucket, with which credentials.
        network: Which authorities and proxies.
        connections: How many requests may be under way at once.
    """

    def __init__(self, destination: S3Destination, network: Network, *, connections: int) -> None:
        self._destination = destination
        self._network = network
        self._connections = connections
        self._opening = threading.Lock()
        self._client: S3Client | None = None

    def head(self, key: str, version: str | None = None) -> Head | None:
        """Look at an object; None where there is none, where it is hidden, and for a delete marker.

        Raises:
            StoreError: With the server's reason, for which it is asked once more in a way that tells it.
        """
        call = self._call("HeadObject", key, version)
        with translated(call):
            client = self._open()
            try:
                found = client.head_object(
                    Bucket=self._destination.bucket, Key=key, ChecksumMode="ENABLED", **_of(version)
                )
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code"))
                if code in {"404", "405", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed"}:
                    return None
                if code in _WITHOUT_A_REASON:
                    self._ask_why(key, version)
                raise
        whole = found.get("ChecksumType") != "COMPOSITE" and "-" not in found.get("ChecksumSHA256", "-")
        return Head(
            size_bytes=found["ContentLength"],
            sha256=found["Metadata"].get(SHA256_FIELD),
            checksum=found.get("ChecksumSHA256") if whole else None,
            locked_until=found.get("ObjectLockRetainUntilDate"),
            held=found.get("ObjectLockLegalHoldStatus") == "ON",
        )

    def get(self, key: str, version: str | None = None, *, first_bytes: bool = False) -> StreamingBody:
        """Open an object for reading.

        Raises:
            NotStoredError: There is none, or it is hidden.
        """
        with translated(self._call("GetObject", key, version)):
            some: Mapping[str, Any] = {"Range": "bytes=0-0"} if first_bytes else {}
            return self._open().get_object(Bucket=self._destination.bucket, Key=key, **_of(version), **some)["Body"]

    def read(self, body: StreamingBody, size: int) -> bytes:
        """Read on; nothing at the end, which is proved to be the object's own."""
        with translated(self._call("GetObject")):
            return body.read(size)

    def put(
        self, key: str, body: Body | bytes, checksum: Sum, properties: Mapping[str, Any], *, if_absent: bool
    ) -> None:
        """Store an object with one request."""
        sums: Mapping[str, Any] = {checksum.parameter: checksum.value}
        condition: Mapping[str, Any] = {"IfNoneMatch": "*"} if if_absent else {}
        with translated(self._call("PutObject", key, locking="ObjectLockMode" in properties)):
            self._open().put_object(
                Bucket=self._destination.bucket,
                Key=key,
                Body=cast("Any", body),  # the types want every method of a file
                ContentLength=len(body),
                **sums,
                **condition,
                **properties,
            )

    def begin(self, key: str, algorithm: str | None, properties: Mapping[str, Any]) -> Upload:
        """Begin a multipart upload."""
        sums: Mapping[str, Any] = {"ChecksumAlgorithm": algorithm} if algorithm else {}
        with translated(self._call("CreateMultipartUpload", key, locking="ObjectLockMode" in properties)):
            begun = self._open().create_multipart_upload(Bucket=self._destination.bucket, Key=key, **sums, **properties)
            return Upload(key, begun["UploadId"])

    def put_part(self, upload: Upload, number: int, body: Body | bytes, checksum: Sum) -> str:
        """Send one part and return its ETag; the server refuses it where it is not what its checksum says."""
        sums: Mapping[str, Any] = {checksum.parameter: checksum.value}
        with translated(self._call("UploadPart", upload.key)):
            sent = self._open().upload_part(
                Bucket=self._destination.bucket,
                Key=upload.key,
                UploadId=upload.id,
                PartNumber=number,
                Body=cast("Any", body),  # the types want every method of a file
                ContentLength=len(body),
                **sums,
            )
            return sent["ETag"]

    def complete(self, upload: Upload, parts: Sequence[tuple[str, Sum]], *, if_absent: bool) -> None:
        """Make an object of the parts, given in their order with their ETags."""
        condition: Mapping[str, Any] = {"IfNoneMatch": "*"} if if_absent else {}
        listed: list[Any] = [
            {"PartNumber": number, "ETag": etag} | ({checksum.parameter: checksum.value} if checksum.algorithm else {})
            for number, (etag, checksum) in enumerate(parts, start=1)
        ]
        with translated(self._call("CompleteMultipartUpload", upload.key)):
            self._open().complete_multipart_upload(
                Bucket=self._destination.bucket,
                Key=upload.key,
                UploadId=upload.id,
                MultipartUpload={"Parts": listed},
                **condition,
            )

    def abort(self, upload: Upload) -> None:
        """Throw a multipart upload and its parts away; one that is not there is a success."""
        try:
            with translated(self._call("AbortMultipartUpload", upload.key)):
                self._open().abort_multipart_upload(Bucket=self._destination.bucket, Key=upload.key, UploadId=upload.id)
        except StoreError as error:
            if error.code != "s3_upload_gone":
                raise

    def uploads(self, prefix: str) -> list[Upload]:
        """List the multipart uploads under a prefix that were begun and not ended."""
        found: list[Upload] = []
        with translated(self._call("ListMultipartUploads")):
            pages = self._open().get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._destination.bucket, Prefix=prefix):
                found += [Upload(each["Key"], each["UploadId"], each["Initiated"]) for each in page.get("Uploads", [])]
        return found

    def list_versions(self, prefix: str, after: tuple[str, str] | None) -> tuple[list[Entry], tuple[str, str] | None]:
        """List up to a thousand versions and delete markers.

        Args:
            prefix: What their keys begin with.
            after: What the page before this one returned.

        Returns:
            The entries, and the key and version to go on after; None for the last page.
        """
        start: Mapping[str, Any] = {"KeyMarker": after[0], "VersionIdMarker": after[1]} if after else {}
        with translated(self._call("ListObjectVersions")):
            page = self._open().list_object_versions(Bucket=self._destination.bucket, Prefix=prefix, **start)
        entries = [
            Entry(each["Key"], each["VersionId"], each["IsLatest"], each["LastModified"], each["Size"])
            for each in page.get("Versions", [])
        ]
        entries += [
            Entry(each["Key"], each["VersionId"], each["IsLatest"], each["LastModified"], None)
            for each in page.get("DeleteMarkers", [])
        ]
        if not page["IsTruncated"]:
            return entries, None
        return entries, (page["NextKeyMarker"], page.get("NextVersionIdMarker", ""))

    def list_keys(self, prefix: str, after: str | None) -> tuple[list[Entry], str | None]:
        """List up to a thousand keys, without versions; the second is what to go on with, None at the end."""
        start: Mapping[str, Any] = {"ContinuationToken": after} if after else {}
        with translated(self._call("ListObjectsV2")):
            page = self._open().list_objects_v2(Bucket=self._destination.bucket, Prefix=prefix, **start)
        entries = [
            Entry(each["Key"], None, latest=True, modified_at=each["LastModified"], size_bytes=each["Size"])
            for each in page.get("Contents", [])
        ]
        return entries, page.get("NextContinuationToken") if page["IsTruncated"] else None

    def delete(self, targets: Sequence[tuple[str, str | None]]) -> tuple[list[Refused], list[tuple[str, str]]]:
        """Delete up to a thousand versions of keys with one request.

        Returns:
            Those that were refused, and the delete markers that the server placed, with their ids, because a target
            named no version and the bucket keeps them.
        """
        objects: list[Any] = [
            {"Key": key} | ({"VersionId": version} if version is not None else {}) for key, version in targets
        ]
        with translated(self._call("DeleteObjects")):
            reply = self._open().delete_objects(Bucket=self._destination.bucket, Delete={"Objects": objects})
        unnamed = {key for key, version in targets if version is None}
        refused = [
            Refused(
                each.get("Key", ""),
                each.get("VersionId"),
                from_reply(
                    self._call("DeleteObjects", each.get("Key", ""), each.get("VersionId")), {"Error": dict(each)}
                ),
            )
            for each in reply.get("Errors", [])
        ]
        placed = [
            (each["Key"], each["DeleteMarkerVersionId"])
            for each in reply.get("Deleted", [])
            if each.get("DeleteMarker") and each["Key"] in unnamed and "DeleteMarkerVersionId" in each
        ]
        return refused, placed

    def _ask_why(self, key: str, version: str | None) -> None:
        """Ask again in a way that has a body in its reply, so that the reason comes out as an error."""
        self.get(key, version, first_bytes=True).close()

    def _call(self, operation: str, key: str = "", version: str | None = None, *, locking: bool = False) -> Call:
        where = self._destination
        return Call(where.name, where.bucket, operation, key, versioned=version is not None, locking=locking)

    def _open(self) -> S3Client:
        with self._opening:
            if self._client is None:
                self._client = open_client(self._destination, self._network, connections=self._connections)
            return self._client


def _of(version: str | None) -> Mapping[str, Any]:
    return {"VersionId": version} if version is not None else {}
