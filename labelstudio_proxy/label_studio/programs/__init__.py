"""Programs that run inside Label Studio's environment or container. They import nothing of ours."""

from pathlib import Path

import gunicorn

SERVER = Path(__file__).with_name("labelstudio_server.py")
SETTINGS = Path(__file__).with_name("labelstudio_settings.py")
# What a container gets, too.
MODULES = (
    SERVER,
    SETTINGS,
    SETTINGS.with_name("labelstudio_uploads.py"),
    SETTINGS.with_name("labelstudio_files.py"),
    SETTINGS.with_name("labelstudio_imports.py"),
    SETTINGS.with_name("labelstudio_urls.py"),
)
# Pure Python, so that it works with the interpreter of each Label Studio.
GUNICORN = Path(gunicorn.__file__).parent
