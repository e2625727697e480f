"""Finds the page of a path that lacks its last slash.

labelstudio_settings names it. It runs inside Label Studio, in the local process and in the container.
"""

from collections.abc import Callable
from typing import Any

from django.urls import is_valid_path


def add_slash(respond: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Middleware: add the slash before anything else sees the request.

    Label Studio's front end leaves it out in most requests. Label Studio's own middleware then renders
    a page "not found", adds the slash, and passes the request through every middleware once more: a
    fifth of the time of a request.
    """

    def middleware(request: Any) -> Any:
        path = request.path_info
        if not path.endswith("/") and not is_valid_path(path) and is_valid_path(f"{path}/"):
            request.path += "/"
            request.path_info += "/"
        return respond(request)

    return middleware
