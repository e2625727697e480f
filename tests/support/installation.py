"""An installation of Label Studio with a handful of files, whose program is the echo."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from .gateway import ECHO, script

FOLDERS = {
    "static": "label_studio/core/static_build",
    "react-app": "web/dist/apps/labelstudio",
}


class SmallInstallation:
    """Found by its `executable`, as any other; it serves what is put into it."""

    def __init__(self, folder: Path, version: str = "9.9.9") -> None:
        self.folder = folder
        for below in FOLDERS.values():
            (folder / below).mkdir(parents=True)
        (folder / "label_studio" / "__init__.py").touch()
        metadata = folder / "label_studio-9.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: label-studio\nVersion: {version}\n")
        python = script(
            folder / "python3",
            # without site-packages, so without the real one and its server
            f"export PYTHONPATH={shlex.quote(str(folder))}",
            f'exec {shlex.quote(sys.executable)} -S "$@"',
        )
        self.executable = folder / "label-studio"
        self.executable.write_text(
            f"#!{python}\nimport runpy, sys\nsys.argv += ['--assets', {str(folder)!r}]\n"
            f"runpy.run_path({str(ECHO)!r}, run_name='__main__')\n"
        )
        self.executable.chmod(0o755)

    def put(self, path: str, content: bytes) -> None:
        """Make `content` what `/path` gives."""
        root, _, name = path.partition("/")
        file = self.folder / FOLDERS[root] / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
