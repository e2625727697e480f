"""Where sockets are, whatever the temporary folder is."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelstudio_proxy import socket_folder
from labelstudio_proxy.problem import Problem
from labelstudio_proxy.socket_folder import new_socket


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, which a test's own is not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    """The folders of a usual user; the tests change some of them."""
    for name in ("JUPYTER_RUNTIME_DIR", "XDG_RUNTIME_DIR", "TMPDIR"):
        (short / name).mkdir()
        monkeypatch.setenv(name, str(short / name))
    monkeypatch.setattr(tempfile, "tempdir", None)


def long_folder(short: Path, size: int) -> Path:
    """Make a folder whose path has `size` bytes."""
    folder = short / ("x" * (size - len(str(short)) - 1))
    folder.mkdir()
    return folder


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return True


def test_a_socket_is_in_a_private_folder_where_jupyter_keeps_its_own_files(short: Path) -> None:
    path = new_socket("a.sock")
    assert path.name == "a.sock"
    assert path.parent.parent == short / "JUPYTER_RUNTIME_DIR"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert listens(path)
    assert new_socket("a.sock").parent != path.parent


def test_jupyters_folder_is_made(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(short / "new" / "runtime"))
    assert new_socket("a.sock").parent.parent == short / "new" / "runtime"


@pytest.mark.parametrize("bytes_of_path", [72, 90, 200])
@pytest.mark.parametrize("name", ["JUPYTER_RUNTIME_DIR", "TMPDIR"])
def test_a_long_path_is_no_hindrance(
    monkeypatch: pytest.MonkeyPatch, short: Path, name: str, bytes_of_path: int
) -> None:
    monkeypatch.setenv(name, str(long_folder(short, bytes_of_path)))
    assert listens(new_socket("label-studio.sock"))


@pytest.mark.parametrize("kind", ["missing", "a file", "long"])
def test_other_folders_replace_those_that_are_not_usable(
    monkeypatch: pytest.MonkeyPatch, short: Path, kind: str
) -> None:
    unusable = {
        "missing": short / "file" / "missing",
        "a file": short / "file",
        "long": long_folder(short, 200),
    }[kind]
    (short / "file").touch()
    for name in ("JUPYTER_RUNTIME_DIR", "TMPDIR", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(unusable))
    path = new_socket("a.sock")
    assert path.parent.parent == Path("/tmp")
    assert listens(path)
    shutil.rmtree(path.parent)
    assert not list(unusable.glob("*"))  # nothing stays where it was tried


def test_no_usable_folder_is_a_problem_that_names_them(
    monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    monkeypatch.setattr(socket_folder, "places", lambda: iter([short / "missing"]))
    with pytest.raises(Problem, match="no folder for a socket") as problem:
        new_socket("a.sock")
    assert f"{short / 'missing'} (No such file or directory)" in problem.value.why
    assert "JUPYTER_RUNTIME_DIR" in problem.value.remedy
