"""What can be asked of one LeanIX workspace: who am I, start an export, list exports, download one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from leanix_backup.clock import Clock, Deadline
from leanix_backup.errors import ExportLostError, LeanixError
from leanix_backup.events import Log, redactor
from leanix_backup.leanix import wire
from leanix_backup.leanix.download import Download, Opened, open_download
from leanix_backup.leanix.faults import EXPORT_REFUSED, TOKEN_REJECTED, Reply, status_error
from leanix_backup.leanix.tokens import Token, TokenSource
from leanix_backup.leanix.transport import Transport
from leanix_backup.model import Asked, ExportType
from leanix_backup.retries import retrying

T = TypeVar("T")

_EXPORTS_PATH = "/services/pathfinder/v1/exports"
_PAGE_SIZE = 100
_MOST_PAGES = 50
_DOWNLOAD_TRIES = 100  # as many as the deadline allows: the key is there, and another export would take as long again


@dataclass(frozen=True, slots=True)
class Started:
    """LeanIX queued an export. `server_time` is its own clock's, where it said."""

    job_id: str
    server_time: datetime | None


@dataclass(frozen=True, slots=True)
class ExportList:
    """Rows of the list, the newest first, and the server's clock when the last page was answered."""

    rows: tuple[wire.ExportRow, ...]
    server_time: datetime | None


class LeanixClient:
    """One workspace, spoken to as its technical user.

    Args:
        url: The workspace's URL, without a slash at its end.
        tokens: The workspace's access token; may be shared.
        transport: How LeanIX is reached; may be shared.
        request_timeout_s: Seconds for one exchange; for a download, the longest silence.
        clock: Time and chance.
        log: Where retries are told.
    """

    def __init__(
        self,
        url: str,
        tokens: TokenSource,
        *,
        transport: Transport,
        request_timeout_s: float,
        clock: Clock,
        log: Log,
    ) -> None:
        self._url = url
        self._transport = transport
        self._timeout = request_timeout_s
        self._clock = clock
        self._log = log
        self._tokens = tokens

    async def identity(self, *, deadline: Deadline, tries: int = 6) -> wire.Identity:
        """Say who the API token belongs to, and which workspace it opens; `tries`: how often to ask at most."""
        return (await self._tokens.get(timeout=self._timeout, deadline=deadline, tries=tries)).identity

    async def start_export(self, export: ExportType, *, asked: Asked | None, deadline: Deadline) -> Started:
        """Ask for an export. Sent again only where it surely had no effect.

        Args:
            export: What to export.
            asked: The start and end of the audit log's stretch; None for everything else.
            deadline: When to give up trying again.

        Raises:
            LeanixError: With `outcome_unknown` where the export may have been started all the same: look at the list
                before asking again.
        """
        params = {"exportType": export.value}
        if asked is not None:
            params |= {"startDate": asked.start} | ({"endDate": asked.end} if asked.end else {})

        async def once() -> Started:
            try:
                reply = await self._call("POST", f"{_EXPORTS_PATH}/fullExport", params, deadline, "starting the export")
                return Started(wire.parse_job_id(reply.json()), reply.server_time)
            except LeanixError as error:
                if error.outcome_unknown or error.code == EXPORT_REFUSED:  # the list has to be looked at first
                    error.retryable = False
                raise

        return await self._retrying(once, "start of the export", deadline)

    async def list_exports(
        self,
        export: ExportType,
        *,
        deadline: Deadline,
        stop: Callable[[wire.ExportRow], bool] = lambda _row: False,
        tries: int = 6,
    ) -> ExportList:
        """Read the list of exports of one type, the newest first, page after page; each row once.

        Args:
            export: The type; always sent, as without it ARCHIVE is missing from the list.
            deadline: When to give up trying again.
            stop: No page is read after one that holds a row for which this is true.
            tries: How often each page is asked for at most.
        """
        rows: dict[str, wire.ExportRow] = {}  # by id: a new export pushes a row from one page onto the next
        read = 0
        cursor: str | None = None
        server_time: datetime | None = None
        for _ in range(_MOST_PAGES):
            params = {
                "exportType": export.value,
                "pageSize": str(_PAGE_SIZE),
                "sorting": "createdAt",
                "sortDirection": "DESC",
            } | ({"cursor": cursor} if cursor else {})

            async def once(params: Mapping[str, str] = params) -> tuple[wire.ExportPage, datetime | None]:
                reply = await self._call("GET", _EXPORTS_PATH, params, deadline, "listing the exports")
                return wire.parse_page(reply.json()), reply.server_time

            page, server_time = await self._retrying(once, "list of exports", deadline, tries=tries)
            fresh = [row for row in page.rows if row.id not in rows]
            rows.update((row.id, row) for row in fresh)
            read += len(page.rows)
            last = page.end_cursor in (None, cursor) or not fresh or read >= (page.total or read + 1)
            if last or any(stop(row) for row in page.rows):
                break
            cursor = page.end_cursor
        return ExportList(tuple(row for row in rows.values() if row.type == export.value), server_time)

    @asynccontextmanager
    async def download(self, workspace_id: str, key: str, *, deadline: Deadline) -> AsyncIterator[Download]:
        """Spend a one-time key. The key counts as spent once this has begun to yield.

        Args:
            workspace_id: LeanIX's id of the workspace.
            key: The one-time key of a COMPLETED export.
            deadline: When to give up trying again; the bytes themselves may take longer.

        Raises:
            LeanixError: With `outcome_unknown`, the key may have been spent: look at the list before using it again.
                Else it was not, and was tried again until the deadline where that might help.
            ExportLostError: LeanIX does not take the key.
        """
        redactor.learn(key)

        async def once() -> Opened | LeanixError:
            token: Token | None = None
            for last in (False, True):
                token = await self._tokens.get(timeout=self._timeout, deadline=deadline, stale=token, tries=1)
                url = f"{self._base_of(token)}{_EXPORTS_PATH}/downloads/{workspace_id}"
                try:
                    return await open_download(self._transport, url, key, bearer=token.value, timeout=self._timeout)
                except LeanixError as error:
                    if isinstance(error, ExportLostError) or error.outcome_unknown:
                        return error  # what to do now is for the list to say
                    if error.code != TOKEN_REJECTED or last:
                        raise
            raise AssertionError("unreachable")

        opened = await self._retrying(once, "download", deadline, tries=_DOWNLOAD_TRIES)
        if isinstance(opened, LeanixError):
            raise opened
        async with opened.stack:
            yield opened.download

    async def _call(self, method: str, path: str, params: Mapping[str, str], deadline: Deadline, doing: str) -> Reply:
        """Send one request as the technical user; once more with a new token where LeanIX does not take this one."""
        token: Token | None = None
        for last in (False, True):
            token = await self._tokens.get(timeout=self._timeout, deadline=deadline, stale=token, tries=1)
            reply = await self._transport.send(
                method,
                self._base_of(token) + path,
                timeout=self._timeout,
                headers={"Authorization": f"Bearer {token.value}", "Accept": "application/json"},
                params=params,
            )
            if reply.status != 401 or last:  # noqa: PLR2004 -- only "who are you" is worth a new token
                if (error := status_error(reply, doing=doing)) is not None:
                    raise error
                return reply
        raise AssertionError("unreachable")

    def _base_of(self, token: Token) -> str:
        return wire.honoured_instance(self._url, token.identity.instance_url) or self._url

    async def _retrying(self, call: Callable[[], Awaitable[T]], what: str, deadline: Deadline, *, tries: int = 6) -> T:
        return await retrying(call, what=what, clock=self._clock, log=self._log, deadline=deadline, tries=tries)
