"""The notebook's AWS credentials in Label Studio's container, where the setting allows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .container_spec import ENVIRONMENT, VOLUME

# These variables name files.
FILES = (
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
FOLDER = f"{VOLUME}/aws"
# A folder, so that the container sees a file that a program replaces.
HOME_FOLDER = f"{ENVIRONMENT['HOME']}/.aws"


def variables(notebook: Mapping[str, str] | None) -> dict[str, str]:
    """Return boto3's variables for the container; None: the notebook keeps its own."""
    return {
        name: f"{FOLDER}/{name}" if name in FILES else value
        for name, value in (notebook or {}).items()
    }


def places(notebook: Mapping[str, str] | None) -> dict[str, Path]:
    """Return the files and folders that the container reads, by their path in it."""
    if notebook is None:
        return {}
    named = {f"{FOLDER}/{name}": notebook[name] for name in FILES if notebook.get(name)}
    return {
        target: Path(path).expanduser() for target, path in {HOME_FOLDER: "~/.aws", **named}.items()
    }
