"""Start things and take what the kernel says of them; talk to the simulated workspace as any script would."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import installed

_LOOK_EVERY_S = 0.005
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds and peak resident memory of one piece of work."""

    seconds: float
    peak_rss_mib: float


def measured(command: Sequence[str | Path], *, env: Mapping[str, str], stderr: Path) -> Measured:
    """Run a command to its end.

    Raises:
        RuntimeError: It failed; with the end of what it wrote.
    """
    since = time.monotonic()
    peak_kib = 0
    with stderr.open("wb") as sink:
        process = subprocess.Popen([str(part) for part in command], env=dict(env), stdout=sink, stderr=sink)
        # What `wait4` says of memory starts with what this process itself had at the fork; the kernel's own high-water
        # mark of the new program is looked at instead. It never falls, so the last look before the end is the peak.
        while process.poll() is None:
            peak_kib = max(peak_kib, _high_water_kib(process.pid))
            time.sleep(_LOOK_EVERY_S)
    seconds = time.monotonic() - since
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {stderr.read_text()[-2000:]}")
    return Measured(seconds, peak_kib / 1024)


def _high_water_kib(pid: int) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:  # it has just ended
        return 0
    return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class Leanix:
    """The simulated workspace, in a process of its own."""

    url: str
    api_token: str

    def set_padding(self, size_bytes: int) -> None:
        """Have every export from now on padded to about that size."""
        self._call("PATCH", "/admin/switches", {"padding_bytes": size_bytes, "duration_s": 0.0}, {})

    def bearer(self) -> str:
        """Get an access token."""
        basic = base64.b64encode(f"apitoken:{self.api_token}".encode()).decode()
        form = b"grant_type=client_credentials"
        reply = self._call("POST", "/services/mtm/v1/oauth2/token", form, {"Authorization": f"Basic {basic}"})
        return str(reply["access_token"])

    def ready_export(self, bearer: str) -> str:
        """Start an export and wait for it, as the public scripts do; return the URL of its download."""
        headers = {"Authorization": f"Bearer {bearer}"}
        base = "/services/pathfinder/v1/exports"
        self._call("POST", f"{base}/fullExport?exportType=SNAPSHOT", b"", headers)
        while True:
            query = "exportType=SNAPSHOT&pageSize=40&sorting=createdAt&sortDirection=DESC"
            newest = self._call("GET", f"{base}?{query}", None, headers)["data"][0]
            if newest["status"] == "COMPLETED":
                state = self._call("GET", "/admin/state", None, {})
                workspace = state["workspaces"][0]["id"]
                return f"{self.url}{base}/downloads/{workspace}?key={newest['downloadKey']}"
            time.sleep(0.2)

    def _call(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=dict(headers))  # noqa: S310 -- loopback
        with _NO_PROXY.open(request, timeout=120) as reply:
            return json.loads(reply.read())


@contextmanager
def simulated() -> Iterator[Leanix]:
    """Start a simulated workspace and end it."""
    command = [str(installed.COMMAND), "simulate", "--fact-sheets", "2000", "--changes-per-hour", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            lines = [server.stdout.readline() for _ in range(2)]
            url = re.search(r"http://\S+", lines[0])
            assert url is not None, lines
            yield Leanix(url[0], lines[1].split()[-1])
        finally:
            server.terminate()
            server.wait(30)
