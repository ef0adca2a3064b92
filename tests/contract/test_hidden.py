"""A backup that somebody deleted in a bucket that keeps versions: named by `list`, `show` and `verify`, and fetched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import in_process
from tests.support.installed import Result
from tests.support.reader import NEW, OLD
from tests.support.seaweed import ADMIN, SeaweedFS, secret_of


class Vault:
    """A bucket with two backups, in which somebody may delete."""

    def __init__(self, server: SeaweedFS, folder: Path) -> None:
        self.client = server.client()
        self.bucket = server.new_bucket(versioned=True)
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LEANIX_BACKUP", "AWS_"))}
        said = {
            "TYPE": "s3",
            "BUCKET": self.bucket,
            "PREFIX": "here/too",
            "ENDPOINT_URL": server.url,
            "REGION": "us-east-1",
            "ACCESS_KEY_ID": ADMIN,
            "SECRET_ACCESS_KEY": secret_of(ADMIN),
        }
        self.env = clean | {f"LEANIX_BACKUP__DESTINATIONS__VAULT__{name}": text for name, text in said.items()}
        for each in (OLD, NEW):
            self.put(each.key.artifact, each.data)
            self.put(each.key.manifest, each.manifest_bytes)

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"here/too/{key}", Body=data)

    def delete(self, key: str) -> None:
        """Delete as somebody does who knows nothing of versions."""
        self.client.delete_object(Bucket=self.bucket, Key=f"here/too/{key}")

    def run(self, *arguments: str) -> Result:
        done = in_process.run(*arguments, env=self.env, cwd=self.folder)
        assert secret_of(ADMIN) not in done.out + done.err
        return done


@pytest.fixture
def vault(server: SeaweedFS, tmp_path: Path) -> Vault:
    return Vault(server, tmp_path)


def test_what_nobody_deleted_is_good(vault: Vault) -> None:
    done = vault.run("list", "--json")
    assert done.status == 0, done.err
    assert [each["run_id"] for each in done.report["backups"]] == ["00000001", "00000002"]
    done = vault.run("verify", "--all", "--json")
    assert done.status == 0, done.out
    assert len(done.report["checked"]) == 2
    assert vault.run("fetch", "acme/snapshot@latest", "-o", "a.xlsx").status == 0
    assert (vault.folder / "a.xlsx").read_bytes() == NEW.data


@pytest.mark.parametrize("parts", [("artifact", "manifest"), ("artifact",), ("manifest",)])
def test_what_somebody_deleted_is_named_and_can_be_fetched(vault: Vault, parts: tuple[str, ...]) -> None:
    for part in parts:
        vault.delete(getattr(NEW.key, part))
    done = vault.run("list", "--json")
    assert done.status == 1
    old, new = done.report["backups"]
    assert (old["hidden"], len(old["copies"])) == ([], 1)
    assert (new["hidden"], new["copies"]) == ([{"destination": "vault", "key": NEW.key.artifact}], [])
    assert "(hidden)" in vault.run("list").out
    done = vault.run("show", "00000002", "--json")
    assert done.status == 1
    assert done.report["manifest"]["run_id"] == NEW.manifest.run_id
    assert vault.run("show", "acme/snapshot@latest", "--json").report["manifest"]["run_id"] == OLD.manifest.run_id
    for arguments in ((), ("--all",), ("00000002",), (NEW.key.manifest,)):
        done = vault.run("verify", "--json", *arguments)
        assert done.status == 1
        (bad,) = [each for each in done.report["checked"] if not each["ok"]]
        assert (bad["key"], bad["error"]["code"]) == (NEW.key.artifact, "backup_hidden")
    done = vault.run("fetch", NEW.key.artifact, "-o", ".", "--json")
    assert done.status == 0, done.err
    assert done.report["fetched"]["hidden"] is True
    assert (vault.folder / done.report["fetched"]["path"]).read_bytes() == NEW.data
    done = vault.run("fetch", "00000002", "-o", ".", "--force")
    assert "somebody deleted it" in done.err


def test_what_was_put_there_under_a_deleted_one_is_not_taken_for_it(vault: Vault) -> None:
    vault.delete(NEW.key.artifact)
    vault.put(NEW.key.artifact, NEW.data[:-1])
    done = vault.run("verify", "00000002", "--json")
    assert done.status == 1
    assert [each["error"]["code"] for each in done.report["checked"]] == ["backup_truncated"]
    assert vault.run("fetch", "00000002", "-o", ".").status == 1
    assert list(vault.folder.iterdir()) == []
