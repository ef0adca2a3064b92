"""A certificate authority that nobody trusts, and a server's certificate of it, made with the openssl command."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PrivateCa:
    """Files in PEM form: the authority's certificate, and the server's certificate and key."""

    certificate: Path
    server_certificate: Path
    server_key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_certificate, self.server_key)
        return context


def make_ca(folder: Path, *hosts: str) -> PrivateCa:
    """Make an authority and a certificate for 127.0.0.1 and these hosts."""
    names = ",".join(["IP:127.0.0.1", *(f"DNS:{host}" for host in hosts)])
    (folder / "server.ext").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    _openssl(
        folder,
        f"req -x509 {new_key} -keyout ca.key -out ca.pem -days 2 -subj /CN=private-ca"
        " -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign",
    )
    _openssl(folder, f"req {new_key} -keyout server.key -out server.csr -subj /CN=server")
    _openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile server.ext",
    )
    return PrivateCa(folder / "ca.pem", folder / "server.pem", folder / "server.key")


def _openssl(folder: Path, arguments: str) -> None:
    done = subprocess.run(  # the arguments are this module's own words
        ["openssl", *arguments.split()],  # noqa: S607 -- whichever openssl this machine has
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr.decode()
