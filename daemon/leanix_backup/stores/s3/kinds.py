"""The kinds of errors that S3 says, and those that keep it from saying anything: codes, words, what to do. Data alone.

`{said}` stands for the other side's own words, `{…_setting}` for the path of a setting.
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore import exceptions as foreign
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of error: its code, its words, what to do, and whether another try may help."""

    code: str
    message: str
    hint: str
    retryable: bool = False


NO_BUCKET = Kind(
    "s3_bucket_missing",
    "there is no bucket {bucket}",
    "check {bucket_setting}, and that {endpoint_setting} and {region_setting} lead to where it is",
)
BAD_KEYS = Kind(
    "s3_credentials_invalid",
    "the credentials are not accepted ({said})",
    "check {keys_setting} and its secret; without them, AWS's own chain (environment, profile, role) gave the keys",
)
EXPIRED = Kind(
    "s3_session_expired",
    "the session token has expired or is not valid",
    "renew {token_setting} (a file is read again at once), or let a role renew it by itself",
)
SLOW = Kind(
    "s3_slow_down", "it asks to be asked more slowly", "it is tried again; other clients may be busy", retryable=True
)
AWAY = Kind(
    "s3_unavailable", "it has a fault of its own ({said})", "it is tried again; look at the server", retryable=True
)
BUSY = Kind(
    "s3_busy",
    "somebody else is storing that just now",
    "it is tried again; look who else writes there",
    retryable=True,
)
MISMATCH = Kind(
    "checksum_mismatch",
    "what arrived is not what was verified",
    "nothing was stored; look at the network, and at the memory and the disks of this machine",
    retryable=True,
)
REGION = Kind(
    "s3_region_wrong", "the bucket is in another region{region}", "set {region_setting} to the bucket's own region"
)
FULL = Kind(
    "destination_full", "there is no room left ({said})", "make room there, or keep fewer backups", retryable=True
)
KEY = Kind(
    "s3_kms_refused", "the encryption key can't be used ({said})", "check {kms_setting}, and what the key's policy says"
)
UNABLE = Kind("s3_unsupported", "the server does not know how to do that ({said})", "look which settings ask for it")
SAID: dict[str, Kind] = {
    "NoSuchBucket": NO_BUCKET,
    "InvalidBucketName": NO_BUCKET,
    "InvalidAccessKeyId": BAD_KEYS,
    "SignatureDoesNotMatch": BAD_KEYS,
    "InvalidClientTokenId": BAD_KEYS,
    "ExpiredToken": EXPIRED,
    "ExpiredTokenException": EXPIRED,
    "TokenRefreshRequired": EXPIRED,
    "InvalidToken": EXPIRED,
    "RequestTimeTooSkewed": Kind(
        "s3_clock_skew", "this machine's clock and the server's differ too much", "set the clock (NTP) of this machine"
    ),
    "SlowDown": SLOW,
    "Throttling": SLOW,
    "ThrottlingException": SLOW,
    "RequestLimitExceeded": SLOW,
    "TooManyRequests": SLOW,
    "429": SLOW,
    "InternalError": AWAY,
    "ServiceUnavailable": AWAY,
    "RequestTimeout": AWAY,
    "OperationAborted": AWAY,
    "PreconditionFailed": BUSY,
    "412": BUSY,
    "ConditionalRequestConflict": BUSY,
    "NoSuchUpload": Kind(
        "s3_upload_gone", "the upload is gone", "it is tried again; somebody may abort uploads", retryable=True
    ),
    "BadDigest": MISMATCH,
    "InvalidDigest": MISMATCH,
    "XAmzContentSHA256Mismatch": MISMATCH,
    "XAmzContentChecksumMismatch": MISMATCH,
    "IncompleteBody": MISMATCH,
    "PermanentRedirect": REGION,
    "AuthorizationHeaderMalformed": REGION,
    "IllegalLocationConstraintException": REGION,
    "301": REGION,
    "InvalidObjectState": Kind(
        "s3_archived",
        "it lies in an archive, from which it must be restored before it can be read",
        "restore it at the server, and look at {class_setting}",
    ),
    "QuotaExceeded": FULL,
    "InsufficientStorage": FULL,
    "XMinioStorageFull": FULL,
    "NotImplemented": UNABLE,
    "MethodNotAllowed": UNABLE,
    "501": UNABLE,
}
NO_LOCK = Kind(
    "s3_lock_unavailable",
    "the bucket does not take locks ({said})",
    "switch on object lock for the bucket, or leave out {lock_setting}",
)
NO_SENSE = Kind("s3_setting_invalid", "{said}", "check {endpoint_setting} and the other settings of this destination")
REFUSED = Kind("s3_refused", "it refused {operation}: {said}", "look at the settings of this destination")
NO_SERVER = Kind("s3_reply_invalid", "what answered is no S3 server ({said})", "check {endpoint_setting}")
_NO_KEYS = "give {keys_setting}, or a profile, a web identity or a role that AWS's own chain finds"
# The first whose class fits counts.
HAPPENED: tuple[tuple[tuple[type[Exception], ...], Kind], ...] = (
    (
        (foreign.SSLError,),
        Kind("tls_untrusted", "its certificate is not trusted ({said})", "give its authority in network.ca_bundle"),
    ),
    (
        (foreign.ProxyConnectionError, foreign.InvalidProxiesConfigError),
        Kind("proxy_failed", "the proxy does not let through", "check network.proxy, or HTTPS_PROXY", retryable=True),
    ),
    (
        (foreign.EndpointConnectionError, foreign.ConnectTimeoutError),
        Kind(
            "connect_failed",
            "no connection",
            "check {endpoint_setting}, DNS, the firewall, network.proxy",
            retryable=True,
        ),
    ),
    (
        (foreign.ReadTimeoutError,),
        Kind("timeout", "no answer in time", "look at the network and the server", retryable=True),
    ),
    (
        (
            foreign.NoCredentialsError,
            foreign.PartialCredentialsError,
            foreign.CredentialRetrievalError,
            foreign.MetadataRetrievalError,
            foreign.ProfileNotFound,
            foreign.ConfigParseError,
            foreign.ConfigNotFound,
            foreign.SSOError,
            foreign.TokenRetrievalError,
        ),
        Kind("s3_credentials_missing", "no credentials were found ({said})", _NO_KEYS),
    ),
    (
        (ResponseParserError,),
        NO_SERVER,
    ),
    (
        (foreign.HTTPClientError, foreign.ConnectionError, foreign.IncompleteReadError, HTTPError),
        Kind("connection_lost", "the connection broke off", "look at the network; it is tried again", retryable=True),
    ),
    (
        (foreign.NoRegionError, foreign.InvalidRegionError),
        Kind("s3_region_wrong", "a region is needed ({said})", "set {region_setting}"),
    ),
)
