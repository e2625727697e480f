"""Label Studio's URLs. No other module spells one.

Paths are absolute, decoded, and without the prefix and the query, unless a comment says otherwise.
The facts are from the URL configuration and the front end of Label Studio 1.23.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

# Programs ask these.
HEALTH = "/health"
WHOAMI = "/api/current-user/whoami"

# The admin page that lists the accounts, for people.
ACCOUNTS = "/admin/users/user/"

# The first segments of all paths.
_FIRST_SEGMENTS = frozenset(
    (
        *("admin", "api", "data", "dm", "docs", "export", "organization", "projects"),
        *("react-app", "samples", "static", "storage-data", "tasks", "user"),
    )
)

# A hub puts a user's name into the prefix, and Jupyter the name of the tile.
_GIVEN_PREFIX = re.compile(r"/user/[^/]+/|/labelstudio/$")


def hides_pages(prefix: str) -> bool:
    """Return True if Label Studio has pages below `prefix`, which could then not be reached.

    `prefix`: the path of the gateway in browsers, with a slash at either end.
    """
    return prefix.split("/")[1] in _FIRST_SEGMENTS and not _GIVEN_PREFIX.search(prefix)


# --- Pages

# The group: the project's number. Searched for in addresses with the prefix.
PROJECT = re.compile(r"/projects/(\d+)(?![^/?#])")
LOGIN = re.compile(r"/user/(login|signup)/?")
# Where Label Studio's invitations lead: relative to the prefix, and as a pattern.
SIGN_UP_PAGE = "user/signup/"
SIGN_UP = re.compile(r"/user/signup/?")
LOGOUT = re.compile(r"/logout/*")
# These load their program from another site; the schema that they show is at API_SCHEMA.
API_BROWSERS = re.compile(r"/docs/api/schema/(redoc|swagger-ui)/?")
API_SCHEMA = "/docs/api/schema/json/"
# The event handlers in attributes of the page templates.
TEMPLATE_HANDLERS = (
    *("history.back()", "location.reload()"),
    *("window.location.href='/'", "smart_submit()"),
)

# --- API

# Matched at the start of a path. An API request may act even with GET: an export writes files.
API = re.compile(r"/+api(/|$)")
# Writes into the files root with any method but the safe ones. Matched at the start of a path.
EXPORT_TO_FILES = re.compile(r"/api/storages/export/localfiles(/|$)")
# The forms of Label Studio's dialog for a target storage: add, save, check the connection.
EXPORT_FORM = re.compile(r"/api/storages/export/localfiles(/\d+|/validate)?/?")
# The link of an invitation; a POST makes another one.
INVITATION = re.compile(r"/api/invite(/reset-token)?/?")
# Label Studio asks the internet for these, and waits.
TIPS = re.compile(r"/heidi-tips/*")

# --- Data

# What people upload or link to, and what programs ask for: never a page, whatever its type.
# Searched for, since Label Studio finds local files and samples anywhere in a path.
DATA = re.compile(
    r"^/(data|api|storage-data|export)/|^/(tasks|projects)/\d+/(resolve|presign)\b|"
    r"data/local-files/|samples/"
)
# The URLs of uploaded files and of local ones begin with it.
FILES = "/data/"
# The groups: the name below `media/upload`, and the project's number.
UPLOAD = re.compile(r"/data/upload/((\d+)/[^/]+)")
# A file of the files root, named by the parameter `d`.
LOCAL_FILE = re.compile(r"/data/local-files/?")
# The same as Label Studio's own pattern finds it, anywhere in a path.
LOCAL_FILE_ANYWHERE = re.compile(r"data/local-files/")
# Lead to signed links of cloud storage: the only redirects that may leave the origin.
SIGNED_LINKS = re.compile(r"/(tasks|projects)/\d+/(resolve|presign)/?")


PROJECTS = "/api/projects/"
LOCAL_STORAGES = "/api/storages/localfiles/"
S3_STORAGES = "/api/storages/s3"
S3_FILES = "/api/storages/s3/files"
TASKS = "/api/tasks/"
PREDICTIONS = "/api/predictions/"


def project(number: int) -> str:
    """Return the path of the API's record of a project."""
    return f"{PROJECTS}{number}/"


def check_interface(number: int) -> str:
    """Return the path of the API that checks another labelling interface for a project."""
    return f"{PROJECTS}{number}/validate/"


def import_into(number: int) -> str:
    """Return the path of the API that adds tasks to a project."""
    return f"{PROJECTS}{number}/import"


def sync_s3(storage: int) -> str:
    """Return the path of the API that makes tasks of the objects of an S3 storage."""
    return f"{S3_STORAGES}/{storage}/sync"


def import_predictions(number: int) -> str:
    """Return the path of the API that adds predictions to tasks of a project."""
    return f"{PROJECTS}{number}/import/predictions"


def export(number: int) -> str:
    """Return the path of the API that exports the labels of a project as a file."""
    return f"{PROJECTS}{number}/export"


def export_formats(number: int) -> str:
    """Return the path of the API's list of formats, with those that fit a project."""
    return f"{PROJECTS}{number}/export/formats"


def model_versions(number: int) -> str:
    """Return the path of the API that counts the predictions of a project by model version."""
    return f"{PROJECTS}{number}/model-versions/"


def prediction(number: int) -> str:
    """Return the path of the API's record of a prediction."""
    return f"{PREDICTIONS}{number}/"


def project_summary(number: int) -> str:
    """Return the path of the API that counts the labels of a project."""
    return f"{PROJECTS}{number}/summary/"


def labelling_page(number: int) -> str:
    """Return the page that shows the tasks of a project one after the other, to label them."""
    return f"projects/{number}/data?labeling=1"


def task_page(number: int, task: int) -> str:
    """Return the page of a project that shows one task."""
    return f"projects/{number}/data?task={task}"


def cloud_file(task: int, address: str) -> str:
    """Return the path of a file in cloud storage, such as `s3://bucket/a.png`, as pages ask for it."""
    name = base64.urlsafe_b64encode(address.encode()).decode()
    return f"tasks/{task}/resolve/?fileuri={name}"


def local_file(name: str) -> str:
    """Return the target (encoded, with its query) of the file `name` in the files root."""
    return f"/data/local-files/?d={quote(name)}"


def upload_record(number: int) -> str:
    """Return the path of the API's record of an uploaded file, which holds no content."""
    return f"/api/import/file-upload/{number}"


# --- Assets: scripts, styles, fonts and pictures of the front end

# Plain names only, and not encoded. Label Studio itself serves any other name.
_SEGMENT = r"[A-Za-z0-9_@+~-][A-Za-z0-9_@+~.-]*"
ASSET = re.compile(rf"/(?:static|react-app)(?:/{_SEGMENT})+")
# A name with the content's hash, as Django and webpack make it.
HASHED_ASSET = re.compile(r".*\.[0-9a-f]{12,64}(?:\.[A-Za-z0-9]+)+")
# A query with the commit that Label Studio was built from. `vendor.js?v=1` has none.
BUILD_QUERY = re.compile(r"(?:.*&)?v=[0-9a-f]{6,64}(?:&.*)?")
