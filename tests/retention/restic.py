"""The real restic as a judge of retention: a repository full of snapshots at times of our choosing, and `forget`.

`restic backup --time` takes most of a second each, as every call derives the key of the repository from the password
anew, and that is made to be slow. So the repository is written here, in restic's own format and with a key that is
cheap to derive; what is kept is still restic's decision alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

from leanix_backup.model import RetentionPolicy, RetentionSpan

_PASSWORD = "not-a-secret"
_ENCRYPT_KEY, _MAC_KEY = bytes(range(32)), bytes(range(16))
_MAC_R = int.from_bytes(bytes(range(16)), "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
_POLYNOMIAL = "2d06cb4b8060f1"  # any irreducible one
_LONGEST = 4096
# One nonce for all files of a repository that holds nothing but times: its key stream is made once.
_NONCE = bytes(range(1, 17))


def find() -> str | None:
    """Find restic: `RESTIC` names it, else it is looked for on the PATH."""
    return shutil.which(os.environ.get("RESTIC") or "restic")


def why_not() -> str | None:
    """Say why restic can't be asked here; None where it can."""
    command = find()
    if command is None:
        return "there is no restic: put 0.16 or newer on the PATH, or name it by RESTIC=…"
    said = subprocess.run([command, "version"], check=True, capture_output=True, text=True).stdout.split()
    version = tuple(int(part) for part in said[1].split("-")[0].split(".")[:2])
    if version < (0, 16):
        return f"restic {said[1]} is too old: 0.16 is the first with the rule of the oldest; name another by RESTIC=…"
    return None if shutil.which("openssl") else "there is no openssl command to write the repository with"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository whose snapshots belong to `hosts`: each host is a set of times that is judged on its own."""

    folder: Path
    _streams: dict[bytes, bytes] = field(default_factory=dict)

    def make(self) -> None:
        """Write an empty repository with one key."""
        for name in ("data", "index", "keys", "locks", "snapshots", "tmp"):
            (self.folder / name).mkdir(parents=True)
        identifier = hashlib.sha256(b"retention").hexdigest()
        config = {"version": 1, "id": identifier, "chunker_polynomial": _POLYNOMIAL}
        (self.folder / "config").write_bytes(self._seal(config))
        salt = bytes(64)
        derived = hashlib.scrypt(_PASSWORD.encode(), salt=salt, n=2, r=1, p=1, dklen=64)
        master = {
            "mac": {"k": _base64(_MAC_KEY), "r": _base64(_MAC_R.to_bytes(16, "little"))},
            "encrypt": _base64(_ENCRYPT_KEY),
        }
        keys = (derived[:32], derived[32:48], _clamped(derived[48:]))
        key = {
            "created": "2026-01-01T00:00:00Z",
            "username": "",
            "hostname": "",
            "kdf": "scrypt",
            "N": 2,
            "r": 1,
            "p": 1,
            "salt": _base64(salt),
            "data": _base64(self._seal(master, keys)),
        }
        self._store("keys", json.dumps(key).encode())

    def add(self, host: str, times: Iterable[datetime], zone: ZoneInfo) -> None:
        """Write a snapshot of a host at each of these times, each with the offset that the zone has then."""
        for time in times:
            snapshot = {
                "time": time.astimezone(zone).isoformat(),
                "tree": "0" * 64,
                "paths": ["/"],
                "hostname": host,
                "username": "",
            }
            self._store("snapshots", self._seal(snapshot))

    def kept(self, policy: RetentionPolicy, hosts: Sequence[str], zone: ZoneInfo) -> Mapping[str, set[datetime]]:
        """Ask restic what it would keep of some hosts' snapshots, in a zone."""
        command = [str(find()), "forget", "--dry-run", "--json", "--no-cache", "--no-lock", "--group-by", "host"]
        command += [f"--repo={self.folder}", *(f"--host={host}" for host in hosts), *options(policy)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder / "tmp")}
        environment |= {"RESTIC_PASSWORD": _PASSWORD, "TZ": _zone_file(zone)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return {
            group["host"]: {datetime.fromisoformat(each["time"]) for each in group["keep"] or ()}
            for group in json.loads(done.stdout)
        }

    def _store(self, kind: str, content: bytes) -> None:
        (self.folder / kind / hashlib.sha256(content).hexdigest()).write_bytes(content)

    def _seal(self, value: object, keys: tuple[bytes, bytes, int] = (_ENCRYPT_KEY, _MAC_KEY, _MAC_R)) -> bytes:
        """Encrypt and sign as restic does: AES-256 in counter mode, Poly1305 over the result, keyed by AES-128."""
        encrypt, mac_key, mac_r = keys
        plain = json.dumps(value).encode()
        stream = self._stream("aes-256-ctr", encrypt)
        text = bytes(left ^ right for left, right in zip(plain, stream, strict=False))
        assert len(text) == len(plain)
        total = 0
        for start in range(0, len(text), 16):
            block = text[start : start + 16] + b"\1"
            total = (total + int.from_bytes(block, "little")) * mac_r % (2**130 - 5)
        once = int.from_bytes(self._stream("aes-128-ecb", mac_key)[:16], "little")
        return _NONCE + text + ((total + once) % 2**128).to_bytes(16, "little")

    def _stream(self, cipher: str, key: bytes) -> bytes:
        """Make the key stream of the counter mode, or what the nonce is as a block."""
        if key not in self._streams:
            command = ["openssl", "enc", f"-{cipher}", "-nopad", "-K", key.hex()]
            command += ["-iv", _NONCE.hex()] if cipher.endswith("ctr") else []
            made = subprocess.run(
                command, input=bytes(_LONGEST) if cipher.endswith("ctr") else _NONCE, capture_output=True, check=True
            )
            self._streams[key] = made.stdout
        return self._streams[key]


def options(policy: RetentionPolicy) -> list[str]:
    """Say a policy's keep rules as restic's options."""
    found = []
    for rule in RetentionPolicy.__dataclass_fields__:
        value = getattr(policy, rule)
        if rule.startswith("keep_") and rule != "keep_min" and value:
            text = _span(value) if isinstance(value, RetentionSpan) else str(value)
            found.append(f"--{rule.replace('_', '-')}={text}")
    return found


def _span(span: RetentionSpan) -> str:
    return f"{span.years}y{span.months}m{span.days}d{span.hours}h"


def _zone_file(zone: ZoneInfo) -> str:
    """Name the zone's file in the tzdata package, so that the machine need not have any."""
    return str(files("tzdata").joinpath("zoneinfo", *zone.key.split("/")))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _clamped(data: bytes) -> int:
    return int.from_bytes(data, "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
