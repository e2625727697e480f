"""The server extension: reads the settings and adds Label Studio to jupyter-server-proxy."""

from __future__ import annotations

import os
import re
import warnings
from typing import TYPE_CHECKING

from .. import api_types
from ..config.files import drop_in_files, read_settings
from ..config.handoff import VARIABLE, Handoff
from .api import COMMANDS, ROUTE, CommandHandler, LogHandler, StateHandler
from .entry_point import NAME, process_fields
from .events import EventsHandler
from .metrics import MetricsHandler, register
from .projects_api import PROJECTS, ProjectsHandler, SourceHandler
from .proxy_handler import StreamingServerProcess
from .signal_handlers import keep_signal_handlers

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

# By then, the first page of JupyterLab has loaded.
PREWARM_SECONDS = 3.0

# True if the extension has added Label Studio to this process's jupyter-server-proxy, so that the
# entry point must not add it again.
linked = False


class AlreadyServed(Exception):
    """Raised by the entry point if the extension serves Label Studio."""

    def __init__(self) -> None:
        super().__init__("labelstudio_proxy's server extension serves it")


def link(serverapp: ServerApp) -> None:
    """Configure jupyter-server-proxy; Jupyter calls it before it loads any extension."""
    global linked
    servers = serverapp.config.ServerProxy.get("servers", {})
    if not isinstance(servers, dict):  # c.ServerProxy.servers.update(…) in a configuration file
        servers = servers.get_value({})
    if NAME not in servers:  # an admin's own stays
        handoff = _handoff(serverapp)
        for problem in handoff.problems:
            serverapp.log.error("labelstudio_proxy: %s", problem.as_sentence())
        serverapp.config.ServerProxy.servers = {**servers, NAME: _server_process(handoff)}
    linked = True
    warnings.filterwarnings("ignore", f"entry_point {NAME} .*{AlreadyServed()}", UserWarning)


def load(serverapp: ServerApp) -> None:
    """Add Label Studio to Jupyter's API and metrics; start it if `prewarm` is set."""
    server = serverapp.config.ServerProxy.get("servers", {}).get(NAME)
    if not isinstance(server, StreamingServerProcess):  # an admin's own
        return
    if not server.launcher_entry.enabled:
        # For our extension of JupyterLab: in each page of JupyterLab and Notebook.
        page = serverapp.web_app.settings.setdefault("page_config_data", {})
        page["labelstudioProxyHidden"] = "true"
    keep_signal_handlers(serverapp)
    collector = register(server)
    instance: api_types.Instance = {
        "data_dir": server.data_dir,
        "prefix": f"{serverapp.base_url}{NAME}/",
        "new_browser_tab": server.new_browser_tab,
    }
    given = {"server": server, "instance": instance}
    route = re.escape(f"{serverapp.base_url}{ROUTE}")
    serverapp.web_app.add_handlers(  # type: ignore[no-untyped-call]
        ".*$",
        [
            (route, StateHandler, given),
            (f"{route}/({'|'.join(COMMANDS)})", CommandHandler, given),
            (f"{route}/events", EventsHandler, given),
            (f"{route}/log", LogHandler, given),
            (f"{route}/source", SourceHandler, given),
            (f"{route}/{PROJECTS}((?:/.*)?)", ProjectsHandler, given),
            (re.escape(f"{serverapp.base_url}metrics"), MetricsHandler, {"collector": collector}),
        ],
    )
    if server.prewarm:
        serverapp.io_loop.call_later(PREWARM_SECONDS, _prewarm, serverapp, server)


async def _prewarm(serverapp: ServerApp, server: StreamingServerProcess) -> None:
    """Start the gateway, which then starts Label Studio; see `gateway.server`."""
    try:
        await server.start(serverapp.web_app)
    except Exception as error:  # noqa: BLE001 - the first click shows what is wrong
        serverapp.log.warning("labelstudio_proxy: could not start with Jupyter: %s", error)


def _server_process(handoff: Handoff) -> StreamingServerProcess:
    # Doubled: jupyter-server-proxy formats environment variables as well.
    text = handoff.dump().replace("{", "{{").replace("}", "}}")
    fields = process_fields(
        new_browser_tab=handoff.settings.new_browser_tab, tile=handoff.settings.tile
    )
    fields["environment"][VARIABLE] = text
    return StreamingServerProcess(
        name=NAME,
        prewarm=handoff.settings.prewarm,
        data_dir=handoff.settings.data_dir,
        frame_ancestors=handoff.frame_ancestors,
        **fields,
    )


def _handoff(serverapp: ServerApp) -> Handoff:
    files = drop_in_files()
    files.merge(serverapp.config)
    settings, problems = read_settings(
        command_line=serverapp.cli_config, environment=os.environ, files=files
    )
    # Settled here: another start of the gateway must not find another default.
    settings.data_dir = str(settings.data_directory())
    headers = serverapp.tornado_settings.get("headers", {})
    ancestors = re.search(r"frame-ancestors\s+([^;]+)", headers.get("Content-Security-Policy", ""))
    return Handoff(
        settings=settings,
        problems=problems,
        root_dir=serverapp.root_dir,
        allow_origin=serverapp.allow_origin,
        allow_origin_pat=serverapp.allow_origin_pat,
        frame_ancestors=ancestors[1].strip() if ancestors else "'self'",
        parent=os.getpid(),
    )
