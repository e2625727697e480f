"""Label Studio's own Django settings, with what labelstudio-proxy adds to them.

Named in DJANGO_SETTINGS_MODULE, in the local process and in the container. The folder that it
stands in must be on Python's path, and Label Studio's package folder, too.
"""

import gc
import hmac
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import django
from django.core.signals import request_started

# What a container's own environment would show to whoever may ask the engine.
_environment = Path(__file__).with_name("environment.json")
_is_container = _environment.exists()
if _is_container:
    os.environ.update(json.loads(_environment.read_text(encoding="utf-8")))

os.umask(0o077)

# To look for garbage again and again among ever more modules takes a third of the time until the
# first request.
if gc.isenabled():
    gc.disable()

    def _collect_again(**_: object) -> None:
        request_started.disconnect(_collect_again)
        gc.freeze()
        gc.enable()

    request_started.connect(_collect_again)

# Label Studio's own module reads Django's settings while it is being imported: those so far.
os.environ["DJANGO_SETTINGS_MODULE"] = "core.settings.label_studio"

from core.settings.label_studio import *
from core.settings.label_studio import DATABASES, LOGGING, SECRET_KEY

# SQLite is to wait for a lock where Django's default gives up after five seconds, and at once
# where two transactions have read before they write
# (https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-notes; Label Studio issue 5755,
# "database is locked").
LOCK_SECONDS = 60
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    _options = DATABASES["default"].setdefault("OPTIONS", {})
    _options.setdefault("timeout", LOCK_SECONDS)
    if django.VERSION >= (5, 1):
        _options.setdefault("transaction_mode", "IMMEDIATE")

# Django gives uploaded files modes of its own, by which everybody could read them.
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# Django's development server, which the container runs, has a line for each request.
LOGGING["loggers"].setdefault("django.server", {"level": "WARNING"})

if _is_container:
    # A container has no parent to end with. So it ends when no gateway has shown itself for long.
    _orphan_seconds = float(os.environ.get("LABELSTUDIO_PROXY_ORPHAN_SECONDS") or 30 * 60)
    _LOOKS = 30
    _unseen = 0  # looks, not seconds: a container may have been paused, or its machine asleep
    # As `gateway_sign` of docker_container makes it: whoever else reaches the port cannot.
    _sign = hmac.new(SECRET_KEY.encode(), b"gateway", "sha256").hexdigest().encode()

    def _gateway_has_shown_itself(environ: object = None, **_: object) -> None:
        global _unseen
        shown = environ.get("HTTP_X_LABELSTUDIO_PROXY", "") if isinstance(environ, dict) else ""
        if hmac.compare_digest(shown.encode(errors="replace"), _sign):
            _unseen = 0

    def _end_without_gateway() -> None:
        global _unseen
        while _unseen < _LOOKS:
            time.sleep(_orphan_seconds / _LOOKS)  # a thread of its own, which holds nobody up
            # Before it serves, nobody can show themselves, and a migration is not to be cut off.
            if "core.wsgi" in sys.modules:
                _unseen += 1
        said = "labelstudio-proxy: Label Studio ends, for no gateway has shown itself."
        print(said, flush=True)  # noqa: T201 - for the container's log
        os.kill(os.getpid(), signal.SIGTERM)

    request_started.connect(_gateway_has_shown_itself)
    threading.Thread(target=_end_without_gateway, daemon=True).start()
