"""Where the files of tasks are on this machine, by their URLs in task data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from ...config.notebook_files import NotebookFiles
from ...data_directory.directory import DataDirectory
from ...data_directory.local_storages import source_storages
from ...label_studio import paths
from ..proxy.files_on_disk import is_outside, path_in
from ..proxy.local_files import candidates


def may_read(directory: DataDirectory, files: NotebookFiles | None, path: Path) -> bool:
    """Return True if Label Studio may read the file at `path`, links followed. Blocks.

    Tasks may come from other people, with any path in them.
    """
    folders = [_uploads(directory), *([files.root] if files else [])]
    return any(not is_outside(folder, path) for folder in folders)


def item_paths(
    directory: DataDirectory, files: NotebookFiles | None, *, external_database: bool
) -> Callable[[str], str | None]:
    """Return a function from a URL to the absolute path of its file, or None. Blocks.

    It looks at no file: a path may lead nowhere.
    """
    storages = [] if external_database else source_storages(directory)
    uploads = _uploads(directory)

    def path_of(url: str) -> str | None:
        address = urlsplit(url) if url.startswith(paths.FILES) else None
        if address is None:
            return None
        path = unquote(address.path)
        if found := paths.UPLOAD.fullmatch(path):
            return str(uploads / found[1])
        names = parse_qs(address.query, errors="surrogateescape").get("d")
        if files is None or not names or not paths.LOCAL_FILE.fullmatch(path):
            return None
        # The task may be older than today's files root.
        here = path_in(files.root, names[-1])
        there = {each.path for each in candidates(names[-1], storages)}
        return str(there.pop() if len(there) == 1 else here)

    return path_of


def _uploads(directory: DataDirectory) -> Path:
    return directory.path / "media" / "upload"
