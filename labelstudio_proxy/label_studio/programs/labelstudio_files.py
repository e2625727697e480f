"""Finds the notebook's files that an export includes, whatever the document root of the day is.

labelstudio_settings names it. It runs inside Label Studio, in the local process and in the container.
The paths in task data are relative to the document root of the day when the task was made. For pages, the
gateway finds the files in the same way.
"""

import os
import posixpath
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

EXPORT = re.compile(r"/api/projects/(\d+)/exports?(/|$)")


def find_files(respond: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Middleware: while an export runs, Label Studio's SDK asks us where a file is."""
    from django.conf import settings
    from django.core.exceptions import MiddlewareNotUsed

    try:
        from label_studio_sdk._extensions.label_studio_tools.core.utils.io import (
            local_files_resolver,
        )
    except ImportError:  # an older version
        raise MiddlewareNotUsed from None
    if not settings.LOCAL_FILES_SERVING_ENABLED:
        raise MiddlewareNotUsed

    def middleware(request: Any) -> Any:
        export = EXPORT.match(request.path_info)
        if export is None:
            return respond(request)
        with local_files_resolver(partial(_resolve, int(export[1]))):
            return respond(request)

    return middleware


def _resolve(project: int, name: str) -> str | None:
    from django.conf import settings
    from io_storages.localfiles.models import LocalFilesImportStorage

    root = str(settings.LOCAL_FILES_DOCUMENT_ROOT)
    storages = LocalFilesImportStorage.objects.values_list("project_id", "path")
    if "LABELSTUDIO_PROXY_FILES_ROOT_ONLY" in os.environ:
        storages = [each for each in storages if f"{each[1]}/".startswith(f"{root.rstrip('/')}/")]
    return find(name, project, storages, root)


def find(name: str, project: int, storages: Iterable[tuple[int, str]], root: str) -> str | None:
    """Return the path of the file `name` in task data of a project; None if it is not clear.

    `storages`: the projects' numbers and folders; `root`: today's document root. A wrong picture would
    be worse than none.
    """
    wanted = posixpath.normpath(name).lstrip("/").split("/")
    if ".." in wanted:
        return None
    found = []
    for owner, folder in storages:
        parts = folder.strip("/").split("/")
        for start in range(len(parts)):
            length = len(parts) - start
            if len(wanted) > length and wanted[:length] == parts[start:]:
                found.append((owner, posixpath.join(folder, *wanted[length:])))
    existing = [each for each in found if os.path.isfile(each[1])]  # noqa: PTH113 - a str
    own = {path for owner, path in existing if owner == project} or {path for _, path in existing}
    here = posixpath.join(root, *wanted)
    if here in own or not found:
        return here
    return own.pop() if len(own) == 1 else None
