"""Scripts that are compressed beside the installation are used by every user's cache."""

from __future__ import annotations

import os
from pathlib import Path

import brotli
import pytest

from labelstudio_proxy.gateway.assets.cache import Asset, AssetFolder, digest, open_folder
from labelstudio_proxy.gateway.assets.prepared import compress_scripts, prepared_in
from labelstudio_proxy.label_studio.build import Build

SCRIPT = "".join(f'window.x{n} = "{n}";\n' for n in range(8_000)).encode()
CONTENT = digest(SCRIPT)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    package = tmp_path / "site-packages" / "label_studio"
    front_end = package.parent / "web" / "dist"
    front_end.mkdir(parents=True)
    (front_end / "main.js").write_bytes(SCRIPT)
    (front_end / "main.css").write_bytes(b"a { background: url(/static/a.png) }\n" * 4000)
    (front_end / "short.js").write_bytes(SCRIPT[:100])
    return Build.of_package(package)


def compressed(build: Build) -> dict[str, int]:
    shown: list[tuple[int, int]] = []
    compress_scripts(build, lambda done, total: shown.append((done, total)))
    assert shown[-1] == (1, 1)  # the large script alone
    folder = prepared_in(build)
    assert folder is not None
    return {file.name: file.stat().st_ino for file in folder.iterdir()}


def test_a_cache_reads_what_was_compressed_in_advance(build: Build) -> None:
    made = compressed(build)
    assert list(made) == [f"{CONTENT}-br11"]
    folder = open_folder("1", "build", prepared_in(build))
    assert folder.has_content(CONTENT, "br", 11)
    folder.save("name", Asset("text/javascript", CONTENT, SCRIPT, compressible=True))
    best = folder.load("name", "br")
    assert best is not None
    assert best.level == 11
    assert brotli.decompress(best.body) == SCRIPT
    assert compressed(build) == made  # what is there is not made again


def test_scripts_of_an_earlier_version_are_removed(build: Build) -> None:
    before = compressed(build)
    assert build.front_end is not None
    (build.front_end / "main.js").write_bytes(SCRIPT + b"//")
    after = compressed(build)
    assert after
    assert not before.keys() & after.keys()


def test_a_damaged_file_is_not_sent(build: Build) -> None:
    compressed(build)
    prepared = prepared_in(build)
    assert prepared is not None
    (file,) = prepared.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    folder = open_folder("1", "build", prepared)
    folder.save("name", Asset("text/javascript", CONTENT, SCRIPT, compressible=True))
    assert folder.load("name", "br") is None


def test_all_users_may_read_them(build: Build) -> None:
    before = os.umask(0o077)
    try:
        compressed(build)
    finally:
        os.umask(before)
    prepared = prepared_in(build)
    assert prepared is not None
    assert {file.stat().st_mode & 0o777 for file in prepared.iterdir()} == {0o644}
    assert prepared.stat().st_mode & 0o777 == 0o755


def test_a_container_has_none() -> None:
    build = Build(image="sha256:1")
    assert prepared_in(build) is None
    compress_scripts(build, lambda *_: pytest.fail("there is nothing to compress"))
    assert AssetFolder(Path("/nowhere")).load("name", "br") is None
