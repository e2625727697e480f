from __future__ import annotations

import sys
from pathlib import Path

import pytest
from traitlets.config import Config

from labelstudio_proxy.backends.factory import docker_sdk, make_installing_backend, runs_as_process
from labelstudio_proxy.config.settings import LabelStudioProxy
from labelstudio_proxy.problem import Problem


@pytest.mark.parametrize(
    ("backend", "installed", "process"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("process", False, True),
        ("docker", True, False),
    ],
)
def test_auto_runs_a_container_only_if_label_studio_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    backend: str,
    installed: bool,
    process: bool,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])  # no package of this environment is found
    if installed:
        executable = tmp_path / "label-studio"
        executable.write_text("#!/bin/sh\n")
        executable.chmod(0o755)
    settings = LabelStudioProxy(config=Config({"LabelStudioProxy": {"backend": backend}}))
    assert runs_as_process(settings) is process


@pytest.mark.parametrize("allowed", [True, False])
def test_it_is_installed_only_if_the_admin_allows_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, allowed: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])  # no package of this environment is found
    settings = LabelStudioProxy(
        backend="process", allow_install=allowed, install_dir=str(tmp_path / "none")
    )
    made = make_installing_backend(settings, None, lambda *_, **__: None, lambda _: None)
    assert (made.steps[0][0] == "install-environment") is allowed


def test_a_script_named_docker_that_exits_is_explained() -> None:
    with pytest.raises(Problem, match="Docker SDK for Python could not be loaded"), docker_sdk():
        sys.exit("usage: docker.py FILE")
