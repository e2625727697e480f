"""A package index in a folder: this checkout, and what is installed here."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, version
from pathlib import Path

import labelstudio_proxy

from .environments import with_requirements

PACKAGE = Path(labelstudio_proxy.__file__).parent
VERSION = version("label-studio")
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_index(folder: Path, label_studio: str) -> None:
    """Fill a folder so that its URL is an index with `labelstudio-proxy` and `label-studio`.

    The real wheels of Label Studio and its 160 packages take minutes. Instead, its wheel leads Python
    to `label_studio`: the path of a folder with installed packages, or several, one a line.
    """
    for package in with_requirements(("labelstudio-proxy",)):
        ours = package.name == "labelstudio-proxy"
        files = dict(_checkout() if ours else _installed(package))
        described = {
            # of this checkout it may be PKG-INFO
            "METADATA": package.read_text("METADATA") or package.read_text("PKG-INFO") or "",
            "WHEEL": package.read_text("WHEEL") or WHEEL,
            "entry_points.txt": package.read_text("entry_points.txt") or "",
        }
        _write(folder, package.name, package.version, described, files)
    described = {
        "METADATA": f"Metadata-Version: 2.1\nName: label-studio\nVersion: {VERSION}\n",
        "WHEEL": WHEEL,
        "entry_points.txt": "[console_scripts]\nlabel-studio = label_studio.server:main\n",
    }
    _write(folder, "label-studio", VERSION, described, {"installed.pth": label_studio})


def _checkout() -> Iterator[tuple[str, Path]]:
    for path in PACKAGE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(PACKAGE.parent)), path
    for path in (PACKAGE / "labextension").rglob("*"):
        if path.is_file():
            name = path.relative_to(PACKAGE / "labextension")
            yield f"data/share/jupyter/labextensions/labelstudio-proxy/{name}", path
    enabling = "etc/jupyter/jupyter_server_config.d/labelstudio_proxy.json"
    yield f"data/{enabling}", Path(sys.prefix, enabling)


def _installed(package: Distribution) -> Iterator[tuple[str, Path]]:
    here = Path(sysconfig.get_path("purelib"))
    for file in package.files or []:
        path = Path(os.path.normpath(here / file))
        if not path.is_file() or path.suffix == ".pyc" or ".dist-info" in file.parts[0]:
            continue
        if path.is_relative_to(here):
            yield str(file), path
        elif path.parent.name != "bin":  # pip makes the programs
            yield f"data/{path.relative_to(sys.prefix)}", path


def _write(
    folder: Path,
    name: str,
    release: str,
    described: Mapping[str, str],
    files: Mapping[str, str | Path],
) -> None:
    stem = f"{name.replace('-', '_').replace('.', '_')}-{release}"
    tags = [line[5:] for line in described["WHEEL"].splitlines() if line.startswith("Tag: ")]
    names = {f"{stem}.dist-info/{file}" for file in described}
    wheel_name = f"{stem}-{tags[-1]}.whl"
    page = folder / re.sub(r"[-_.]+", "-", name).lower() / "index.html"
    page.parent.mkdir()
    page.write_text(f'<a href="{wheel_name}">{wheel_name}</a>')
    with zipfile.ZipFile(page.with_name(wheel_name), "w") as wheel:
        for file, text in described.items():
            wheel.writestr(f"{stem}.dist-info/{file}", text)
        for file, content in files.items():
            target = f"{stem}.data/{file}" if file.startswith("data/") else file
            names.add(target)
            if isinstance(content, Path):
                wheel.write(content, target)
            else:
                wheel.writestr(target, content)
        record = f"{stem}.dist-info/RECORD"
        wheel.writestr(record, "".join(f'"{each}",,\n' for each in sorted({*names, record})))
