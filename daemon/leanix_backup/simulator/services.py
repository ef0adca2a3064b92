"""LeanIX's own endpoints: token, technical users, start an export, list exports."""

from __future__ import annotations

import base64
import binascii
from collections import Counter, deque
from datetime import datetime, timedelta
from typing import Any, cast, get_args
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from leanix_backup.model import ExportType, Stretch
from leanix_backup.simulator.broken import Broken, odd_reply, odd_rows
from leanix_backup.simulator.clock import SimClock
from leanix_backup.simulator.replies import Exchange, Refused, envelope, http_date, instant
from leanix_backup.simulator.rows import export_list
from leanix_backup.simulator.switches import Breakage, Switches
from leanix_backup.simulator.tokens import Bearer, RateLimit, TokenBook, claims
from leanix_backup.simulator.windows import asked_window
from leanix_backup.simulator.workspace import SimulatedWorkspace

_MOST_NOTED = 10_000
_YEAR = timedelta(days=365)
_BREAKAGES = get_args(Breakage)
_ODD_REPLIES = ("html", "html200", "error200")
_WORKS_ALL_THE_SAME = ("cut_header", "cut_body", "stall_body", "cut_json", "odd_types")


class Services:
    """What all endpoints share, and the JSON ones themselves.

    `counters`: requests, tokens, tokens_refused, posts, exports_started, lists, technical_users, rate_limited,
    unauthorized, and those of the downloads. `journal`: the last requests, in the order in which they came.
    """

    def __init__(self, clock: SimClock, switches: Switches, workspaces: list[SimulatedWorkspace]) -> None:
        self.clock = clock
        self.switches = switches
        self.workspaces = workspaces
        self.tokens = TokenBook()
        self.counters: Counter[str] = Counter()
        self.journal: deque[Exchange] = deque(maxlen=_MOST_NOTED)
        self._limit = RateLimit(clock.timing.monotonic)

    async def token(self, request: Request) -> Response:
        """Give a bearer token for an API token."""
        self.counters["token_requests"] += 1
        switches = self.switches
        await self.clock.timing.sleep(switches.token_delay_s)
        fault = self._fault("token") if switches.token_fault_times else "none"
        if fault == "status":
            self.counters["tokens_refused"] += 1
            raise self.refusal(switches.token_fault_status, "the token service refused")
        if fault in _ODD_REPLIES:
            return odd_reply(fault, headers=self.retry_after())
        workspace = self._by_api_token(request.headers.get("authorization", ""))
        form = parse_qs((await request.body()).decode())
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raise Refused(415, "HTTP 415 Unsupported Media Type")
        if form.get("grant_type") != ["client_credentials"]:
            raise Refused(400, "grant_type must be client_credentials", value=str(form.get("grant_type")))
        if workspace is None or self._expiry() <= self.clock.server_now():
            self.counters["tokens_refused"] += 1
            raise Refused(401, "HTTP 401 Unauthorized")
        now = self.clock.now()
        expires = now + self.clock.span(switches.token_expires_in_s)
        own_url = f"{request.url.scheme}://{request.url.netloc}"
        content = claims(
            workspace.settings,
            now=self.clock.to_server(now),
            expires=self.clock.to_server(expires),
            issuer=own_url,
            instance_url=switches.instance_url or own_url,
            role=switches.role,
        )
        self.counters["tokens"] += 1
        answer: dict[str, Any] = {
            "scope": "",
            "expired": False,
            "access_token": self.tokens.issue(content, Bearer(workspace.settings.workspace_id, expires)),
            "token_type": "bearer",
            "expires_in": switches.token_expires_in_s,
        }
        if fault == "odd_types":
            answer |= {"access_token": 17, "expires_in": "soon"}
        return _on_its_way(JSONResponse(answer), fault)

    async def technical_users(self, request: Request) -> Response:
        """List the workspace's technical users, with the expiry of their API tokens."""
        workspace = self.authorized(request)
        self.counters["technical_users"] += 1
        asked = request.query_params.get("workspaceId")
        if asked and asked != workspace.settings.workspace_id:
            raise Refused(403, "HTTP 403 Forbidden", value=asked)
        user = {
            "id": workspace.settings.user_id,
            "userName": f"{workspace.settings.name}-technical-user",
            "status": "ACTIVE",
            "workspaceId": workspace.settings.workspace_id,
            "permission": {"role": self.switches.role, "status": "ACTIVE"},
            "apiTokenData": {"expiry": instant(self._expiry(), 3)},
        }
        return envelope("TechnicalUser", [user], total=1)

    async def full_export(self, request: Request) -> Response:
        """Queue an export."""
        workspace = self.authorized(request)
        self.counters["posts"] += 1
        if self.switches.role != "ADMIN":
            raise Refused(403, "HTTP 403 Forbidden")
        query = request.query_params
        kind = _export_type(query.get("exportType") or ExportType.SNAPSHOT.value)
        window = None
        if kind is ExportType.AUDIT_LOG:
            asked = asked_window(
                query.get("startDate") or "", query.get("endDate") or "", self.clock.server_now(), self.switches
            )
            window = Stretch(self.clock.to_world(asked.start), self.clock.to_world(asked.end))
        fault, status = self._fault("post"), self.switches.post_fault_status
        starts = fault in {"none", *_WORKS_ALL_THE_SAME} or fault.startswith("works")
        job_id = self._start(workspace, kind, window) if starts else ""
        fault = fault.removeprefix("works_")
        if fault == "refuse":
            raise self.refusal(status, "the export could not be started")
        if fault == "works":
            raise self.refusal(status, "upstream request timeout")
        if fault in _ODD_REPLIES:
            return odd_reply(fault, headers=self.retry_after())
        queued: Any = {"jobId": job_id, "message": "A new job is queued.", "synclogId": None}
        return _on_its_way(envelope("JobResponseData", [queued] if fault == "odd_types" else queued), fault)

    async def exports(self, request: Request) -> Response:
        """List the workspace's exports."""
        workspace = self.authorized(request)
        self.counters["lists"] += 1
        switches = self.switches
        if switches.revoke_after_lists:
            switches.revoke_after_lists -= 1
            if not switches.revoke_after_lists:
                self.tokens.revoke()
        fault = self._fault("list")
        if fault == "status":
            raise self.refusal(switches.list_fault_status, "the list is not available")
        if fault in _ODD_REPLIES:
            status = 503 if switches.list_fault_status == 500 else switches.list_fault_status  # noqa: PLR2004 -- the default
            return odd_reply(fault, status, self.retry_after())
        now = workspace.settle()
        answer = export_list(workspace.book.rows(), request.query_params, workspace.settings, switches, self.clock)
        if fault.startswith("odd_"):
            answer["data"] = odd_rows(answer["data"], fault)
        workspace.book.let_others_take(now)
        return _on_its_way(envelope("Export", **answer), fault)

    def authorized(self, request: Request) -> SimulatedWorkspace:
        """The workspace that the request's bearer is for, after counting the request against the limit.

        Raises:
            Refused: 401 for an unknown, expired or revoked bearer, 429 above the limit.
        """
        bearer = self.tokens.find(request.headers.get("authorization", ""), self.clock.now())
        if bearer is None:
            self.counters["unauthorized"] += 1
            raise Refused(401, "HTTP 401 Unauthorized")
        if not self._limit.passes(bearer.workspace_id, self.switches.rate_limit_per_minute):
            self.counters["rate_limited"] += 1
            raise self.refusal(429, "USER_INTERVAL_REQUEST_LIMIT_EXCEEDED: too many requests, try again later")
        return next(one for one in self.workspaces if one.settings.workspace_id == bearer.workspace_id)

    def refusal(self, status: int, message: str) -> Refused:
        """An error envelope, with Retry-After where the switches say so."""
        return Refused(status, message, headers=self.retry_after() if status in {429, 503} else None)

    def retry_after(self) -> dict[str, str] | None:
        """The header as the switches want it."""
        switches = self.switches
        if switches.retry_after == "none":
            return None
        if switches.retry_after == "garbage":
            return {"Retry-After": "in a while"}
        if switches.retry_after == "seconds":
            return {"Retry-After": str(switches.retry_after_s)}
        return {"Retry-After": http_date(self.clock.server_now() + timedelta(seconds=switches.retry_after_s))}

    def _fault(self, what: str) -> str:
        """Say what goes wrong with this call, `none` where nothing does, and count it."""
        switches = self.switches
        fault: str = getattr(switches, f"{what}_fault")
        if fault == "none":
            return fault
        if getattr(switches, after := f"{what}_fault_after", 0):
            setattr(switches, after, getattr(switches, after) - 1)
            return "none"
        return fault if switches.take(f"{what}_fault_times") else "none"

    def _start(self, workspace: SimulatedWorkspace, kind: ExportType, window: Stretch | None) -> str:
        now = workspace.settle()
        running = workspace.book.under_way(kind)
        second = self.switches.second_export
        if running and second.startswith("refuse_"):
            raise self.refusal(int(second.removeprefix("refuse_")), "an export of this type is already running")
        if running and second == "deduplicate":
            return running.job_id
        self.counters["exports_started"] += 1
        return workspace.book.queue(kind, now, window).job_id

    def _by_api_token(self, authorization: str) -> SimulatedWorkspace | None:
        scheme, _, encoded = authorization.partition(" ")
        try:
            user, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if scheme.lower() != "basic" or user != "apitoken":
            return None
        return next((one for one in self.workspaces if one.settings.api_token == token), None)

    def _expiry(self) -> datetime:
        text = self.switches.technical_user_expiry
        return datetime.fromisoformat(text) if text else self.clock.server_now() + _YEAR


def _export_type(name: str) -> ExportType:
    try:
        return ExportType(name)
    except ValueError:
        raise Refused(400, "exportType is not supported", value=name) from None


def _on_its_way(whole: Response, fault: str) -> Response:
    return Broken(whole, cast("Breakage", fault)) if fault in _BREAKAGES else whole
