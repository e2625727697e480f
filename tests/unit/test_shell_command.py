"""Commands that pages and messages tell work in any terminal."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from labelstudio_proxy import shell_command as module
from labelstudio_proxy.shell_command import pip_install, shell_command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Python is, with an awkward name and without the program."""
    folder = tmp_path / "my environment"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    (folder / "python").symlink_to(sys.base_prefix)
    return folder


def make_program(folder: Path) -> Path:
    program = folder / "labelstudio-proxy"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("program", ["labelstudio-proxy", "jupyter"])
def test_the_command_runs_where_the_path_has_nothing_of_python(
    program: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", shell_command(f"{program} --version")],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout


def test_a_program_that_a_terminal_would_not_find_gets_its_path(folder: Path) -> None:
    program = make_program(folder)
    assert shell_command("labelstudio-proxy start") == f"{shlex.quote(str(program))} start"


def test_without_the_program_python_runs_the_package(folder: Path) -> None:
    told = shell_command("labelstudio-proxy start")
    assert told == f"{shlex.quote(sys.executable)} -m labelstudio_proxy start"
    assert shell_command("label-studio start") == "label-studio start"  # of another environment


def test_a_program_that_every_terminal_finds_keeps_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(folder)
    monkeypatch.setattr(module, "SEARCHED_ALWAYS", str(folder))
    assert shell_command("labelstudio-proxy start") == "labelstudio-proxy start"


def test_pip_installs_for_the_interpreter_that_is_meant(folder: Path) -> None:
    python = folder / "python"
    (folder / "pip3").touch()
    assert (
        pip_install("--upgrade x", python)
        == f"{shlex.quote(str(python))} -m pip install --upgrade x"
    )


def test_uv_installs_into_an_environment_without_pip(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, quoted = folder / "python", shlex.quote(str(folder / "python"))
    monkeypatch.setenv("PATH", str(folder))
    assert pip_install("x", python) == f"{quoted} -m pip install x"
    (folder / "uv").symlink_to("/bin/sh")
    assert pip_install("x", python) == f"uv pip install --python {quoted} x"
