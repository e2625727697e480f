"""Why a container ended, from its exit status and its last lines."""

from __future__ import annotations

import pytest

from labelstudio_proxy.backends.docker import container_spec
from labelstudio_proxy.backends.docker.exit_reasons import TERMINATED, explain_container_exit
from labelstudio_proxy.backends.docker.plan import DockerSettings
from labelstudio_proxy.label_studio.programs import SERVER

ORPHAN = f"labelstudio-proxy: Label Studio stops, because {container_spec.ORPHAN_WORDS}."


@pytest.mark.parametrize("how", TERMINATED)
@pytest.mark.parametrize(
    ("printed", "what"), [(ORPHAN, "no gateway contacted it"), ("", "was stopped")]
)
def test_a_stop_without_a_gateway_is_told_apart_from_docker_stop(
    how: str, printed: str, what: str
) -> None:
    settings = DockerSettings("x:1", "never", "", 0.0, "", files_writable=False)
    problem = explain_container_exit("x", settings, how, [printed, ""])
    assert problem is not None
    assert what in problem.what
    assert container_spec.ORPHAN_WORDS in SERVER.read_text()
