"""Read the settings of labelstudio-proxy from Jupyter's configuration files, and from locked ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from jupyter_core import paths
from jupyter_core.application import JupyterApp
from jupyter_core.paths import jupyter_config_path
from jupyter_server.config_manager import BaseJSONConfigManager
from traitlets import Unicode
from traitlets.config import Config

from ..problem import Problem
from .settings import LabelStudioProxy, resolve

SECTION = "LabelStudioProxy"
FILES = "jupyter_server_config"
# In a folder of Jupyter's configuration for the whole machine, such as /etc/jupyter.
LOCKED = "labelstudio_proxy_locked.json"


def read_settings(
    *, command_line: Config, environment: Mapping[str, str], files: Config
) -> tuple[LabelStudioProxy, list[Problem]]:
    """Return the settings and what is wrong with them, as `resolve`, with those that are locked."""
    locked, unreadable = locked_settings()
    settings, problems = resolve(
        command_line=command_line, environment=environment, files=files, locked=locked
    )
    return settings, [*unreadable, *problems]


def locked_settings() -> tuple[list[tuple[str, Config]], list[Problem]]:
    """Return the settings that an administrator has locked, with the names of their files.

    Only folders that no variable of a user's environment moves count. A file that cannot be read is
    a Problem: without it, Label Studio would start with other settings.
    """
    locked, problems = [], []
    for folder in paths.SYSTEM_CONFIG_PATH:
        file = Path(folder, LOCKED)
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(values, dict):
                raise ValueError("it must be an object of settings and values")  # noqa: TRY004
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            problems.append(
                Problem(
                    f"The locked settings in {file} could not be read.",
                    f"{error}.",
                    "Ask an administrator to correct this file, then restart Jupyter.",
                )
            )
        else:
            locked.append((str(file), Config({SECTION: values})))
    return locked, problems


def drop_in_files() -> Config:
    """Return the settings in `jupyter_server_config.d/*.json`.

    Jupyter reads these files only to find its extensions.
    """
    found = Config()
    for folder in reversed(jupyter_config_path()):
        section = BaseJSONConfigManager(config_dir=folder).get(FILES).get(SECTION)
        if isinstance(section, dict):
            found.merge(Config({SECTION: section}))
    return found


def jupyter_config() -> Config:
    """Return the settings in all configuration files, for a gateway without a Jupyter server.

    Raises what a wrong file raises: without it, the settings may name another data directory.
    """

    class Files(JupyterApp):
        name = "labelstudio-proxy"
        config_file_name = Unicode(FILES)

    app = Files(raise_config_file_errors=True)
    app.load_config_file()
    found = drop_in_files()
    found.merge(app.config)
    return found
