"""The explanation of what an engine refuses."""

from __future__ import annotations

import pytest
from docker.errors import APIError

from labelstudio_proxy.backends.docker.engine_refusals import refusal


@pytest.mark.parametrize(
    ("message", "why", "remedy"),
    [
        (
            "container_linux.go: stat /usr/libexec/podman/catatonit: no such file or directory",
            "first in a container",
            "catatonit",
        ),
        ('exec: "docker-init": executable file not found in $PATH', "first in a container", "tini"),
        ('exec: "label-studio": executable file not found in $PATH', "no `label-studio`", "image"),
        ("invalid mount config: bind source path does not exist: /x", "does not see", "data_dir"),
        (
            "error while creating mount source path: stat /home/a: permission denied",
            "refuses root",
            "local disk",
        ),
        (
            "Mounts denied: The path /x is not shared from the host",
            "not allowed to share",
            "Share it",
        ),
        ("write /var/lib/docker/x: no space left on device", "full", "prune"),
        ("network nowhere not found", "does not exist", "docker network ls"),
        ("Minimum memory limit allowed is 6MB", "limits", "memory_limit"),
        ('Conflict. The container name "/x" is already in use by container "y"', "Another", "stop"),
        ("something new", "something new", "Copy diagnostics"),
    ],
)
def test_refusals_are_explained(message: str, why: str, remedy: str) -> None:
    problem = refusal("could not be made", APIError("500", explanation=message))
    assert problem.what == "Label Studio's container could not be made."
    assert why in problem.why
    assert message in problem.why
    assert remedy in problem.remedy
