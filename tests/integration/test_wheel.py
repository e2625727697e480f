"""The wheel, installed by pip in a new environment, and the source distribution."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from support import environments
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import clean_environment

from labelstudio_proxy._version import __version__

CHECKOUT = Path(__file__).parents[2]
PACKAGE = "labelstudio_proxy"
CONFIG = f"etc/jupyter/jupyter_server_config.d/{PACKAGE}.json"
LABEXTENSION = "share/jupyter/labextensions/labelstudio-proxy"

# What a browser sends when a user types a URL.
NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-User": "?1",
}


def run(*command: str | Path, **options: object) -> str:
    done = subprocess.run(  # type: ignore[call-overload]
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options
    )
    output: str = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution of a checkout in which the JupyterLab extension was built."""
    folder = tmp_path_factory.mktemp("sdist")
    ignored = shutil.ignore_patterns(
        *(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "node_modules"),
        *("build", "dist", "*.egg-info", "test-results"),
    )
    source = shutil.copytree(CHECKOUT, folder / "source", ignore=ignored)
    backend = "import sys; sys.path.insert(0, 'scripts'); import build_backend as backend; "
    run(sys.executable, "-c", f"{backend} backend.build_sdist({str(folder)!r})", cwd=source)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return unpacked


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the source distribution, with the npm packages of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(sdist, folder / "source")
    # npm would take half a minute
    (source / "labextension/node_modules").symlink_to(CHECKOUT / "labextension/node_modules")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder / "dist", source)
    (built,) = (folder / "dist").iterdir()
    return built


def packed(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel: their names and contents."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    in_checkout = {
        path.relative_to(CHECKOUT).as_posix(): path.read_bytes()
        for path in (CHECKOUT / PACKAGE).rglob("*")
        if path.is_file() and not {"__pycache__", "labextension"} & {*path.parts}
    }
    names = packed(wheel)
    ours = {name: data for name, data in names.items() if name.startswith(f"{PACKAGE}/")}
    assert ours == in_checkout
    assert f"{PACKAGE}/py.typed" in names
    assert f"{PACKAGE}/static/labelstudio.svg" in names
    assert any(name.startswith(f"{PACKAGE}/gateway/templates/") for name in names)
    assert any(name.startswith(f"{PACKAGE}/gateway/static/") for name in names)

    (dist_info,) = {PurePosixPath(name).parts[0] for name in names if ".dist-info/" in name}
    stem = dist_info.removesuffix(".dist-info")
    folders = {PurePosixPath(name).parts[0] for name in names}
    assert folders == {PACKAGE, dist_info, f"{stem}.data"}


def data(wheel: Path) -> dict[str, bytes]:
    """Return the files that a wheel puts into the environment beside the package."""
    split = {name.partition(".data/data/")[2]: content for name, content in packed(wheel).items()}
    return {name: content for name, content in split.items() if name}


def test_wheel_brings_the_file_that_enables_the_extension(wheel: Path) -> None:
    files = data(wheel)
    assert {name for name in files if not name.startswith(f"{LABEXTENSION}/")} == {CONFIG}
    extensions = json.loads(files[CONFIG])["ServerApp"]["jpserver_extensions"]
    assert extensions == {PACKAGE: True}


def test_wheel_brings_the_built_jupyterlab_extension(wheel: Path) -> None:
    files = data(wheel)
    built = json.loads(files[f"{LABEXTENSION}/package.json"])
    assert f"{LABEXTENSION}/{built['jupyterlab']['_build']['load']}" in files
    assert f"{LABEXTENSION}/install.json" in files
    assert f"{LABEXTENSION}/schemas/labelstudio-proxy/plugin.json" in files


def test_source_distribution_has_the_sources_and_nothing_built(sdist: Path) -> None:
    extension = {path.name for path in (sdist / "labextension").iterdir()}
    assert {"package.json", "package-lock.json", ".npmrc", "src", "schema", "style"} <= extension
    assert "node_modules" not in extension
    assert not (sdist / PACKAGE / "labextension").exists()
    assert (sdist / "tests" / "conftest.py").exists()


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the wheel."""
    return environments.overlay(tmp_path_factory.mktemp("environment"), wheel, checkout=False)


@pytest.fixture(scope="module")
def jupyter(python: Path, module_jupyter_lab: Callable[..., JupyterLab]) -> JupyterLab:
    return module_jupyter_lab(python=python, base_url="/user/alice/")


def test_installed_package_is_the_wheels(python: Path, tmp_path: Path) -> None:
    where = run(python, "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(python.parents[1])


def test_installed_extension_is_enabled_and_valid(python: Path, tmp_path: Path) -> None:
    listed = run(
        *(python, "-m", "jupyter_server", "extension", "list"),
        cwd=tmp_path,
        env=clean_environment(tmp_path),
    )
    listed = re.sub(r"\x1b\[\d+m", "", listed)
    assert re.search(rf"{PACKAGE}\s+enabled", listed), listed
    assert re.search(rf"{PACKAGE}\s+\S*\s+OK", listed), listed


def test_jupyterlab_lists_the_installed_extension(python: Path, tmp_path: Path) -> None:
    listed = run(
        *(python, "-m", "jupyterlab.labextensions", "list"),
        cwd=tmp_path,
        env=clean_environment(tmp_path),
    )
    listed = re.sub(r"\x1b\[\d+m", "", listed)
    name = rf"labelstudio-proxy v{re.escape(__version__)}"
    assert re.search(rf"{name} enabled OK \(python, labelstudio-proxy\)", listed), listed


def test_installed_command_answers(python: Path, tmp_path: Path) -> None:
    command = python.with_name("labelstudio-proxy")
    assert "serve" in run(command, "--help", cwd=tmp_path, env=clean_environment(tmp_path))


def test_launcher_has_one_tile_with_its_icon(jupyter: JupyterLab) -> None:
    servers = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    (tile,) = (server for server in servers if server["name"] == "labelstudio")
    entry = tile["launcher_entry"]
    assert entry["enabled"] is True
    assert entry["title"] == "Label Studio"
    assert entry["path_info"].rstrip("/") == "labelstudio"

    icon = jupyter.get(entry["icon_url"].removeprefix(jupyter.base_url))
    assert icon.status_code == 200
    assert icon.headers["Content-Type"].startswith("image/svg+xml")
    assert b"<svg" in icon.content


def test_tile_leads_to_a_page(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> None:
    page = label_studio_client(jupyter).get("", headers=NAVIGATION, allow_redirects=True)
    assert page.headers["Content-Type"].startswith("text/html"), page.text[:2000]
    assert "<html" in page.text
    assert "Label Studio" in page.text


def test_uninstalled_package_leaves_nothing_to_jupyter(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", tmp_path / "bin" / "python")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    run(*pip, "install", "--no-deps", wheel)
    assert (tmp_path / CONFIG).is_file()
    assert (tmp_path / LABEXTENSION / "package.json").is_file()
    run(*pip, "uninstall", "--yes", "labelstudio-proxy")
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not (tmp_path / LABEXTENSION).exists()
