"""Label Studio's image: its configuration, its layout and its entrypoint.

It follows the build files of the real image, which came with Label Studio 1.23, on Debian instead
of Alpine. Where it was friendlier than the real one, it would hide faults.
"""

from __future__ import annotations

import csv
import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

VERSION = version("label-studio")
TAG = f"heartexlabs/label-studio:{VERSION}"
# The same without the label that names the version, like images that people build themselves.
UNLABELLED = "labelstudio-proxy-tests/label-studio:unlabelled"

REQUIREMENTS = [f"label-studio[uwsgi]=={VERSION}"]
VERSION_LABEL = "org.opencontainers.image.version"

HOME = "/label-studio"
VENV = f"{HOME}/.venv"
DATA = f"{HOME}/data"
OPTIONS = "/opt/heartex/instance-data/etc"
OWNER = ("--owner=1001", "--group=0")

_SCRIPTS = "deploy/docker-entrypoint.d/app-docker"


def config(path: str, *, labelled: bool = True) -> dict[str, Any]:
    """Return the image's configuration; `path`: the PATH of its base."""
    return {
        "User": "1001",
        "Env": [
            f"PATH={VENV}/bin:{path}",
            f"LS_DIR={HOME}",
            f"HOME={HOME}",
            f"LABEL_STUDIO_BASE_DATA_DIR={DATA}",
            f"OPT_DIR={OPTIONS}",
            "DJANGO_SETTINGS_MODULE=core.settings.label_studio",
            "PYTHONUNBUFFERED=1",
            "PYTHONDONTWRITEBYTECODE=1",
        ],
        "WorkingDir": HOME,
        "ExposedPorts": {"8080/tcp": {}},
        "Entrypoint": ["./deploy/docker-entrypoint.sh"],
        "Cmd": ["label-studio"],
        "Labels": {VERSION_LABEL: VERSION} if labelled else {},
    }


# Needs neither root nor bash, which the Alpine image would have.
ENTRYPOINT = f"""\
#!/bin/sh
set -e
for script in {HOME}/{_SCRIPTS}/*.sh; do
    echo "$0: Launching $script"
    "$script"
done
exec "$@"
"""

CHECK_PERMISSIONS = """\
#!/bin/sh
if ! [ -w "$LABEL_STUDIO_BASE_DATA_DIR" ]; then
    echo "ERROR: Data directory is not writable: $LABEL_STUDIO_BASE_DATA_DIR"
    exit 1
fi
"""


def lay_out(root: Path) -> None:
    """Turn the package that pip installed into VENV into a source tree, as poetry links it."""
    home = root / HOME[1:]
    (packages,) = (root / VENV[1:]).glob("lib/python3*/site-packages")
    for name in "label_studio", "web":
        shutil.move(packages / name, home / name)
    (packages / "label_studio.pth").write_text(f"{HOME}\n")

    (metadata,) = packages.glob("label_studio-*.dist-info")
    with (metadata / "RECORD").open(newline="") as file:
        moved = ("label_studio/", "web/")
        record = [row for row in csv.reader(file) if not row[0].startswith(moved)]
    direct_url = metadata / "direct_url.json"
    direct_url.write_text(json.dumps({"dir_info": {"editable": True}, "url": f"file://{HOME}"}))
    record += [["label_studio.pth", "", ""], [str(direct_url.relative_to(packages)), "", ""]]
    with (metadata / "RECORD").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(record)
    (metadata / "INSTALLER").write_text("poetry")

    for folder in DATA, OPTIONS, f"{HOME}/{_SCRIPTS}":
        (root / folder[1:]).mkdir(parents=True)
    for path, text in (
        (home / "deploy" / "docker-entrypoint.sh", ENTRYPOINT),
        (home / _SCRIPTS / "05-check-data-permissions.sh", CHECK_PERMISSIONS),
    ):
        path.write_text(text)
        path.chmod(0o755)
