"""The gateway as a process: where it listens, and when it exits."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import functools
import hashlib
import logging
import os
import resource
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from jupyter_core.paths import jupyter_data_dir

from ..aio import ThreadPerCall, begin_task
from ..backends import factory
from ..config.notebook_files import NotebookFiles
from ..config.settings import LabelStudioProxy, absolute, default_data_dir
from ..data_directory.directory import DataDirectory
from ..data_directory.earlier_data import FOLDER, EarlierData
from ..data_directory.local_storages import source_storages
from ..gateway_client import RunningGateway
from ..label_studio.environment import external_database
from ..lifecycle.log import LabelStudioLog
from ..lifecycle.supervisor import Supervisor
from ..problem import Problem
from .app import Gateway
from .assets.handler import Assets
from .listener import UnixListener
from .place import Place
from .proxy.files_on_disk import LargeFiles
from .token_access import Handle, TokenAccess

logger = logging.getLogger(__name__)

PARENT_POLL_SECONDS = 1.0
KEEP_SECONDS = 1.0
# For responses under way at the exit. Label Studio has stopped before.
SHUTDOWN_SECONDS = 1.0
# For the whole exit; Label Studio gets 30 of them. After that, the process exits anyway.
EXIT_SECONDS = 60.0
JUPYTER_IS_GONE = 1
# For the file that lists this gateway, on a disk that may hang.
REGISTER_SECONDS = 1.0
# For the folders of projects, on a disk that may hang.
LOOK_SECONDS = 2.0
# Of a request line or a header: Label Studio's data manager puts its filters into the URL.
LINE_BYTES = 64 * 1024
# Each connection is an open file, and many systems allow 1024 by default.
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
    announce: Callable[[str], None],
    parent: int = 0,
) -> int:
    """Run the gateway until a signal or, behind Jupyter, until Jupyter exits; return the exit status.

    Stops Label Studio before it returns. If Jupyter was killed, it stops at once and leaves a
    container to the next gateway. The status is not 0: simpervisor treats 0 as intended and would
    not restart the gateway. `announce` gets the address with its token, if Jupyter is not in front.
    `parent`: the pid of a Jupyter whose extension sends SIGTERM when it stops; 0 without the
    extension. Raises OSError if it cannot listen.
    """
    asyncio.get_running_loop().set_default_executor(ThreadPerCall())
    umask = os.umask(0o077)
    _allow_open_files()
    logging.getLogger("aiohttp.server").addFilter(_without_request_line)
    directory = DataDirectory(settings.data_directory())
    external = external_database(settings.environment)
    files = settings.notebook_files(root_dir)
    if files is not None and not external:
        files = await _with_used_folders(files, directory)
    # With a folder or a database of an admin's choice, there is nothing to choose.
    is_default = directory.path == default_data_dir() and not external
    supervisor = Supervisor(
        make_backend=functools.partial(factory.make_backend, settings, files),
        make_installing_backend=functools.partial(factory.make_installing_backend, settings, files),
        directory=directory,
        log=LabelStudioLog(log_path(directory)),
        owner_email=settings.owner(),
        owner_name=settings.owner_name(),
        start_timeout=settings.start_timeout,
        problems=problems,
        external_database=external,
        earlier_data=EarlierData(directory.path, absolute(root_dir) / FOLDER)
        if is_default
        else None,
        server=_server_name(place),
    )
    token = secrets.token_urlsafe(24)
    gateway = Gateway(
        token=token,
        root=str(absolute(root_dir)),
        settings=settings,
        problems=problems,
        place=place,
        supervisor=supervisor,
        directory=directory,
        files=files,
        external_database=external,
        assets=Assets(place.prefix),
        large_files=LargeFiles(
            directory, files.root if files else None, external_database=external
        ),
        umask=umask,
    )
    handle = gateway.handle
    if not place.behind_jupyter:
        handle = TokenAccess(gateway.handle, place.prefix, token).handle
    runner = web.ServerRunner(
        web.Server(
            functools.partial(_handle, handle),
            access_log=None,
            handler_cancellation=True,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
        ),
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    exit_status = _exit_status(place.behind_jupyter, parent)
    running: RunningGateway | None = None
    keeping: asyncio.Task[None] | None = None
    try:
        listener: UnixListener | None = None
        if listen.unix_socket is not None:
            listener = UnixListener(runner, listen.unix_socket)
            await listener.start()
        else:
            await web.TCPSite(runner, "127.0.0.1", listen.port).start()
        port = 0 if listen.unix_socket else runner.addresses[0][1]
        running = RunningGateway(
            pid=os.getpid(),
            data_dir=str(directory.path),
            prefix=place.prefix,
            unix_socket=str(listen.unix_socket) if listen.unix_socket else "",
            port=port,
            token=token,
            parent=os.getppid() if place.behind_jupyter else 0,
        )
        await asyncio.wait([begin_task(_register(running))], timeout=REGISTER_SECONDS)
        keeping = begin_task(_keep_reachable(listener, running))
        if settings.prewarm:
            supervisor.start(background=True)
        if not place.behind_jupyter:
            announce(f"http://127.0.0.1:{port}{place.prefix}?token={token}")
        return await exit_status
    finally:
        faulthandler.dump_traceback_later(EXIT_SECONDS, exit=True)
        if keeping is not None:
            keeping.cancel()
        if running is not None:
            await asyncio.wait([begin_task(_unregister(running))], timeout=REGISTER_SECONDS)
        done = exit_status.done() and not exit_status.cancelled()
        alone = done and exit_status.result() == JUPYTER_IS_GONE
        await gateway.finish()
        await supervisor.close(at_once=alone)
        await gateway.close()
        await runner.cleanup()
        if alone and listen.unix_socket is not None:  # Jupyter would have removed its folder
            listen.unix_socket.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                listen.unix_socket.parent.rmdir()


async def _with_used_folders(files: NotebookFiles, directory: DataDirectory) -> NotebookFiles:
    """Return `files` with a root above the folders of all projects, unless the disk hangs."""

    def look() -> NotebookFiles:
        return files.around(storage.path for storage in source_storages(directory))

    with contextlib.suppress(asyncio.TimeoutError):
        return await asyncio.wait_for(asyncio.to_thread(look), LOOK_SECONDS)
    return files


async def _register(running: RunningGateway) -> None:
    try:
        await asyncio.to_thread(running.register)
    except OSError as error:  # such as a full disk, which the page then explains
        logger.warning("The labelstudio-proxy command will not find this gateway: %s", error)


async def _unregister(running: RunningGateway) -> None:
    await asyncio.to_thread(running.unregister)


async def _keep_reachable(listener: UnixListener | None, running: RunningGateway) -> None:
    """Put back the socket and the file of this gateway when programs that clean up remove them."""
    while True:
        await asyncio.sleep(KEEP_SECONDS)
        if listener is not None:
            await listener.renew()
        await asyncio.to_thread(_register_again, running)


def _register_again(running: RunningGateway) -> None:
    with contextlib.suppress(OSError):
        if not running.file.exists():
            running.register()


async def _handle(handle: Handle, request: web.BaseRequest) -> web.StreamResponse:
    if not request.raw_path.startswith("/"):
        return web.Response(status=400, text="The request target must be a path.\n")
    return await handle(request, request.raw_path)


def _server_name(place: Place) -> str:
    """Return a name for this server that users recognise."""
    if place.behind_jupyter:
        return f"the Jupyter server at {place.prefix.removesuffix('labelstudio/')}"
    return f"labelstudio-proxy serve at {place.prefix}"


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has another limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _without_request_line(record: logging.LogRecord) -> bool:
    """Keep the first line of a malformed request, which may hold a token, out of the log."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
        record.msg, record.args = "Refused a malformed request", ()
    return True


def log_path(directory: DataDirectory) -> Path:
    """Return the file for Label Studio's output, which is not in the data directory."""
    digest = hashlib.sha256(os.fsencode(directory.path)).hexdigest()[:12]
    return Path(jupyter_data_dir()) / "labelstudio-proxy" / f"label-studio-{digest}.log"


def _exit_status(behind_jupyter: bool, parent: int) -> asyncio.Future[int]:
    """Return a future of the exit status: done at a signal, or when Jupyter is gone.

    The parent of an orphan is a process that runs already, so a reused pid cannot pass for it. But
    Jupyter may exit before this process looks for the first time: hence `parent`.
    """
    loop = asyncio.get_running_loop()
    exit_status: asyncio.Future[int] = loop.create_future()
    if behind_jupyter and parent:
        # A terminal sends Ctrl-C to this process, too. Jupyter asks whether it should stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def exit_with(status: int) -> None:
        if not exit_status.done():
            exit_status.set_result(status)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under `nohup`
            loop.add_signal_handler(number, exit_with, 128 + number)
    if behind_jupyter:
        parent = parent or os.getppid()

        def check_parent() -> None:
            if os.getppid() != parent:
                logger.warning("Jupyter is gone. Stopping Label Studio.")
                exit_with(JUPYTER_IS_GONE)
            elif not exit_status.done():
                loop.call_later(PARENT_POLL_SECONDS, check_parent)

        check_parent()
    return exit_status
