"""An installation with a few files of Label Studio, whose server is the echo."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from .gateway import RUN_ECHO, stand_in

FOLDERS = {
    "static": "label_studio/core/static_build",
    "react-app": "web/dist/apps/labelstudio",
}


class SmallInstallation:
    """Its `executable` is for the setting `label_studio`. It serves the files that `put` adds."""

    def __init__(self, folder: Path, version: str = "9.9.9") -> None:
        self.folder = folder
        for below in FOLDERS.values():
            (folder / below).mkdir(parents=True)
        (folder / "label_studio" / "__init__.py").touch()
        metadata = folder / "label_studio-9.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: label-studio\nVersion: {version}\n")
        self.executable = stand_in(
            folder,
            f"{RUN_ECHO} --assets {shlex.quote(str(folder))}",
            # without site-packages, so without the real Label Studio
            probe=f'PYTHONPATH={shlex.quote(str(folder))} {shlex.quote(sys.executable)} -S "$@"',
        )

    def put(self, path: str, content: bytes) -> None:
        """Serve `content` at `/path`."""
        root, _, name = path.partition("/")
        file = self.folder / FOLDERS[root] / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
