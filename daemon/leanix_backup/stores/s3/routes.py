"""Whom to trust and which way to go: authorities and proxies for S3 and STS, as botocore takes them.

botocore brings a list of authorities of its own, and any other file replaces it. Here the system's list is what counts,
and `network.ca_bundle` adds to it, as for LeanIX: a bundle for a proxy that inspects TLS on the way to the one must not
keep the other from being reached.
"""

from __future__ import annotations

import atexit
import functools
import os
import ssl
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from botocore.httpsession import get_cert_path

from leanix_backup.config import Network
from leanix_backup.config.hosts import is_excepted, is_loopback
from leanix_backup.errors import StoreError
from leanix_backup.events import redactor

_SYSTEM_LISTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def authorities(network: Network, environment: Mapping[str, str]) -> str | None:
    """Name the file of authorities to trust; None leaves it to botocore, which then obeys the environment.

    Raises:
        StoreError: `ca_bundle_invalid`.
    """
    if network.ca_bundle is not None:
        return _joined(network.ca_bundle)
    if "AWS_CA_BUNDLE" in environment or "REQUESTS_CA_BUNDLE" in environment:
        return None
    return _system_list()


def proxies(network: Network, host: str) -> dict[str, str] | None:
    """Say which proxies lead to a host: none where it is reached directly; None leaves it to the environment."""
    if is_loopback(host) or is_excepted(host, network.no_proxy):
        return {}
    if network.proxy is None:
        return None
    url = network.proxy.read()
    redactor.learn(url)
    return {"http": url, "https": url}


def host_of(url: str) -> str:
    """Pick the host of a URL; empty where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _system_list() -> str | None:
    found = ssl.get_default_verify_paths().cafile
    return found or next((name for name in _SYSTEM_LISTS if Path(name).is_file()), None)


@functools.cache
def _joined(bundle: Path) -> str:
    """Join a bundle with the system's list in a file that lives as long as this process."""
    try:
        ssl.create_default_context(cafile=str(bundle))
        own = bundle.read_bytes()
    except (OSError, ssl.SSLError) as error:
        raise StoreError(
            f"the certificates in {bundle} can't be read",
            code="ca_bundle_invalid",
            hint="network.ca_bundle names a file with certificates in PEM form",
            retryable=False,
        ) from error
    both = Path(_system_list() or str(get_cert_path(verify=True))).read_bytes() + b"\n" + own
    if hasattr(os, "memfd_create"):  # no folder needed: a container's may be read-only
        descriptor = os.memfd_create("authorities")
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp(suffix=".pem")
        atexit.register(_remove, path)
    with os.fdopen(descriptor, "wb", closefd=not path.startswith("/proc/")) as file:
        file.write(both)
    return path


def _remove(path: str) -> None:
    with suppress(OSError):
        Path(path).unlink()
