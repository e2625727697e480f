"""The notebook's AWS credentials in a container: variables, and the paths of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.backends.docker.credentials import places, variables


def test_no_file_without_the_setting() -> None:
    assert variables(None) == {}
    assert places(None) == {}


def test_files_have_another_path_in_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    notebook = {"AWS_PROFILE": "labels", "AWS_CONFIG_FILE": "~/aws.ini"}
    made = variables(notebook)
    assert made["AWS_PROFILE"] == "labels"
    assert places(notebook) == {
        "/tmp/.aws": Path("/home/ada/.aws"),
        made["AWS_CONFIG_FILE"]: Path("/home/ada/aws.ini"),
    }
