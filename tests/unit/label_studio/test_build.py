"""Builds of Label Studio are distinguished by their files."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from labelstudio_proxy.label_studio.build import Build


def test_any_change_of_a_file_is_another_build(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    file = tmp_path / "below" / "main.js"
    file.write_text("one")
    build, seen = Build(folders=(tmp_path,)), set()

    def look() -> None:
        assert build.fingerprint() == build.fingerprint()
        seen.add(build.fingerprint())

    look()
    file.write_text("other")
    look()
    os.utime(file, ns=(1, 1))
    look()
    file.rename(tmp_path / "below" / "mein.js")
    look()
    (tmp_path / "below").rename(tmp_path / "above")
    look()
    assert len(seen) == 5
    assert "" not in seen


def test_what_cannot_be_looked_at_is_not_known(tmp_path: Path) -> None:
    assert Build().fingerprint() == ""
    assert Build(folders=(tmp_path / "none",)).fingerprint() == ""


def test_an_image_is_a_build() -> None:
    assert Build(image="sha256:1").fingerprint() == "sha256:1"


def test_the_installed_label_studio_has_its_files_where_they_are_looked_for() -> None:
    spec = importlib.util.find_spec("label_studio")
    if spec is None or spec.origin is None:
        pytest.skip("Label Studio is not installed: pip install '.[local]'")
    build = Build.of_package(Path(spec.origin).parent)
    assert build.fingerprint()
    assert build.front_end is not None
    assert [*build.front_end.rglob("main.js")]
