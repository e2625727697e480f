"""The gateway's routes: which request gets the start page, a state, or Label Studio itself."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import aiohttp
from aiohttp import web

from ..activity import OWN, is_persons
from ..config.settings import LabelStudioProxy
from ..data_directory.directory import DataDirectory
from ..label_studio import paths
from ..label_studio.build import Build
from ..label_studio.upstream import open_session
from ..lifecycle.supervisor import Supervisor
from ..problem import Problem
from ..request_kind import SAFE_METHODS, is_navigation
from ..snapshot import Snapshot, State
from . import request_guard
from .assets.handler import Assets, concerns
from .control_routes import OwnRoutes
from .identity import Identity, establish, explain_refusal
from .idle_stop import Idle
from .proxy.content_security_policy import own_page_policy
from .proxy.files_on_disk import Media
from .proxy.forward import Refused, Upstream, forward
from .proxy.local_files import leads_out
from .proxy.request_body import STALL_SECONDS, Stalled
from .responses import json_answer, redirect
from .start_page import Action, render_notice_page, render_start_page

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2
WATCH_SECONDS = 60.0


@dataclass(frozen=True)
class Place:
    """Where the gateway stands: what the browser calls it, and what is in front of it."""

    prefix: str  # the path the browser reaches it under, with a slash at either end
    behind_jupyter: bool = True  # jupyter-server-proxy authenticates, and strips the prefix
    origins: request_guard.Origins = field(default_factory=request_guard.Origins)
    frame_ancestors: str = "'self'"


class Gateway:
    """Answers every request, from the first second on; `handle` is the one entry."""

    def __init__(
        self,
        *,
        settings: LabelStudioProxy,
        place: Place,
        supervisor: Supervisor,
        directory: DataDirectory,
        files_root: Path | None,
        external_database: bool,
        assets: Assets,
        media: Media,
    ) -> None:
        """Whoever makes a gateway must `close` it; the supervisor stays the maker's."""
        self._settings = settings
        self._place = place
        self._supervisor = supervisor
        self._directory = directory
        self._files_root = files_root
        self._external_database = external_database
        self._assets = assets
        self._media = media
        self._idle = Idle(supervisor, settings.idle_timeout)
        self._own = OwnRoutes(settings, directory, supervisor, self._idle, place.prefix)
        self._watching = [
            asyncio.create_task(watch) for watch in (self._watch(), self._idle.watch())
        ]
        self._upstream: Upstream | None = None
        self._connecting = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections to Label Studio."""
        for watching in self._watching:
            watching.cancel()
        await self._assets.close()
        await self._disconnect()

    async def _disconnect(self) -> None:
        if self._upstream is not None:
            await self._upstream.session.close()
            self._upstream = None

    async def handle(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """Answer a request for `path`: encoded, with its query, without the prefix."""
        plain = unquote(path.partition("?")[0])
        reason = request_guard.refusal(request.method, plain, request.headers, self._place.origins)
        if reason is not None:
            logger.warning(
                "Label Studio (%s): refused a %s request. %s",
                self._directory.path,
                request.method,
                reason,
            )
            return json_answer({"detail": f"This request is refused. {reason}"}, 403)
        if origin := request_guard.origin(request.headers):
            self._supervisor.note_address(origin + self._place.prefix)
        with self._use(request, plain):
            return await self._admitted(request, path, plain)

    def _use(self, request: web.BaseRequest, plain: str) -> contextlib.AbstractContextManager[None]:
        """What the idle stop is to know of a request while it lasts."""
        if is_persons(request.method, plain, request.headers):
            return self._idle.somebody()
        if paths.API.match(plain):  # such as a page's long export; what it polls is short
            return self._idle.under_way()
        return contextlib.nullcontext()

    async def _admitted(
        self, request: web.BaseRequest, path: str, plain: str
    ) -> web.StreamResponse:
        if plain.startswith(OWN):
            return await self._own.answer(request, plain.removeprefix(OWN), path.partition("?")[2])
        if paths.LOGOUT.fullmatch(plain):
            return redirect(path, "/../" if self._place.behind_jupyter else "/")
        if paths.LOGIN.fullmatch(plain):
            return redirect(path, "/")
        if paths.API_BROWSERS.fullmatch(plain):
            return redirect(path, paths.API_SCHEMA)
        if self._supervisor.snapshot.state is not State.READY:
            return self._not_ready(request)
        if paths.TIPS.fullmatch(plain):
            # Label Studio would ask the internet, and wait for it.
            return json_answer({})
        if (
            paths.EXPORT_TO_FILES.match(plain)
            and request.method not in SAFE_METHODS
            and not self._settings.files_writable
        ):
            detail = (
                "Label Studio may not write into the notebook's files. "
                "Whoever runs this Jupyter can allow it with LabelStudioProxy.files_writable."
            )
            return json_answer({"detail": detail}, 403)
        if (
            paths.LOCAL_FILE_ANYWHERE.search(plain)
            and self._files_root is not None
            and await asyncio.to_thread(leads_out, self._files_root, path.partition("?")[2])
        ):
            detail = (
                "This file is a link to one outside of the notebook's files. Whoever runs this "
                "Jupyter can set LabelStudioProxy.files_root to a folder that has both."
            )
            return json_answer({"detail": detail}, 403)
        try:
            upstream = await self._connected()
            is_asset = concerns(request, path)
            if is_asset or is_navigation(request.method, request.headers):
                snapshot = self._supervisor.snapshot
                await self._assets.open(upstream.endpoint, _version(snapshot), snapshot.build)
            if is_asset:
                kept = await self._assets.answer(request, path, upstream.session)
                if kept is not None:
                    return kept
            sent = await self._media.answer(
                request, path, upstream, ancestors=self._place.frame_ancestors
            )
            if sent is not None:
                return sent
            return await forward(
                request,
                path,
                upstream,
                prefix=self._place.prefix,
                ancestors=self._place.frame_ancestors,
                scripts=("watch.js",),
                failed=functools.partial(self._check_room, request),
            )
        except Refused:
            problem = await asyncio.to_thread(
                explain_refusal,
                self._directory,
                self._external_database,
                self._settings.image if self._supervisor.snapshot.backend == "docker" else "",
            )
            return self._notice(request, problem)
        except Problem as problem:
            return self._notice(request, problem)
        except Stalled:
            return self._given_up(request)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            if request.transport is None or request.transport.is_closing():
                raise  # it is the browser that has gone
            logger.warning("Label Studio does not answer: %s", type(error).__name__)
            if isinstance(error, aiohttp.ClientConnectionError | asyncio.TimeoutError):
                return self._not_ready(request)
            return json_answer({"detail": "Label Studio's answer could not be read."}, 502)

    async def _check_room(self, request: web.BaseRequest) -> None:
        """Raise Problem if a program or script asked for what a full disk has kept from being done."""
        if is_navigation(request.method, request.headers):
            return
        problem = await asyncio.to_thread(self._directory.out_of_room)
        if problem is not None:
            raise problem

    async def _watch(self) -> None:
        """Use no assets of a Label Studio that has ended, in Jupyter's process either."""
        seen: Build | None = None
        while True:
            snapshot = self._supervisor.snapshot
            if self._assets.endpoint is not snapshot.endpoint:
                self._assets.leave()
            if snapshot.state is State.STARTING and snapshot.build is not seen:
                seen = snapshot.build
                await self._assets.pack_ahead(_version(snapshot), seen)
            else:
                await self._supervisor.changed(WATCH_SECONDS)

    async def _connected(self) -> Upstream:
        """The connection to the Label Studio that is ready now; raises Problem."""
        async with self._connecting:
            endpoint = self._supervisor.snapshot.endpoint
            if self._upstream is not None and self._upstream.endpoint is endpoint:
                return self._upstream
            await self._disconnect()
            if endpoint is None:  # it has ended since the caller looked
                raise aiohttp.ClientConnectionError
            session = open_session(endpoint)
            try:
                identity: Identity = await establish(
                    session,
                    endpoint,
                    self._directory,
                    environment=self._settings.environment,
                    external_database=self._external_database,
                    owner_email=self._settings.owner(),
                )
            except BaseException:
                await session.close()
                raise
            self._upstream = Upstream(session, endpoint, identity)
            return self._upstream

    def _not_ready(self, request: web.BaseRequest) -> web.StreamResponse:
        """The start page for a person, a state for a program; starts Label Studio if it may."""
        method, headers = request.method, request.headers
        state, because = self._supervisor.snapshot.state, self._supervisor.snapshot.stopped_because
        # Nobody has asked for a stop that has a reason of its own: who comes meanwhile wants it.
        stopped = state is State.STOPPED or (state is State.STOPPING and because)
        if stopped and request_guard.may_start(method, headers):
            who = "somebody" if is_navigation(method, headers) else "a program"
            cause = f"{who} asked for a page or for data"
            logger.info("Label Studio (%s): start, %s", self._directory.path, cause)
            self._supervisor.start()
        snapshot = self._supervisor.snapshot.as_json()
        if not is_navigation(method, headers):
            return json_answer(snapshot, 503, {"Retry-After": str(RETRY_SECONDS)})
        snapshot["may_start"] = request_guard.may_ask_to_start(method, headers)
        return self._page(render_start_page(snapshot, self._place.prefix))

    def _given_up(self, request: web.BaseRequest) -> web.StreamResponse:
        logger.warning(
            "Label Studio (%s): gave up a %s request whose body has stalled",
            self._directory.path,
            request.method,
        )
        detail = (
            f"Nothing of this request's body has come for {STALL_SECONDS:.0f} seconds, so it was "
            "given up. The connection may have been lost on the way. Send it once more."
        )
        response = json_answer({"detail": detail}, 408)
        response.force_close()
        return response

    def _notice(self, request: web.BaseRequest, problem: Problem) -> web.StreamResponse:
        if not is_navigation(request.method, request.headers):
            return json_answer({"detail": problem.what, **problem.as_json()}, 503)
        restart = Action("Restart Label Studio", f"{self._place.prefix}_proxy/restart", "post")
        again = Action("Try again", self._place.prefix)
        page = render_notice_page(
            "Label Studio does not let you in",
            problem.as_json(),
            self._place.prefix,
            (again, restart),
        )
        return self._page(page, 503)

    def _page(self, html: str, status: int = 200) -> web.Response:
        return web.Response(
            status=status,
            text=html,
            content_type="text/html",
            charset="utf-8",
            headers={
                "Content-Security-Policy": own_page_policy(self._place.frame_ancestors),
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "same-origin",
            },
        )


def _version(snapshot: Snapshot) -> str:
    return snapshot.versions.get("Label Studio", "")
