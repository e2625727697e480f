"""The responses to requests that Label Studio cannot get or serve: a page for a user, JSON else."""

from __future__ import annotations

import logging

from aiohttp import web

from ..data_directory.directory import DataDirectory
from ..lifecycle.supervisor import Supervisor
from ..problem import Problem
from ..request_kind import RequestKind
from ..snapshot import State
from .place import Place
from .proxy.request_body import STALL_SECONDS
from .responses import json_response, page_response
from .start_page import Action, render_notice_page, render_start_page

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2


class ErrorResponses:
    """Makes these responses, and logs them."""

    def __init__(self, place: Place, directory: DataDirectory, supervisor: Supervisor) -> None:
        """`directory` names this Label Studio in log lines."""
        self._place = place
        self._directory = directory
        self._supervisor = supervisor

    def refuse(self, request: web.BaseRequest, problem: Problem) -> web.Response:
        """Refuse a request that another site may have sent."""
        logger.warning(
            "Label Studio (%s): refused a %s request. %s",
            self._directory.path,
            request.method,
            problem.what,
        )
        return json_response({"detail": problem.as_sentence(), **problem.as_json()}, 403)

    def say_state(self, kind: RequestKind, status: int = 503) -> web.Response:
        """Return the start page, or the state with `status`; start Label Studio if the request may.

        With status 503 the client may repeat the request.
        """
        snapshot = self._supervisor.snapshot
        # An idle stop that is under way has no user who wants it.
        stopped = snapshot.state is State.STOPPED or (
            snapshot.state is State.STOPPING and snapshot.stopped_because
        )
        if stopped and kind.may_start:
            cause = "a user opened a page" if kind.is_navigation else "a program sent a request"
            logger.info("Label Studio (%s): start, %s", self._directory.path, cause)
            self._supervisor.start()
        state = self._supervisor.snapshot.as_json()
        if not kind.is_navigation:
            return json_response(state, status, retry_after=RETRY_SECONDS if status == 503 else 0)
        html = render_start_page({**state, "may_start": kind.page_may_start}, self._place.prefix)
        return page_response(html, ancestors=self._place.frame_ancestors)

    def explain(self, problem: Problem, kind: RequestKind) -> web.Response:
        """Return the `problem` of a Label Studio that runs."""
        if not kind.is_navigation:
            return json_response({"detail": problem.what, **problem.as_json()}, 503)
        prefix = self._place.prefix
        restart = Action("Restart Label Studio", f"{prefix}_proxy/restart", "post")
        again = Action("Try again", prefix)
        actions = (restart, again) if restart.helps(problem.remedy) else (again,)
        html = render_notice_page(problem, prefix, actions)
        return page_response(html, 503, ancestors=self._place.frame_ancestors)

    def cancel_stalled(self, request: web.BaseRequest) -> web.Response:
        """Return the response to a request whose body stalled, and close its connection."""
        logger.warning(
            "Label Studio (%s): cancelled a %s request whose body stalled",
            self._directory.path,
            request.method,
        )
        detail = (
            f"No data of this request came for {STALL_SECONDS:.0f} seconds, so it was cancelled. "
            "Send it again."
        )
        response = json_response({"detail": detail}, 408)
        response.force_close()
        return response
