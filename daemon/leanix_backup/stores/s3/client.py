"""The way to an S3 server: a botocore session with our settings, and everything else as AWS's own tools have it.

Where the configuration gives no keys, AWS's chain finds them: the environment, a profile, web identity (Kubernetes),
the container's or the instance's role; what is temporary there is renewed by itself.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from leanix_backup import __version__
from leanix_backup.config import Network, S3Destination, Secret
from leanix_backup.config.words import Checksum
from leanix_backup.errors import BackupError
from leanix_backup.events import redactor
from leanix_backup.stores.s3 import routes
from leanix_backup.stores.s3.body import sum_of

if TYPE_CHECKING:  # types alone: that package is not installed where this runs
    from mypy_boto3_s3 import S3Client

_CONNECT_TIMEOUT_S = 15
_READ_TIMEOUT_S = 60
_TRIES = 3  # of one request, over a few seconds; whoever ships tries again on a longer scale


def open_client(destination: S3Destination, network: Network, *, connections: int) -> S3Client:
    """Make a client; nothing is sent yet, except where AWS's chain asks for a role.

    Raises:
        BackupError: A secret or the CA bundle can't be read.
        BotoCoreError: AWS's own settings can't be used (a profile that does not exist, say).
    """
    session = Session()
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    if destination.region is not None:
        session.set_config_variable("region", destination.region)
    if (bundle := routes.authorities(network, os.environ)) is not None:
        session.set_config_variable("ca_bundle", bundle)
    session.set_default_client_config(Config(proxies=routes.proxies(network, _sts_host(session))))
    if destination.access_key_id is not None and destination.secret_access_key is not None:
        given = _Given(destination, destination.access_key_id, destination.secret_access_key)
        session.register_component("credential_provider", _Provider(given))
    client = _client(boto3.Session(botocore_session=session), destination, network, connections)
    _sum_deletes(client, destination.checksum)
    return client


@functools.cache
def _loader(data_path: str | None) -> Loader:
    """Make what reads botocore's descriptions of services, once for all sessions: that is most of what one costs."""
    return create_loader(data_path)


def _client(session: boto3.Session, destination: S3Destination, network: Network, connections: int) -> S3Client:
    proxies = routes.proxies(network, _host_of(destination, session.region_name))
    return session.client(
        "s3",
        endpoint_url=destination.endpoint_url,
        config=Config(
            proxies=proxies,
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            max_pool_connections=connections,
            tcp_keepalive=True,
            user_agent_extra=f"leanix-backup/{__version__}",
            # Checksums are said where they are due: botocore's own come in a form that many servers do not know.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # Every server checks the SHA-256 that is part of a signature, whatever it makes of other checksums.
            s3={"addressing_style": destination.addressing_style.value, "payload_signing_enabled": True},
        ),
    )


def _host_of(destination: S3Destination, region: str | None) -> str:
    """Say which host will be asked: a domain or an address in `no_proxy` covers it whatever stands before it."""
    endpoint = destination.endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return routes.host_of(endpoint) if endpoint else f"{destination.bucket}.s3.{region or 'us-east-1'}.amazonaws.com"


def _sts_host(session: Session) -> str:
    """Say which host exchanges a web identity for keys."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_STS") or os.environ.get("AWS_ENDPOINT_URL")
    return routes.host_of(endpoint) if endpoint else f"sts.{session.get_config_variable('region')}.amazonaws.com"


def _sum_deletes(client: S3Client, kind: Checksum) -> None:
    """Have deletes carry an MD5, which older servers insist on; for a server that wants MD5, nothing else."""

    def add(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        params["headers"]["Content-MD5"] = sum_of(params["body"], Checksum.MD5).value
        if kind is Checksum.MD5:
            context["checksum"] = {}

    client.meta.events.register("before-call.s3.DeleteObjects", add)


class _Given(Credentials):
    """Keys that the configuration gives; a file that holds one is read again for each request."""

    def __init__(self, destination: S3Destination, access_key_id: str, secret: Secret) -> None:
        super().__init__(access_key_id, "", method="explicit")
        self._where = f"destinations.{destination.name}"
        self._secret = secret
        self._token = destination.session_token

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Read the keys for one request.

        Raises:
            BackupError: A file can't be read, or is empty.
        """
        secret = self._read(self._secret, "secret_access_key")
        token = self._read(self._token, "session_token") if self._token is not None else None
        for each in (secret, token):
            if each is not None:
                redactor.learn(each)
        return ReadOnlyCredentials(self.access_key, secret, token)

    def _read(self, secret: Secret, setting: str) -> str:
        try:
            return secret.read()
        except BackupError as error:
            path = f"{self._where}.{setting}{'_file' if secret.path else ''}"
            error.hint = f"{error.hint}; see {path}" if error.hint else f"see {path}"
            raise


class _Provider:
    """What a session asks for credentials, in place of AWS's chain."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Credentials:
        """Return the credentials."""
        return self._credentials
