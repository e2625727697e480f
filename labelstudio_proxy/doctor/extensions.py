"""The extensions of Jupyter's server and of JupyterLab: whether the tile shows."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_config_path, jupyter_path
from jupyter_server.config_manager import BaseJSONConfigManager, recursive_update

from .._version import __version__
from ..shell_command import pip_install, shell_command
from .finding import Finding, error, ok, warning
from .packages import PROXY, version_of
from .situation import Situation

OURS = "labelstudio-proxy"
TILE = "@jupyterhub/jupyter-server-proxy"  # JupyterLab's side of jupyter-server-proxy


def check(situation: Situation) -> Iterator[Finding]:
    """Check the extensions, as Jupyter's configuration files enable and disable them."""
    yield from check_server()
    if not situation.settings.tile:
        yield ok("Tile", "it does not show, because the setting `tile` is `False`")
    else:
        yield from check_jupyterlab()


def check_server() -> Iterator[Finding]:
    """Check the extensions of Jupyter's server."""
    subject = "Server extension"
    found, wrong = merged("jupyter_server_config")
    for file in wrong:
        yield error(
            subject, f"Jupyter cannot read {file}.", "Correct this JSON, then restart Jupyter."
        )
    enabled = found.get("ServerApp", {}).get("jpserver_extensions", {})
    for name, package, bad, loss in (
        ("jupyter_server_proxy", PROXY, error, "Without it there is no tile."),
        ("labelstudio_proxy", OURS, warning, "Without it there is no panel and no API."),
    ):
        if enabled.get(name):
            yield ok(subject, f"{name} is enabled")
            continue
        if name in enabled:
            what = f"{name} is disabled in Jupyter's configuration files."
            command = shell_command(f"jupyter server extension enable {name}")
        else:
            what = f"No configuration file of Jupyter enables {name}."
            command = pip_install(f"--force-reinstall --no-deps {package}")
        yield bad(subject, f"{what} {loss}", f"Run `{command}`, then restart Jupyter.")


def check_jupyterlab() -> Iterator[Finding]:
    """Check the extensions of JupyterLab, if it is installed."""
    if not version_of("jupyterlab"):
        yield ok(
            "Tile", "JupyterLab is not in this environment: open `labelstudio/` below Jupyter's URL"
        )
        return
    tile = _fault(TILE)
    if tile:
        yield error("Tile", f"It does not show: {tile[0]}", tile[1])
    else:
        yield ok("Tile", "shows in JupyterLab's launcher, in the category Notebook")
    subject = "JupyterLab extension"
    if fault := _fault(OURS):
        yield warning(subject, f"There is no panel and no menu: {fault[0]}", fault[1])
        return
    path = _package(OURS)
    found = _read(path).get("version", "")
    if found == __version__:
        yield ok(subject, f"{OURS} {found} is enabled ({path.parent})")
    else:
        yield warning(
            subject,
            f"{path.parent} has version {found or '(unknown)'}, and the package {__version__}.",
            "Remove that folder, then run "
            f"`{pip_install(f'--force-reinstall --no-deps {OURS}')}`, and reload JupyterLab's page.",
        )


def _fault(name: str) -> tuple[str, str] | None:
    """Return why an extension of JupyterLab does not load, and what to do; None if it does."""
    package = PROXY if name == TILE else OURS
    reload = "then reload JupyterLab's page."
    if not _package(name).is_file():
        command = pip_install(f"--force-reinstall --no-deps {package}")
        return f"JupyterLab has no extension {name}.", f"Run `{command}`, {reload}"
    for disabled in sorted(disabled_extensions()):
        if disabled.partition(":")[0] == name:
            command = shell_command(f"jupyter labextension enable {disabled}")
            return f"the extension {disabled} is disabled.", f"Run `{command}`, {reload}"
    return None


def disabled_extensions() -> set[str]:
    """Return the names of JupyterLab's disabled extensions and plugins."""
    own = _read(Path(sys.prefix, "share/jupyter/lab/settings/page_config.json"))
    disabled: dict[str, Any] = {}
    for found in (own, merged("page_config", "labconfig")[0]):
        listed = found.get("disabledExtensions", {})
        disabled.update(listed if isinstance(listed, dict) else dict.fromkeys(listed, True))
    return {name for name, is_disabled in disabled.items() if is_disabled}


def merged(name: str, subfolder: str = "") -> tuple[dict[str, Any], list[Path]]:
    """Return what Jupyter's JSON files `name` and `name.d/*` say together, and those it cannot read."""
    found: dict[str, Any] = {}
    wrong = []
    for each in reversed(jupyter_config_path()):
        folder = Path(each, subfolder)
        files = [*sorted(folder.glob(f"{name}.d/*.json")), folder / f"{name}.json"]
        wrong += [file for file in files if file.is_file() and not _is_json(file)]
        with contextlib.suppress(OSError):  # one that cannot be read is in `wrong`
            recursive_update(found, BaseJSONConfigManager(config_dir=str(folder)).get(name))
    return found, wrong


def _package(name: str) -> Path:
    """Return the `package.json` of an extension of JupyterLab; the first folder counts."""
    folders = [Path(folder, name) for folder in jupyter_path("labextensions")]
    return next((each for each in folders if each.is_dir()), folders[-1]) / "package.json"


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
