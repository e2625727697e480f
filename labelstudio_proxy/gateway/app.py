"""The way of a request: what serves it, by its path, its kind, and Label Studio's state."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import aiohttp
from aiohttp import hdrs, web

from ..aio import begin_task
from ..config.notebook_files import NotebookFiles
from ..config.settings import LabelStudioProxy
from ..data_directory.directory import DataDirectory
from ..label_studio import paths
from ..label_studio.build import Build
from ..lifecycle.supervisor import Supervisor
from ..problem import Problem
from ..request_kind import CONTROL, VISITOR, RequestKind, Sender, classify
from ..snapshot import Snapshot, State
from . import request_guard
from .arrivals import Arrivals
from .assets.handler import Assets, concerns
from .connection import Connection
from .control_routes import ControlRoutes
from .diagnostics import Diagnostics
from .disk_check import DiskCheck
from .error_responses import ErrorResponses
from .identity import explain_refusal
from .idle_stop import IdleStop
from .invitations import Invitations
from .place import Place
from .projects.entry import PROJECTS, Projects
from .proxy.files_on_disk import LargeFiles, response_with
from .proxy.forward import Refused, Upstream, forward
from .proxy.headers import without_token
from .proxy.local_files import LocalFiles, NoFile
from .proxy.request_body import Stalled
from .responses import json_response, redirect_response

if TYPE_CHECKING:
    from .projects.keeping import Keeper
    from .projects.routes import ProjectRoutes

logger = logging.getLogger(__name__)

WATCH_SECONDS = 60.0

# Gets the request, its target (encoded, with its query, without the prefix) and its kind. Returns None
# to leave the request to the next route.
Handler = Callable[[web.BaseRequest, str, RequestKind], Awaitable[web.StreamResponse | None]]


class Gateway:
    """Serves every request, whatever Label Studio's state; `handle` is the only entry."""

    def __init__(
        self,
        *,
        settings: LabelStudioProxy,
        problems: list[Problem],
        place: Place,
        supervisor: Supervisor,
        directory: DataDirectory,
        files: NotebookFiles | None,
        external_database: bool,
        assets: Assets,
        large_files: LargeFiles,
        umask: int,
        token: str,
        root: str,
    ) -> None:
        """The caller must `finish`, close the supervisor, and then `close` the gateway.

        `problems`: of the settings.
        `token`: only programs of this user on this machine know it.
        `umask`: of the user, for files with labels.
        `root`: Jupyter's root folder.
        """
        self._settings = settings
        self._place = place
        self._supervisor = supervisor
        self._directory = directory
        self._disk = DiskCheck(directory)
        self._local_files = LocalFiles(directory, files, external_database=external_database)
        self._external_database = external_database
        self._assets = assets
        self._large_files = large_files
        self._connection = Connection(
            settings, directory, supervisor, external_database=external_database
        )
        self._errors = ErrorResponses(place, directory, supervisor)
        self._idle_stop = IdleStop(supervisor, settings.idle_timeout)
        self._projects = Projects(
            directory, functools.partial(self._load_projects, files, umask, token, root)
        )
        self._arrivals = Arrivals()
        diagnostics = Diagnostics(settings, problems, supervisor, place, self._arrivals)
        control = ControlRoutes(directory, supervisor, self._idle_stop, diagnostics)
        invitations = Invitations(place)
        # The first route that matches the decoded path, and returns a response, serves the request.
        self._routes: tuple[tuple[Callable[[str], object], Handler], ...] = (
            (_any, _remove_token),
            (PROJECTS.match, self._projects.run),
            (lambda path: path.startswith(CONTROL), control.run),
            (paths.LOGOUT.fullmatch, _redirect("/../" if place.in_jupyter else "/")),
            (paths.SIGN_UP.fullmatch, invitations.page),
            (paths.LOGIN.fullmatch, _redirect("/")),
            (paths.API_BROWSERS.fullmatch, _redirect(paths.API_SCHEMA)),
            # The routes below need Label Studio.
            (_any, self._show_start_page),
            (paths.TIPS.fullmatch, _give_no_tips),
            (paths.INVITATION.fullmatch, invitations.link),
            (paths.EXPORT_TO_FILES.match, self._refuse_export),
            (paths.LOCAL_FILE_ANYWHERE.search, self._send_local_file),
            (paths.ASSET.fullmatch, self._send_asset),
            (paths.UPLOAD.fullmatch, self._send_from_disk),
            (paths.LOCAL_FILE.fullmatch, self._send_from_disk),
            (_any, self._forward),
        )
        self._watching = [begin_task(self._watch()), begin_task(self._idle_stop.watch())]

    def _load_projects(
        self, files: NotebookFiles | None, umask: int, token: str, root: str
    ) -> tuple[ProjectRoutes, Keeper]:
        from .projects.access import Access
        from .projects.keeping import Keeper
        from .projects.routes import ProjectRoutes

        keeper = Keeper(
            *(self._directory, self._supervisor, self._connection, files),
            external_database=self._external_database,
            umask=umask,
        )
        access = Access(
            settings=self._settings,
            directory=self._directory,
            supervisor=self._supervisor,
            connection=self._connection,
            place=self._place,
            files=files,
            root=root,
            external_database=self._external_database,
            keeper=keeper,
            token=token,
        )
        return ProjectRoutes(access, self._errors), keeper

    async def finish(self) -> None:
        """Write the labels that files do not have yet, while Label Studio runs."""
        await self._projects.finish()

    async def close(self) -> None:
        """Write what else people have labelled, and close the connections to Label Studio."""
        await self._projects.close()
        for watching in self._watching:
            watching.cancel()
        await self._assets.close()
        await self._connection.close()

    async def handle(self, request: web.BaseRequest, target: str) -> web.StreamResponse:
        """Serve a request for `target`: encoded, with its query, without the prefix."""
        kind = classify(request.method, unquote(target.partition("?")[0]), request.headers)
        self._arrivals.record(kind, request.headers)
        problem = request_guard.refusal(kind, request.headers, self._place.origins)
        if problem is not None:
            return self._errors.refuse(request, problem)
        if address := request_guard.public_address(request.headers):
            self._supervisor.set_address(address + self._place.prefix)
        with self._idle_stop.hold(kind):
            return await self._serve(request, target, kind)

    async def _serve(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.StreamResponse:
        try:
            for matches, handler in self._routes:
                if matches(kind.path):
                    response = await handler(request, target, kind)
                    if response is not None:
                        return response
            raise AssertionError("the last route serves every request")
        except Refused as refused:
            image = self._settings.image if self._supervisor.snapshot.backend == "docker" else ""
            problem = await asyncio.to_thread(
                explain_refusal,
                self._directory,
                self._external_database,
                refused.clock_lead,
                self._settings.label_studio,
                image,
            )
            return self._errors.explain(problem, kind)
        except Problem as problem:
            return self._errors.explain(problem, kind)
        except Stalled:
            return self._errors.cancel_stalled(request)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            if request.transport is None or request.transport.is_closing():
                raise  # the browser closed the connection
            logger.warning("Label Studio does not respond: %s", type(error).__name__)
            if isinstance(error, aiohttp.ClientConnectionError):
                await self._supervisor.check_connection()
            if isinstance(error, aiohttp.ClientConnectionError | asyncio.TimeoutError):
                # Label Studio may have received it, and a repeated change could be made twice
                may_repeat = kind.is_safe or isinstance(error, aiohttp.ClientConnectorError)
                return self._errors.say_state(kind, 503 if may_repeat else 502)
            return json_response({"detail": "Label Studio's response could not be read."}, 502)

    # --- Handlers, in the order of the routes

    async def _show_start_page(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.Response | None:
        return (
            None if self._supervisor.snapshot.state is State.READY else self._errors.say_state(kind)
        )

    async def _refuse_export(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.Response | None:
        if kind.is_safe or self._settings.files_writable:
            return None
        detail = (
            "Label Studio may not write into the notebook's files. "
            "An admin can allow it with LabelStudioProxy.files_writable."
        )
        if kind.sender is Sender.PAGE and paths.EXPORT_FORM.fullmatch(kind.path):
            # Label Studio's dialog shows the errors of a response like its own, and no others.
            errors = {"non_field_errors": [detail]}
            return json_response({"detail": detail, "validation_errors": errors}, 400)
        return json_response({"detail": detail}, 403)

    async def _send_local_file(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.StreamResponse | None:
        """Send a file in a folder of a project; say why a file cannot be sent."""
        upstream = await self._connection.upstream()
        found = await asyncio.to_thread(
            self._local_files.find,
            target.partition("?")[2],
            request.headers.get(hdrs.REFERER, ""),
            upstream.identity.account.id,
        )
        if isinstance(found, NoFile):
            return json_response({"detail": found.detail}, found.status)
        if found is None or not kind.is_safe:
            return None
        return response_with(found.path, self._place.frame_ancestors, by_page=True)

    async def _send_asset(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.StreamResponse | None:
        if not concerns(request, target):
            return None
        upstream = await self._connection.upstream()
        await self._open_assets(upstream)
        return await self._assets.respond(request, target, upstream.session)

    async def _send_from_disk(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.StreamResponse | None:
        upstream = await self._connection.upstream()
        return await self._large_files.respond(
            request, target, upstream, ancestors=self._place.frame_ancestors
        )

    async def _forward(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.StreamResponse:
        upstream = await self._connection.upstream()
        if kind.is_navigation:
            await self._open_assets(upstream)
        shares = self._place.serves_a_team or VISITOR in request.headers
        try:
            return await forward(
                request,
                target,
                kind,
                upstream,
                prefix=self._place.prefix,
                ancestors=self._place.frame_ancestors,
                scripts=("page.js", "visitor.js") if shares else ("page.js",),
                failed=functools.partial(self._check_disk, kind),
            )
        finally:  # Label Studio may have received it, whatever came back
            if not kind.is_safe:
                self._projects.touch()

    async def _check_disk(self, kind: RequestKind) -> None:
        """Raise Problem if the disk is full and this is the request of a script or program."""
        if not kind.is_navigation and (problem := await self._disk.problem()):
            raise problem

    async def _open_assets(self, upstream: Upstream) -> None:
        snapshot = self._supervisor.snapshot
        await self._assets.open(upstream.endpoint, _version(snapshot), snapshot.build)

    async def _watch(self) -> None:
        """Drop the assets of a Label Studio that stopped."""
        seen: Build | None = None
        while True:
            snapshot = self._supervisor.snapshot
            if self._assets.endpoint is not snapshot.endpoint:
                await self._assets.leave()
            if snapshot.state is State.STARTING and snapshot.build is not seen:
                seen = snapshot.build
                await self._assets.compress_ahead(_version(snapshot), seen)
            else:
                await self._supervisor.changed(WATCH_SECONDS)


def _any(path: str) -> bool:
    return True


async def _remove_token(
    request: web.BaseRequest, target: str, kind: RequestKind
) -> web.Response | None:
    """Redirect a browser whose address has Jupyter's token, so that its history does not keep it.

    Jupyter has given it a cookie.
    """
    location = without_token(target)
    if location == target or not kind.is_navigation:
        return None
    return redirect_response(target, location)


def _redirect(to: str) -> Handler:
    async def redirect(request: web.BaseRequest, target: str, kind: RequestKind) -> web.Response:
        return redirect_response(target, to)

    return redirect


async def _give_no_tips(request: web.BaseRequest, target: str, kind: RequestKind) -> web.Response:
    return json_response({})


def _version(snapshot: Snapshot) -> str:
    return snapshot.versions.get("Label Studio", "")
