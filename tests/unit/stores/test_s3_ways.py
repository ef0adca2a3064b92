"""How a bucket is reached: credentials, authorities, proxies; and what is not loaded before that."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from leanix_backup.config import Network, S3Destination, Secret
from leanix_backup.errors import StoreError
from leanix_backup.stores.s3 import S3Store, routes
from tests.support.forward_proxy import forward_proxy
from tests.support.private_ca import PrivateCa, make_ca
from tests.support.raw_server import RawServer, Request, raw_server, reply

NOTHING = reply(200, b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>")
ROLE = "arn:aws:iam::111122223333:role/leanix-backup"
KEYS = """<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>ASIAFROMSTS</AccessKeyId><SecretAccessKey>secret-from-sts</SecretAccessKey>
<SessionToken>token-from-sts</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/x/y</Arn><AssumedRoleId>A:y</AssumedRoleId></AssumedRoleUser>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's own: no keys, no profile, no role, no proxy."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy") or name == "REQUESTS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def ca(tmp_path: Path) -> PrivateCa:
    folder = tmp_path / "ca"
    folder.mkdir()
    return make_ca(folder, "s3.example", "sts.example")


def store(url: str | None, network: Network | None = None, **settings: Any) -> S3Store:
    given: dict[str, Any] = {"region": "us-east-1", "endpoint_url": url, "bucket": "backups"}
    return S3Store(S3Destination("offsite", **given | settings), network or Network())


def keys(secret: Secret | None = None) -> dict[str, Any]:
    return {"access_key_id": "AKIDGIVEN", "secret_access_key": secret or Secret("given-secret")}


async def scan(opened: S3Store) -> None:
    assert [found async for found in opened.scan()] == []


async def failure(opened: S3Store) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await scan(opened)
    return caught.value


def used(server: RawServer) -> list[str]:
    """Say with which access keys requests were signed."""
    return [each.headers["authorization"].partition("Credential=")[2].partition("/")[0] for each in server.requests]


class TestCredentials:
    async def test_none_anywhere(self) -> None:
        error = await failure(store("http://127.0.0.1:9"))
        assert (error.code, error.retryable) == ("s3_credentials_missing", False)
        assert "destinations.offsite.access_key_id" in error.hint

    async def test_of_a_profile_that_does_not_exist(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        error = await failure(store("http://127.0.0.1:9"))
        assert error.code == "s3_credentials_missing"
        assert "nobody" in error.message

    async def test_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        async with raw_server(NOTHING) as server:
            await scan(store(server.url))
            await scan(store(server.url, **keys()))
        assert used(server) == ["AKIDENVIRONMENT", "AKIDGIVEN"]

    async def test_of_a_profile(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        text = "[backup]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = secret\n"
        (tmp_path / "credentials").write_text(text)
        monkeypatch.setenv("AWS_PROFILE", "backup")
        async with raw_server(NOTHING) as server:
            await scan(store(server.url))
        assert used(server) == ["AKIDPROFILE"]

    async def test_of_a_web_identity_as_kubernetes_gives_it(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "token").write_text("the-web-identity-token")
        async with raw_server(reply(200, KEYS.encode())) as sts, raw_server(NOTHING) as server:
            monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
            monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
            await scan(store(server.url))
        assert b"the-web-identity-token" in sts.requests[0].body
        assert used(server) == ["ASIAFROMSTS"]
        assert server.requests[0].headers["x-amz-security-token"] == "token-from-sts"

    @pytest.mark.parametrize(
        ("said", "code", "words"),
        [
            ("ExpiredTokenException", "s3_session_expired", "session token"),
            ("AccessDenied", "destination_denied", "sts:AssumeRoleWithWebIdentity"),
        ],
    )
    async def test_that_sts_refuses(
        self, said: str, code: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "token").write_text("web-identity")
        refused = f"<ErrorResponse><Error><Code>{said}</Code><Message>no</Message></Error></ErrorResponse>"
        async with raw_server(reply(403, refused.encode())) as sts:
            monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
            monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
            error = await failure(store("http://127.0.0.1:9"))
        assert error.code == code
        assert words in f"{error.message} {error.hint}"
        assert "bucket" not in error.hint

    async def test_in_files_are_read_again_for_each_request(self, tmp_path: Path) -> None:
        secret, token = tmp_path / "secret", tmp_path / "token"
        secret.write_text("first-secret\n")
        token.write_text("first-token\n")
        async with raw_server(NOTHING) as server:
            opened = store(server.url, session_token=Secret(path=token), **keys(Secret(path=secret)))
            await scan(opened)
            token.write_text("second-token\n")
            await scan(opened)
        assert [each.headers["x-amz-security-token"] for each in server.requests] == ["first-token", "second-token"]

    async def test_in_a_file_that_is_gone(self, tmp_path: Path) -> None:
        opened = store("http://127.0.0.1:9", **keys(Secret(path=tmp_path / "secret")))
        with pytest.raises(Exception, match="secret file") as caught:
            await scan(opened)
        assert getattr(caught.value, "code", "") == "secret_unreadable"


class TestNobodyAnswers:
    async def test_at_all(self) -> None:
        error = await failure(store("http://127.0.0.1:9", **keys()))
        assert (error.code, error.retryable) == ("connect_failed", True)
        assert "destinations.offsite.endpoint_url" in error.hint

    async def test_whole(self) -> None:
        async def hang_up(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with raw_server(hang_up) as server:
            error = await failure(store(server.url, **keys()))
        assert (error.code, error.retryable) == ("connection_lost", True)


class TestTrust:
    async def test_an_authority_that_nobody_trusts(self, ca: PrivateCa) -> None:
        async with raw_server(NOTHING, tls=ca.server_context()) as server:
            error = await failure(store(server.url, **keys()))
        assert error.code == "tls_untrusted"
        assert "network.ca_bundle" in error.hint

    async def test_the_bundles_authority_besides_the_systems(self, ca: PrivateCa) -> None:
        network = Network(ca_bundle=ca.certificate)
        async with raw_server(NOTHING, tls=ca.server_context()) as server:
            await scan(store(server.url, network, **keys()))
        joined = routes.authorities(network, {})
        assert joined is not None
        text = Path(joined).read_text(encoding="utf-8")  # noqa: ASYNC240 -- a small file
        assert ca.certificate.read_text() in text
        assert text.count("BEGIN CERTIFICATE") > 20

    def test_without_one_the_systems_count_or_what_aws_tools_are_told(self) -> None:
        assert routes.authorities(Network(), {"AWS_CA_BUNDLE": "/x.pem"}) is None
        found = routes.authorities(Network(), {})
        assert found is None or "BEGIN CERTIFICATE" in Path(found).read_text(encoding="utf-8")

    @pytest.mark.parametrize("content", [None, b"no certificate"])
    async def test_a_bundle_that_can_not_be_read(self, content: bytes | None, tmp_path: Path) -> None:
        bundle = tmp_path / "bundle.pem"
        if content is not None:
            bundle.write_bytes(content)
        error = await failure(store("https://127.0.0.1:9", Network(ca_bundle=bundle), **keys()))
        assert (error.code, error.retryable) == ("ca_bundle_invalid", False)


class TestProxy:
    async def test_leads_to_s3_and_sts_with_the_bundles_authority(
        self, ca: PrivateCa, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "token").write_text("web-identity")
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "https://sts.example")
        tls = ca.server_context()
        async with raw_server(reply(200, KEYS.encode()), tls=tls) as sts, raw_server(NOTHING, tls=tls) as server:
            hosts = {"sts.example": sts.port, "s3.example": server.port}
            async with forward_proxy(hosts, credentials="user:proxy-password") as proxy:
                network = Network(ca_bundle=ca.certificate, proxy=Secret(proxy.url))
                await scan(store("https://s3.example", network))
        assert set(proxy.asked) == {"CONNECT sts.example:443", "CONNECT s3.example:443"}
        assert used(server) == ["ASIAFROMSTS"]

    async def test_that_refuses(self) -> None:
        async with forward_proxy({}, credentials="user:password") as proxy:
            network = Network(proxy=Secret(f"http://user:wrong-password@127.0.0.1:{proxy.port}"))
            error = await failure(store("https://s3.example", network, **keys()))
        assert (error.code, error.retryable) == ("proxy_failed", True)
        assert "wrong-password" not in f"{error.message} {error.hint} {error.__cause__}"

    @pytest.mark.parametrize("said", ["network", "environment"])
    async def test_never_leads_to_this_machine(self, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
        network = Network(proxy=Secret("http://127.0.0.1:9"))
        if said == "environment":
            network = Network()
            for name in ("HTTP_PROXY", "HTTPS_PROXY"):
                monkeypatch.setenv(name, "http://127.0.0.1:9")
        async with raw_server(NOTHING) as server:
            await scan(store(server.url, network, **keys()))
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        ("host", "no_proxy", "direct"),
        [
            ("s3.example", ("s3.example",), True),
            ("backups.s3.eu-central-1.amazonaws.com", (".amazonaws.com",), True),
            ("backups.s3.eu-central-1.amazonaws.com", ("eu-central-1.amazonaws.com",), True),
            ("10.1.2.3", ("10.0.0.0/8",), True),
            ("s3.example", ("other.example",), False),
            ("localhost", (), True),
        ],
    )
    def test_does_not_lead_to_what_is_excepted(self, host: str, no_proxy: tuple[str, ...], *, direct: bool) -> None:
        url = "http://proxy.example:3128"
        found = routes.proxies(Network(proxy=Secret(url), no_proxy=no_proxy), host)
        assert found == ({} if direct else {"http": url, "https": url})

    def test_of_the_environment_is_left_to_the_environment(self) -> None:
        assert routes.proxies(Network(), "s3.example") is None
        assert routes.proxies(Network(no_proxy=("s3.example",)), "s3.example") == {}


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_boto3_is_loaded_only_where_a_bucket_is_used() -> None:
    loaded = "import leanix_backup.destinations, leanix_backup.stores, sys"
    assert python(f"{loaded}; print({{'boto3', 'botocore'}} & set(sys.modules))").strip() == "set()"
