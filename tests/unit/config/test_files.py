from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelstudio_proxy.config.files import drop_in_files, jupyter_config


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    (tmp_path / "jupyter_server_config.d").mkdir()
    return tmp_path


def drop_in(folder: Path, name: str, **settings: object) -> None:
    path = folder / "jupyter_server_config.d" / f"{name}.json"
    path.write_text(json.dumps({"LabelStudioProxy": settings}))


def test_drop_in_files_are_merged_in_the_order_of_their_names(folder: Path) -> None:
    drop_in(folder, "10-site", data_dir="/site", files_root="/notebooks")
    drop_in(folder, "20-host", data_dir="/host")
    found = drop_in_files().LabelStudioProxy
    assert (found.data_dir, found.files_root) == ("/host", "/notebooks")


def test_jupyters_own_files_override_drop_in_files(folder: Path) -> None:
    drop_in(folder, "site", data_dir="/d", files_root="/d", label_studio="/d")
    (folder / "jupyter_server_config.json").write_text(
        json.dumps({"LabelStudioProxy": {"files_root": "/json"}})
    )
    (folder / "jupyter_server_config.py").write_text("c.LabelStudioProxy.data_dir = '/py'\n")
    found = jupyter_config().LabelStudioProxy
    assert (found.data_dir, found.files_root, found.label_studio) == ("/py", "/json", "/d")


@pytest.mark.parametrize("text", ["", "{", '{"LabelStudioProxy": "x"}', '{"Other": {}}'])
def test_unusable_file_is_ignored(folder: Path, text: str) -> None:
    (folder / "jupyter_server_config.d" / "x.json").write_text(text)
    assert "data_dir" not in drop_in_files().get("LabelStudioProxy", {})
