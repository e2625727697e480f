"""The gateway as a process: where it listens, who may come in by hand, when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import functools
import hashlib
import hmac
import logging
import os
import resource
import secrets
import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from jupyter_core.paths import jupyter_data_dir

from ..backends import factory
from ..config.settings import LabelStudioProxy
from ..data_directory.directory import DataDirectory
from ..gateway_client import RunningGateway
from ..label_studio.environment import external_database
from ..lifecycle.log import LogBook
from ..lifecycle.supervisor import Supervisor
from ..problem import Problem
from .app import Gateway, Place
from .assets.handler import Assets
from .proxy.files_on_disk import Media
from .proxy.headers import without_token

logger = logging.getLogger(__name__)

PARENT_POLL_SECONDS = 1.0
COOKIE = "labelstudio-proxy"
# For answers under way when the gateway ends; Label Studio has ended before.
SHUTDOWN_SECONDS = 1.0
# For all that has to end, Label Studio above all, which gets 30 s; then the process ends anyway.
ENDING_SECONDS = 60.0
JUPYTER_HAS_GONE = 1
# Request lines and headers: Label Studio's data manager puts its filters into the address.
LINE_BYTES = 64 * 1024
# Each connection is an open file; many systems let a process have 1024 unless it asks.
OPEN_FILES = 65536


@dataclass(frozen=True)
class Listen:
    """Where to listen: a unix socket (behind Jupyter), or a loopback port (by hand)."""

    unix_socket: Path | None = None
    port: int = 0


async def serve(
    settings: LabelStudioProxy,
    problems: list[Problem],
    *,
    root_dir: str,
    place: Place,
    listen: Listen,
    parent: int = 0,
) -> int:
    """Run the gateway until a signal comes or, behind Jupyter, until Jupyter has gone.

    Label Studio is stopped before it returns; at once if Jupyter was killed, and a container is left
    for the next gateway then. The exit status is not 0: whoever starts gateways shall not take such
    an end for a wish. `parent`: the pid of Jupyter, which starts it;
    0 where that is not told. Raises OSError if it cannot listen.
    """
    os.umask(0o077)
    _allow_open_files()
    logging.getLogger("aiohttp.server").addFilter(_without_request_line)
    directory = DataDirectory(settings.data_directory())
    files_root = settings.files_directory(root_dir)
    external = external_database(settings.environment)
    supervisor = Supervisor(
        make_backend=functools.partial(factory.make_backend, settings, files_root),
        directory=directory,
        log=LogBook(log_path(directory)),
        owner_email=settings.owner(),
        start_timeout=settings.start_timeout,
        problems=problems,
        external_database=external,
        server=_server_name(place),
    )
    gateway = Gateway(
        settings=settings,
        place=place,
        supervisor=supervisor,
        directory=directory,
        files_root=files_root,
        external_database=external,
        assets=Assets(place.prefix),
        media=Media(directory, files_root, external_database=external),
    )
    token = "" if place.behind_jupyter else secrets.token_urlsafe(24)
    door = _Door(gateway, place.prefix, token)
    runner = web.ServerRunner(
        web.Server(
            door.answer,
            access_log=None,
            handler_cancellation=True,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
        ),
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    ended = _when_to_end(place.behind_jupyter, parent)
    running: RunningGateway | None = None
    try:
        site: web.BaseSite
        if listen.unix_socket is not None:
            site = web.UnixSite(runner, str(listen.unix_socket))
        else:
            site = web.TCPSite(runner, "127.0.0.1", listen.port)
        await site.start()
        port = 0 if listen.unix_socket else runner.addresses[0][1]
        running = RunningGateway(
            pid=os.getpid(),
            data_dir=str(directory.path),
            prefix=place.prefix,
            unix_socket=str(listen.unix_socket) if listen.unix_socket else "",
            port=port,
            token=token,
        )
        try:
            running.register()
        except OSError as error:  # a full disk, say, which the page is to tell of
            logger.warning("labelstudio-proxy's commands will not find this gateway: %s", error)
        if settings.prewarm:
            supervisor.start(background=True)
        if token:
            print(  # noqa: T201 - for the person who ran the command
                f"Label Studio: http://127.0.0.1:{port}{place.prefix}?token={token}", flush=True
            )
        return await ended
    finally:
        faulthandler.dump_traceback_later(ENDING_SECONDS, exit=True)
        if running is not None:
            running.unregister()
        alone = ended.done() and not ended.cancelled() and ended.result() == JUPYTER_HAS_GONE
        await supervisor.close(alone=alone)
        await gateway.close()
        await runner.cleanup()


def _server_name(place: Place) -> str:
    """What people know this one as."""
    if place.behind_jupyter:
        return f"the Jupyter server at {place.prefix.removesuffix('labelstudio/')}"
    return f"labelstudio-proxy serve at {place.prefix}"


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _without_request_line(record: logging.LogRecord) -> bool:
    """Keep a malformed request's first line, which may hold a token, out of the log."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
        record.msg, record.args = "Refused a malformed request", ()
    return True


def log_path(directory: DataDirectory) -> Path:
    """Where the lines that Label Studio prints are kept: not in its data directory."""
    digest = hashlib.sha256(os.fsencode(directory.path)).hexdigest()[:12]
    return Path(jupyter_data_dir()) / "labelstudio-proxy" / f"label-studio-{digest}.log"


class _Door:
    """What stands between the listening socket and the gateway.

    Behind Jupyter it only passes requests on: Jupyter has checked who it is and taken the prefix
    away. By hand it does both, with a token in the way of Jupyter's own.
    """

    def __init__(self, gateway: Gateway, prefix: str, token: str) -> None:
        self._gateway = gateway
        self._prefix = prefix
        self._token = token

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path
        if not path.startswith("/"):
            return web.Response(status=400, text="The request target must be a path.\n")
        if not self._token:
            return await self._gateway.handle(request, path)
        if path.partition("?")[0] + "/" == self._prefix:
            return web.Response(status=302, headers={"Location": self._prefix})
        if not path.startswith(self._prefix):
            return web.Response(status=404, text=f"Label Studio is at {self._prefix}\n")
        if self._known(request.query.get("token", "")):
            if request.method == "GET":
                # Out of the address, so that it is in no history and no screenshot.
                response = web.Response(status=302, headers={"Location": without_token(path)})
                response.set_cookie(
                    _cookie(request),
                    self._token,
                    path=self._prefix,
                    httponly=True,
                    samesite="Strict",
                )
                return response
        elif not (
            self._known(request.cookies.get(_cookie(request), ""))
            or self._known(request.headers.get("Authorization", "").partition(" ")[2])
        ):
            return web.Response(
                status=403, text="Open the address that was printed at the start.\n"
            )
        return await self._gateway.handle(request, "/" + path.removeprefix(self._prefix))

    def _known(self, token: str) -> bool:
        return hmac.compare_digest(unquote(token).encode(), self._token.encode())


def _cookie(request: web.BaseRequest) -> str:
    """The name of the cookie: cookies know no ports, and several gateways may run by hand."""
    port = request.transport.get_extra_info("sockname")[1] if request.transport else ""
    return f"{COOKIE}-{port}"


def _when_to_end(behind_jupyter: bool, parent: int) -> asyncio.Future[int]:
    """Done, with the exit status, when a signal asks for the end, or when Jupyter has gone.

    A process's parent changes as it ends, to one that runs already: so its pid, used again, cannot
    be taken for it. But it may have ended before this process looks for the first time.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(status: int) -> None:
        if not ended.done():
            ended.set_result(status)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under `nohup`
            loop.add_signal_handler(number, end, 128 + number)
    if behind_jupyter:
        parent = parent or os.getppid()

        def look() -> None:
            if os.getppid() != parent:
                logger.warning("Jupyter has gone; stopping Label Studio")
                end(JUPYTER_HAS_GONE)
            elif not ended.done():
                loop.call_later(PARENT_POLL_SECONDS, look)

        look()
    return ended
