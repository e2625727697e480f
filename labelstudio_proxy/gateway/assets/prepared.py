"""Label Studio's scripts, compressed in advance beside the installation: for images and shared machines.

All users of the installation read them, each gateway in addition to its own cache. Style sheets are
not among them, because they depend on the prefix.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from ...label_studio.build import Build
from ..proxy.compression import BEST, BROTLI, compress
from .background import large_files
from .cache import AssetFolder, digest, is_style_sheet

# Beside Label Studio's folder `dist`.
FOLDER = "dist-compressed"
# All users of the installation read them.
FOLDER_MODE, FILE_MODE = 0o755, 0o644


def prepared_in(build: Build) -> Path | None:
    """Return the folder of this build, which need not exist; None for a container."""
    return build.front_end.with_name(FOLDER) if build.front_end is not None else None


def compress_scripts(build: Build, show: Callable[[int, int], None]) -> None:
    """Compress the large scripts of this build on all processors; what is there already stays.

    `show` gets how many are done, and of how many. Removes those of an earlier version of Label
    Studio. Raises OSError, such as PermissionError if this user may not write there.
    """
    path = prepared_in(build)
    if path is None or build.front_end is None:
        return
    path.mkdir(exist_ok=True)
    path.chmod(FOLDER_MODE)
    folder = AssetFolder(path)
    files = [file for file in large_files(build.front_end) if not is_style_sheet(file.name)]
    kept: set[Path] = set()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tasks = [pool.submit(_compress, folder, file) for file in files]
        try:
            for done, task in enumerate(as_completed(tasks), 1):
                kept.add(task.result())
                show(done, len(tasks))
        finally:
            for task in tasks:
                task.cancel()
    for file in path.iterdir():
        if file not in kept:
            with contextlib.suppress(OSError):
                file.unlink()


def _compress(folder: AssetFolder, script: Path) -> Path:
    body = script.read_bytes()
    content, level = digest(body), BEST[BROTLI]
    if not folder.has_content(content, BROTLI, level):
        folder.save_content(content, BROTLI, level, compress(body, BROTLI, level))
    file = folder.content_file(content, BROTLI, level)
    file.chmod(FILE_MODE)
    return file
