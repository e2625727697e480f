"""The wheel, installed by pip in a new environment."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import clean_environment

CHECKOUT = Path(__file__).parents[2]
PACKAGE = "labelstudio_proxy"
CONFIG = f"etc/jupyter/jupyter_server_config.d/{PACKAGE}.json"

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
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: files of an earlier build in the checkout would be in it."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(
        ".*", "build", "dist", "*.egg-info", "__pycache__", "tests", "test-results"
    )
    source = shutil.copytree(CHECKOUT, folder / "source", ignore=ignored)
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder / "dist", source)
    (built,) = (folder / "dist").iterdir()
    return built


def packed(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    in_checkout = {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / PACKAGE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = packed(wheel)
    assert {name for name in names if name.startswith(f"{PACKAGE}/")} == in_checkout
    assert f"{PACKAGE}/py.typed" in names
    assert f"{PACKAGE}/static/labelstudio.svg" in names
    assert any(name.startswith(f"{PACKAGE}/gateway/templates/") for name in names)
    assert any(name.startswith(f"{PACKAGE}/gateway/static/") for name in names)

    (dist_info,) = {PurePosixPath(name).parts[0] for name in names if ".dist-info/" in name}
    stem = dist_info.removesuffix(".dist-info")
    folders = {PurePosixPath(name).parts[0] for name in names}
    assert folders == {PACKAGE, dist_info, f"{stem}.data"}


def test_wheel_brings_the_file_that_enables_the_extension(wheel: Path) -> None:
    (name,) = (name for name in packed(wheel) if ".data/" in name)
    assert name.partition(".data/data/")[2] == CONFIG
    with zipfile.ZipFile(wheel) as archive:
        extensions = json.loads(archive.read(name))["ServerApp"]["jpserver_extensions"]
    assert extensions == {PACKAGE: True}


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the wheel.

    A path file adds the dependencies of the running environment: installing them would take minutes.
    Python does not follow that environment's own path files (an editable install's).
    """
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    site_packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(site_packages.strip(), "dependencies.pth").write_text("\n".join(dependencies))

    # With Jupyter's own extensions, without the file that enables ours.
    ours = shutil.ignore_patterns(f"*{PACKAGE}*")
    running = Path(sys.prefix)
    shutil.copytree(running / "etc" / "jupyter", folder / "etc" / "jupyter", ignore=ours)
    (folder / "share").mkdir(exist_ok=True)
    (folder / "share" / "jupyter").symlink_to(running / "share" / "jupyter")

    run(python, "-m", "pip", "install", "--no-deps", "--no-index", "--force-reinstall", wheel)
    return python


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
