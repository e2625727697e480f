"""The notebook's AWS credentials: which of the places where boto3 finds them Label Studio may use."""

from __future__ import annotations

import os
from collections.abc import Mapping

# They close the places that a process has without any variable: files in the home folder, and the
# service that gives a machine its role.
CLOSED_FILES = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "BOTO_CONFIG": os.devnull,
}
CLOSED_SERVICE = {"AWS_EC2_METADATA_DISABLED": "true"}

# The values of these are secrets.
SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
)

# With it, labelstudio_settings.py finds the region as boto3 does. Label Studio asks for us-east-1.
FIND_REGION = {"LABELSTUDIO_PROXY_AWS_REGION": "find"}


def notebook_variables(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of boto3 among those of the notebook."""
    found = {name: value for name, value in inherited.items() if name.startswith("AWS_")}
    if "AWS_REGION" in found:  # other programs of Amazon's read this one
        found.setdefault("AWS_DEFAULT_REGION", found["AWS_REGION"])
    return found


def closed_places(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that keep Label Studio from the notebook's credentials.

    `chosen`: the setting `environment`. A profile that it names is in a file.
    """
    return CLOSED_SERVICE if "AWS_PROFILE" in chosen else {**CLOSED_FILES, **CLOSED_SERVICE}
