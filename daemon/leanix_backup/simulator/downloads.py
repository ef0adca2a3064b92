"""The download: one key, one use, and everything that can go wrong on the way."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from leanix_backup.simulator.broken import begin_header, fall_silent, odd_reply, reset, reset_in_header
from leanix_backup.simulator.exports import Export
from leanix_backup.simulator.foreign import write_foreign
from leanix_backup.simulator.replies import Refused, hang_up
from leanix_backup.simulator.services import Services
from leanix_backup.simulator.spoilt import spoil
from leanix_backup.simulator.switches import DownloadFault
from leanix_backup.simulator.workspace import SimulatedWorkspace

OCTET_STREAM = "application/octet-stream"
_CHUNK = 1024 * 1024
_SLICES_PER_S = 20  # a throttled transfer goes out in pieces of a twentieth of a second
_BEFORE_THE_BODY: tuple[DownloadFault, ...] = ("hang_up", "cut_header", "stall_header")
_IN_TRANSIT: tuple[DownloadFault, ...] = ("none", "cut", "reset", "stall", *_BEFORE_THE_BODY)


@dataclass(frozen=True, slots=True)
class _Ticket:
    """What a redirect leads to; `prepaid`: the redirect has spent the key already."""

    workspace: SimulatedWorkspace
    export: Export
    prepaid: bool

    @property
    def valid(self) -> bool:
        """Whether the workbook may still be had with it."""
        return self.export.usable or (self.prepaid and not self.export.gone)


class Downloads:
    """The download endpoint and the blob store that it may redirect to.

    `counters`: download_requests, downloads (a 200 or 206 has begun), downloads_completed, keys_spent, second_uses,
    redirects, blob_requests, blob_with_bearer, foreign_downloads. A key that a broken transfer left usable is taken
    back from keys_spent.
    """

    def __init__(self, services: Services, folder: Path) -> None:
        self._services = services
        self._folder = folder
        self._tickets: dict[str, _Ticket] = {}
        self.other_origin = ""

    async def download(self, request: Request) -> Response:
        """Send an export's workbook, or redirect to it."""
        services, switches = self._services, self._services.switches
        workspace = services.authorized(request)
        services.counters["download_requests"] += 1
        if request.path_params["workspace_id"] != workspace.settings.workspace_id:
            raise Refused(403, "HTTP 403 Forbidden", value=request.path_params["workspace_id"])
        key = request.query_params.get("key", "")
        if not key:
            raise Refused(400, "query param key must not be null")
        accept = request.headers.get("accept", "*/*")
        if "*/*" not in accept and OCTET_STREAM not in accept:
            raise Refused(406, "HTTP 406 Not Acceptable", value=accept)
        workspace.settle()
        export = workspace.book.with_key(key)
        if export is None or not export.usable:
            services.counters["second_uses"] += 1
            raise Refused(switches.second_use_status, "The download key is not valid (any more).")
        if switches.download_redirect == "none":
            return await self._transfer(workspace, export, request)
        services.counters["redirects"] += 1
        if switches.redirect_spends_key:
            self._spend(export)
        if switches.download_redirect == "url":
            return RedirectResponse(switches.download_redirect_url, 302)
        ticket = uuid.uuid4().hex
        self._tickets[ticket] = _Ticket(workspace, export, prepaid=switches.redirect_spends_key)
        origin = self.other_origin if switches.download_redirect == "other_origin" else ""
        return RedirectResponse(f"{origin}/blob/{ticket}?sig={uuid.uuid4().hex}", 302)

    async def blob(self, request: Request) -> Response:
        """Send a workbook to whoever has the signed address; a bearer is not wanted on another origin."""
        counters = self._services.counters
        counters["blob_requests"] += 1
        if "authorization" in request.headers:
            counters["blob_with_bearer"] += 1
            if f"{request.url.scheme}://{request.url.netloc}" == self.other_origin:
                raise Refused(400, "only one kind of authentication is allowed")
        ticket = self._tickets.get(request.path_params["ticket"])
        if ticket is not None:
            ticket.workspace.settle()
        if ticket is None or not ticket.valid:
            raise Refused(404, "The specified blob does not exist.")
        reply = await self._transfer(ticket.workspace, ticket.export, request)
        self._tickets.pop(request.path_params["ticket"], None)
        return reply

    async def _transfer(self, workspace: SimulatedWorkspace, export: Export, request: Request) -> Response:
        switches, counters = self._services.switches, self._services.counters
        fault = switches.download_fault
        if fault != "none" and not switches.take("download_fault_times"):
            fault = "none"
        if fault == "status":
            raise self._services.refusal(switches.download_fault_status, "the file is not available")
        if fault == "html":
            return odd_reply(fault, headers=self._services.retry_after())
        path, kind, temporary = await self._content(export, fault)
        size = path.stat().st_size
        start, end = _range(request.headers.get("range", ""), size) if switches.download_range else (0, size)
        self._spend(export)
        counters["downloads"] += 1
        counters["foreign_downloads"] += export.user is not None
        export.downloads += 1
        headers = {
            "content-type": kind,
            "content-disposition": f'attachment; filename="{workspace.settings.name}.xlsx"',
        }
        if switches.download_framing == "length":
            headers["content-length"] = str(end - start)
        if switches.download_range:
            headers["accept-ranges"] = "bytes"
        partial = switches.download_range and "range" in request.headers
        if partial:
            headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        return _Transfer(
            self, export, path, headers=headers, start=start, end=end, partial=partial, fault=fault, temporary=temporary
        )

    async def _content(self, export: Export, fault: DownloadFault) -> tuple[Path, str, bool]:
        """The file to send, its media type, and whether it is to be removed afterwards."""
        if export.file is None:
            path = self._folder / f"{uuid.uuid4()}.xlsx"
            await to_thread.run_sync(write_foreign, path)
            export.file = path
        if fault in _IN_TRANSIT:
            return export.file, OCTET_STREAM, False
        target = self._folder / f"{uuid.uuid4()}.spoilt"
        return target, await to_thread.run_sync(spoil, export.file, fault, target), True

    def _spend(self, export: Export) -> None:
        if not export.spent:
            export.spent = True
            export.status = "DOWNLOADED"
            self._services.counters["keys_spent"] += 1

    def ended(self, export: Export, *, whole: bool) -> None:
        """Note how a transfer ended: one that broke may leave the key usable."""
        if whole:
            self._services.counters["downloads_completed"] += 1
        elif not self._services.switches.broken_transfer_spends and not export.gone:
            export.spent = False
            export.status = "COMPLETED"
            self._services.counters["keys_spent"] -= 1

    async def pace(self, sent: int) -> None:
        """Wait as long as that many bytes take."""
        rate = self._services.switches.download_bytes_per_s
        if rate:
            await self._services.clock.timing.sleep(sent / rate)

    @property
    def piece(self) -> int:
        """How many bytes go out at once."""
        rate = self._services.switches.download_bytes_per_s
        return max(1, min(_CHUNK, rate // _SLICES_PER_S)) if rate else _CHUNK

    @property
    def breaks_after(self) -> int:
        """After how many bytes a transfer is cut, or stalls."""
        return self._services.switches.download_fault_bytes


class _Transfer(Response):
    """Send one stretch of a file, in constant memory, and say how that ended."""

    def __init__(
        self,
        downloads: Downloads,
        export: Export,
        path: Path,
        *,
        headers: dict[str, str],
        start: int,
        end: int,
        partial: bool,
        fault: DownloadFault,
        temporary: bool,
    ) -> None:
        super().__init__(status_code=206 if partial else 200, headers=headers)
        if "content-length" not in headers:
            del self.headers["content-length"]
        self._downloads = downloads
        self._export = export
        self._path = path
        self._start = start
        self._end = end
        self._fault = fault
        self._temporary = temporary

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = False
        if self._fault in _BEFORE_THE_BODY:
            self._downloads.ended(self._export, whole=False)
            await self._break_early(scope, receive)
            return
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            whole = await self._send_body(scope, send)
            if whole:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._downloads.ended(self._export, whole=whole)
            if self._temporary:
                self._path.unlink()
        if not whole and self._fault == "stall":
            await fall_silent(receive)
        elif not whole:
            await (reset if self._fault == "reset" else hang_up)(scope, receive)

    async def _break_early(self, scope: Scope, receive: Receive) -> None:
        if self._fault == "hang_up":
            await hang_up(scope, receive)
        elif self._fault == "cut_header":
            await reset_in_header(scope, receive)
        else:
            await begin_header(scope)
            await fall_silent(receive)

    async def _send_body(self, scope: Scope, send: Send) -> bool:
        """Send it; False where it broke on the way."""
        transport = scope["state"]["transport"]
        last = self._end if self._fault == "none" else min(self._end, self._start + self._downloads.breaks_after)
        if self._temporary:
            last = self._end
        place = self._start
        async with await anyio.open_file(self._path, "rb") as file:
            await file.seek(place)
            while place < last:
                body = await file.read(min(self._downloads.piece, last - place))
                if transport.is_closing():
                    return False
                await send({"type": "http.response.body", "body": body, "more_body": True})
                place += len(body)
                await self._downloads.pace(len(body))
        return place == self._end


def _range(header: str, size: int) -> tuple[int, int]:
    """The stretch that a Range header asks for; one that can't be read is the whole file."""
    first, _, last = header.removeprefix("bytes=").partition("-")
    if not header.startswith("bytes=") or not first.isdigit() or (last and not last.isdigit()):
        return 0, size
    if int(first) >= size:
        raise Refused(416, "HTTP 416 Range Not Satisfiable", headers={"content-range": f"bytes */{size}"})
    return int(first), min(int(last) + 1, size) if last else size
