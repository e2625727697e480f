"""jupyter-server-proxy's entry point: the tile, and the command that runs the gateway.

Every start of Jupyter calls it, so it imports only what Jupyter has imported already.
"""

from __future__ import annotations

import atexit
import contextlib
import shutil
import sys
from pathlib import Path
from typing import Any

from .. import own_interpreter
from ..problem import Problem
from ..request_kind import classify
from ..socket_folder import new_socket

NAME = "labelstudio"
# Not `-m labelstudio_proxy`: the gateway would import modules from the folder that Jupyter was
# started in, which is a user's (`-P` prevents that from Python 3.11 on).
RUN = (
    "import sys; sys.path[:] = [path for path in sys.path if path]; "
    "from labelstudio_proxy.cli.run_gateway import main; main()"
)
# Seconds until jupyter-server-proxy kills a gateway that does not respond. It takes one, more on an
# overloaded machine.
TIMEOUT = 60
# Added to the environment that the gateway inherits.
ENVIRONMENT = {
    # An ASCII locale could not encode the names of some files.
    "PYTHONUTF8": "1",
    # aiohttp reads files in a thread. `sendfile` reads in the event loop, which a disk that hangs would block.
    "AIOHTTP_NOSENDFILE": "1",
    # glibc keeps one heap for all threads, blocks of up to 1 MB in it, and up to 8 MB of it free. Otherwise
    # all three grow with use, and an idle gateway keeps 15 to 30 MB more.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "8388608",
}


def command(unix_socket: str, base_url: str) -> list[str]:
    """Return the gateway's command line; jupyter-server-proxy passes arguments by their names."""
    arguments = [
        *(sys.executable, *own_interpreter.options(), "-c", RUN, "serve"),
        *("--unix-socket", unix_socket, "--base-url", f"{base_url.rstrip('/')}/{NAME}/"),
    ]
    # Doubled: jupyter-server-proxy formats the command line, even that of a function.
    return [argument.replace("{", "{{").replace("}", "}}") for argument in arguments]


def server_process() -> dict[str, Any]:
    """Return the fields of Label Studio's `ServerProcess`, for jupyter-server-proxy."""
    extension = sys.modules.get("labelstudio_proxy.jupyter.extension")
    if extension is not None and extension.linked:
        # Otherwise jupyter-server-proxy would list it twice. An entry point declines by raising;
        # the extension has turned the warning off.
        raise extension.AlreadyServed
    fields = process_fields(new_browser_tab=True)
    # jupyter-server-proxy would choose a temporary folder, whose path may be too long.
    with contextlib.suppress(Problem):
        path = new_socket("gateway.sock")
        atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
        fields["unix_socket"] = str(path)
    return fields


def updates_last_activity(handler: Any) -> bool:
    """Return True if the request of jupyter-server-proxy's `handler` counts as activity."""
    request = handler.request
    return classify(request.method, request.path, request.headers).counts_as_activity


def process_fields(*, new_browser_tab: bool, tile: bool = True) -> dict[str, Any]:
    """Return the fields of jupyter-server-proxy's `ServerProcess`; the arguments are settings."""
    return {
        "command": command,
        "environment": dict(ENVIRONMENT),
        "unix_socket": True,
        "timeout": TIMEOUT,
        "new_browser_tab": new_browser_tab,
        "update_last_activity": updates_last_activity,
        "launcher_entry": {
            "enabled": tile,
            "title": "Label Studio",
            "icon_path": str(Path(__file__).parents[1] / "static" / "labelstudio.svg"),
            # In other categories, JupyterLab replaces the icon by its own.
            "category": "Notebook",
        },
    }
