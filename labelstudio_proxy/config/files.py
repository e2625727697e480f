"""Read the settings of labelstudio-proxy from Jupyter's configuration files."""

from __future__ import annotations

from jupyter_core.application import JupyterApp
from jupyter_core.paths import jupyter_config_path
from jupyter_server.config_manager import BaseJSONConfigManager
from traitlets import Unicode
from traitlets.config import Config

SECTION = "LabelStudioProxy"
FILES = "jupyter_server_config"


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
