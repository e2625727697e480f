"""The folder that keeps the byte code of images."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labelstudio_proxy.backends.docker import byte_code

USER = f"{os.getuid()}:{os.getgid()}"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def use(image: str, seconds: float) -> Path:
    """Ask for the folder of an image, so many seconds after 1970."""
    found = byte_code.folder(f"sha256:{image}", USER)
    assert found is not None
    (found / "django").mkdir(exist_ok=True)
    os.utime(found, (seconds, seconds))
    return found


def test_each_image_has_a_private_folder_that_stays(cache: Path) -> None:
    found = use("a" * 64, 0)
    assert found == byte_code.folder(f"sha256:{'a' * 64}", USER)
    assert found.is_relative_to(cache)
    assert found.stat().st_mode & 0o077 == 0
    assert (found / "django").is_dir()


def test_the_images_that_were_used_last_are_kept(cache: Path) -> None:
    folders = [use(image * 64, number) for number, image in enumerate("abc")]
    assert [folder.exists() for folder in folders] == [False, True, True]
    use("b" * 64, 10)
    use("d" * 64, 11)
    assert [folder.exists() for folder in folders] == [False, True, False]


def test_without_a_cache_there_is_no_folder(cache: Path) -> None:
    (cache / "labelstudio-proxy").write_text("a file in the way")
    assert byte_code.folder("sha256:1", USER) is None
