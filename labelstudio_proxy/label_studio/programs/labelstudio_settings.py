"""Label Studio's own Django settings, with the additions of labelstudio-proxy.

DJANGO_SETTINGS_MODULE names this module, in the local process and in the container. Its folder and
Label Studio's package folder must be on Python's path.
"""

import gc
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import django
from django.core.signals import request_started

# Variables that `docker inspect` must not show.
_environment = Path(__file__).with_name("environment.json")
_is_container = _environment.exists()
if _is_container:
    os.environ.update(json.loads(_environment.read_text(encoding="utf-8")))

os.umask(0o077)

# jsonschema imports it if it is installed, for URIs in schemas. That takes 0.7 s, since it builds a grammar,
# and Label Studio's schemas have no such URIs.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

# Garbage collection takes a third of the time until the first request.
if gc.isenabled():
    gc.disable()

    def _enable_gc(**_: object) -> None:
        request_started.disconnect(_enable_gc)
        gc.freeze()
        gc.enable()

    request_started.connect(_enable_gc)

# Label Studio's own module uses Django's settings while it is imported.
os.environ["DJANGO_SETTINGS_MODULE"] = "core.settings.label_studio"

from core.settings.label_studio import *
from core.settings.label_studio import (
    BASE_DATA_DIR,
    DATABASES,
    LOGGING,
    MIDDLEWARE,
    get_env,
)
from labelstudio_uploads import most_files

# SQLite shall wait for a lock. By default Django gives up after five seconds, or at once if two
# transactions have read before they write
# (https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-notes; Label Studio issue 5755,
# "database is locked").
LOCK_SECONDS = 60
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    _options = DATABASES["default"].setdefault("OPTIONS", {})
    _options.setdefault("timeout", LOCK_SECONDS)
    if django.VERSION >= (5, 1):
        _options.setdefault("transaction_mode", "IMMEDIATE")

# By default, every user of the machine can read uploaded files.
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# Uploads arrive on the disk of the data directory, where Label Studio then only renames them. The
# gateway empties this folder before a start.
FILE_UPLOAD_HANDLERS = ["labelstudio_uploads.UploadHandler"]
FILE_UPLOAD_TEMP_DIR = str(Path(BASE_DATA_DIR, ".labelstudio-proxy", "temporary"))
# labelstudio_uploads refuses what exceeds the limits, with a sentence. The user's own numbers stay.
UPLOAD_MAX_FILES = int(get_env("DATA_UPLOAD_MAX_NUMBER_FILES") or most_files())
DATA_UPLOAD_MAX_NUMBER_FILES = None
TASKS_MAX_FILE_SIZE = sys.maxsize
MIDDLEWARE = [
    "labelstudio_uploads.stream_uploads" if name == "core.middleware.ContextLogMiddleware" else name
    for name in MIDDLEWARE
]
MIDDLEWARE.append("labelstudio_files.find_files")

# Django's development server, which runs in the container, logs each request.
LOGGING["loggers"].setdefault("django.server", {"level": "WARNING"})

if _is_container:
    # A container does not end with its parent process. It stops when no gateway contacts it.
    _orphan_seconds = float(os.environ.get("LABELSTUDIO_PROXY_ORPHAN_SECONDS") or 30 * 60)
    _CHECKS = 30
    # Counted in checks, not seconds: the container may be paused, or its machine suspended.
    _checks_without_gateway = 0

    def _on_request(environ: object = None, **_: object) -> None:
        global _checks_without_gateway
        # The gateway sends this header; other programs that reach the port do not.
        if isinstance(environ, dict) and "HTTP_X_LABELSTUDIO_PROXY" in environ:
            _checks_without_gateway = 0

    def _stop_without_gateway() -> None:
        global _checks_without_gateway
        while _checks_without_gateway < _CHECKS:
            time.sleep(_orphan_seconds / _CHECKS)
            # Not before the server runs: nothing can contact it, and a migration must not be cut.
            if "core.wsgi" in sys.modules:
                _checks_without_gateway += 1
        line = "labelstudio-proxy: Label Studio stops, because no gateway has contacted it."
        print(line, flush=True)  # noqa: T201 - for the container's log
        os.kill(os.getpid(), signal.SIGTERM)

    request_started.connect(_on_request)
    threading.Thread(target=_stop_without_gateway, daemon=True).start()
