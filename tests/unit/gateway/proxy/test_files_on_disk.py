"""Local files: a link or a name that leads out of the files root is recognized, whatever its form."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labelstudio_proxy.gateway.proxy.files_on_disk import is_outside, path_in


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A files root with links to files in it and outside of it."""
    root = tmp_path / "notebooks"
    (root / "pictures").mkdir(parents=True)
    (root / "pictures" / "cat.png").touch()
    (tmp_path / "secret.txt").touch()
    (root / "pictures" / "inside.png").symlink_to(root / "pictures" / "cat.png")
    (root / "pictures" / "outside.png").symlink_to(tmp_path / "secret.txt")
    (root / "pictures" / "folder").symlink_to(tmp_path)
    (root / "pictures" / "dangling").symlink_to(tmp_path / "missing")
    (tmp_path / "notebooks-2").mkdir()
    (root / "sibling").symlink_to(tmp_path / "notebooks-2")
    return root


@pytest.mark.parametrize(
    "name",
    [
        *("pictures/cat.png", "/pictures/cat.png", "pictures/../pictures/cat.png", "missing.png"),
        *("pictures/inside.png", "../notebooks/pictures/cat.png", "", "pictures"),
    ],
)
def test_files_of_the_root_are_allowed(root: Path, name: str) -> None:
    assert not is_outside(root, path_in(root, name))


@pytest.mark.parametrize(
    "name",
    [
        *("pictures/outside.png", "pictures/folder/secret.txt", "pictures/folder", "sibling"),
        *("pictures/dangling", "pictures/./outside.png", "//pictures/outside.png", "a\0b"),
    ],
)
def test_links_out_of_the_root_are_refused(root: Path, name: str) -> None:
    assert is_outside(root, path_in(root, name))


def test_an_ascii_locale_changes_nothing(root: Path) -> None:
    (root / "ä.png").symlink_to(root / "pictures" / "cat.png")
    (root / "ö.png").symlink_to(root.parent / "secret.txt")
    code = (
        "import sys; from pathlib import Path\n"
        "from labelstudio_proxy.gateway.proxy.files_on_disk import is_outside, path_in\n"
        "root = Path(sys.argv[1])\n"
        "print(*[is_outside(root, path_in(root, name)) for name in ('\\xe4.png', '\\xf6.png')])"
    )
    ascii_locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    run = subprocess.run(
        [sys.executable, "-c", code, str(root)],
        env=os.environ | ascii_locale,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["False", "True"]


def test_a_root_may_be_a_link_itself(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    assert not is_outside(link, link / "pictures" / "cat.png")
    assert is_outside(link, link / "pictures" / "outside.png")
