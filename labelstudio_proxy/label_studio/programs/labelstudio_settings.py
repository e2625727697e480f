"""Label Studio's own Django settings, with the additions of labelstudio-proxy.

`labelstudio_server.py` lets DJANGO_SETTINGS_MODULE name this module.
"""

import contextlib
import os
import sys
from pathlib import Path

import django

# Label Studio's own module uses Django's settings while it is imported.
os.environ["DJANGO_SETTINGS_MODULE"] = "core.settings.label_studio"

from core.settings.label_studio import *
from core.settings.label_studio import (
    BASE_DATA_DIR,
    COLLECT_ANALYTICS,
    DATABASES,
    MIDDLEWARE,
    get_env,
)
from labelstudio_uploads import most_files

# SQLite shall wait for a lock. By default Django gives up after five seconds, or at once if two
# transactions have read before they write
# (https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-notes; Label Studio issue 5755,
# "database is locked").
LOCK_SECONDS = 60
# To open the database takes a tenth of the time of a request. Django does it anew for each by default.
CONNECTION_SECONDS = 60
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    _options = DATABASES["default"].setdefault("OPTIONS", {})
    _options.setdefault("timeout", LOCK_SECONDS)
    if django.VERSION >= (5, 1):
        _options.setdefault("transaction_mode", "IMMEDIATE")
    DATABASES["default"].setdefault("CONN_MAX_AGE", CONNECTION_SECONDS)

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
MIDDLEWARE.insert(0, "labelstudio_urls.add_slash")

# Only analytics use it, and its import compiles a thousand regular expressions.
_BROWSER = "django_user_agents.middleware.UserAgentMiddleware"
if not COLLECT_ANALYTICS and _BROWSER in MIDDLEWARE:
    MIDDLEWARE.remove(_BROWSER)

# Label Studio asks S3 for this region unless a storage has its own. By default, that is us-east-1.
if os.environ.get("LABELSTUDIO_PROXY_AWS_REGION") and not get_env("S3_region"):
    from botocore.exceptions import BotoCoreError
    from botocore.session import get_session

    with contextlib.suppress(BotoCoreError):  # no such profile: boto3 says so when it is used
        os.environ.update(S3_region=get_session().get_config_variable("region") or "")
