"""A folder of packages in the place of a package index, with a `label-studio` that is the echo."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

from .gateway import ECHO
from .processes import wait_for

# Runs the echo when the environment's Python is asked to serve Label Studio, and compiles nothing.
HOOK = f"""\
import os, sys
if "serve" in sys.orig_argv:
    os.execv({sys.executable!r}, [{sys.executable!r}, {str(ECHO)!r}, *sys.orig_argv[1:]])
if "compile" in sys.orig_argv:
    os._exit(0)
"""
# Ends the backend of `add_source`: makes an empty wheel of the package `name`.
BUILD_WHEEL = """
def build_wheel(folder, *_):
    import zipfile
    stem = "{name}".replace("-", "_") + "-1.0"
    with zipfile.ZipFile(f"{{folder}}/{{stem}}-py3-none-any.whl", "w") as wheel:
        def write(file, text):
            wheel.writestr(f"{{stem}}.dist-info/{{file}}", text)
        write("METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        write("WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        write("RECORD", "")
    return f"{{stem}}-py3-none-any.whl"
"""
ENTRY_POINTS = "[console_scripts]\nlabel-studio = label_studio.server:main\n"


class PackageIndex:
    """`environment` has the settings of a pip that knows nothing but the packages in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.environment = {
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(folder),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def add(self, version: str, *requirements: str, python: str = ">=3.8") -> None:
        """Add a Label Studio."""
        files = {
            "label_studio/__init__.py": "",
            "label_studio/server.py": "def main(): pass\n",
            # Not sitecustomize, of which Debian's Python has another one.
            "echo_hook.py": HOOK,
            "echo_hook.pth": "import echo_hook\n",
            "web/dist/main.js": "const echo = 1;" * 10_000,
        }
        info = f"label_studio-{version}.dist-info"
        metadata = [
            *("Metadata-Version: 2.1", "Name: label-studio", f"Version: {version}"),
            f"Requires-Python: {python}",
            *(f"Requires-Dist: {name}" for name in requirements),
        ]
        files[f"{info}/METADATA"] = "\n".join(metadata) + "\n"
        files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        files[f"{info}/entry_points.txt"] = ENTRY_POINTS
        files[f"{info}/RECORD"] = ""
        wheel = self.folder / f"label_studio-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as packed:
            for name, text in files.items():
                packed.writestr(name, text)

    def remove(self, version: str) -> None:
        (self.folder / f"label_studio-{version}-py3-none-any.whl").unlink()

    def add_source(self, name: str, backend: str) -> None:
        """Add a package that must be built; `backend`: Python that does it, without setuptools."""
        files = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            "backend.py": backend,
            "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\n"
            f"backend-path = ['.']\n[project]\nname = {json.dumps(name)}\nversion = '1.0'\n",
        }
        with tarfile.open(self.folder / f"{name.replace('-', '_')}-1.0.tar.gz", "w:gz") as packed:
            for path, text in files.items():
                member = tarfile.TarInfo(f"{name.replace('-', '_')}-1.0/{path}")
                member.size = len(text)
                packed.addfile(member, io.BytesIO(text.encode()))


class HangingBuild:
    """The package `hangs`, whose build hangs until `end`."""

    def __init__(self, index: PackageIndex, marker: Path) -> None:
        self.marker = marker
        self.ended = marker.with_name("ended")
        index.add_source(
            "hangs",
            "import pathlib, time\n"
            f"pathlib.Path({str(marker)!r}).touch()\n"
            f"while not pathlib.Path({str(self.ended)!r}).exists(): time.sleep(0.1)\n"
            + BUILD_WHEEL.format(name="hangs"),
        )

    def wait(self) -> None:
        wait_for(self.marker.exists, what="the build")
        self.marker.unlink()

    def end(self) -> None:
        self.ended.touch()


def without_label_studio(folder: Path) -> Path:
    """Return the Python of an environment with all that is here, except Label Studio and uv."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    here = Path(sys.prefix, *site.relative_to(folder).parts)
    for path in here.iterdir():
        if not path.name.startswith("label_studio") and not (site / path.name).exists():
            (site / path.name).symlink_to(path)
    for name in ("etc", "share"):
        (folder / name).symlink_to(Path(sys.prefix, name))
    return folder / "bin" / "python"
