"""jupyter-server-proxy's entry point: the tile, and the command that runs the gateway.

Called at every start of Jupyter, so it imports nothing that Jupyter has not.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..request_kind import classify

NAME = "labelstudio"
# Not `-m labelstudio_proxy`: that would put the folder that Jupyter was started in, a user's, before
# the modules that the gateway imports (`-P` does the same from Python 3.11 on).
RUN = (
    "import sys; sys.path[:] = [path for path in sys.path if path]; "
    "from labelstudio_proxy.cli.main import main; main()"
)
# Seconds that jupyter-server-proxy waits for the gateway's first answer before it kills it. The
# gateway answers within one; the rest is for a machine that is busy.
TIMEOUT = 60
# Added to the environment that the gateway inherits. With glibc's default of one heap for each
# thread, 20 MB more stay with the gateway after it has served a page.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}


def command(unix_socket: str, base_url: str) -> list[str]:
    """The gateway's command line; jupyter-server-proxy fills in the arguments by their names."""
    arguments = [
        *(sys.executable, "-c", RUN, "serve"),
        *("--unix-socket", unix_socket, "--base-url", f"{base_url.rstrip('/')}/{NAME}/"),
    ]
    # jupyter-server-proxy formats what it is given, even by a function.
    return [argument.replace("{", "{{").replace("}", "}}") for argument in arguments]


def server_process() -> dict[str, Any]:
    """The entry point: Label Studio's `ServerProcess`, see jupyter-server-proxy's documentation."""
    extension = sys.modules.get("labelstudio_proxy.jupyter.extension")
    if extension is not None and extension.linked:
        # jupyter-server-proxy would list it a second time. This is how an entry point says no;
        # the extension has switched the warning off.
        raise extension.AlreadyServed
    return process_fields(new_browser_tab=True)


def updates_last_activity(handler: Any) -> bool:
    """Return True if the request of jupyter-server-proxy's `handler` counts as activity."""
    request = handler.request
    return classify(request.method, request.path, request.headers).counts_as_activity


def process_fields(*, new_browser_tab: bool) -> dict[str, Any]:
    """The fields of jupyter-server-proxy's `ServerProcess`."""
    return {
        "command": command,
        "environment": dict(ENVIRONMENT),
        "unix_socket": True,
        "timeout": TIMEOUT,
        "new_browser_tab": new_browser_tab,
        "update_last_activity": updates_last_activity,
        "launcher_entry": {
            "title": "Label Studio",
            "icon_path": str(Path(__file__).parents[1] / "static" / "labelstudio.svg"),
            # JupyterLab shows an icon of its own for each tile of the other categories.
            "category": "Notebook",
        },
    }
