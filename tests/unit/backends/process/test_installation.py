"""Finding a Label Studio that can run as a local process."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.gateway import script, stand_in

from labelstudio_proxy.backends.process import installation
from labelstudio_proxy.backends.process.installation import Installation
from labelstudio_proxy.installation.folder import InstallFolder
from labelstudio_proxy.problem import Problem

# Label Studio's, as the backend gives it.
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


async def find_installation(
    label_studio: str, environment: dict[str, str], folder: str = "/nonexistent"
) -> Installation:
    there = InstallFolder(Path(folder))
    return await installation.find_installation(label_studio, environment, there, can_install=True)


async def test_the_label_studio_of_this_environment_is_found() -> None:
    pytest.importorskip("label_studio_sdk")
    found = await find_installation("", ENVIRONMENT)
    assert found.python == Path(sys.executable)
    assert found.version[0].isdigit()


async def test_a_label_studio_of_another_environment_is_looked_into() -> None:
    executable = Path(sys.executable).with_name("label-studio")
    if not executable.exists():
        pytest.skip("Label Studio is not installed")
    found = await find_installation(str(executable), ENVIRONMENT)
    assert found.version == (await find_installation("", ENVIRONMENT)).version


@pytest.mark.parametrize(("make", "told"), [("nothing", "nothing"), ("folder", "a folder")])
async def test_a_path_with_no_program_is_told(tmp_path: Path, make: str, told: str) -> None:
    path = tmp_path / "label-studio"
    if make == "folder":
        path.mkdir()
    with pytest.raises(Problem, match="There is no Label Studio") as problem:
        await find_installation(str(path), ENVIRONMENT)
    assert told in problem.value.why


async def test_a_file_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    path = tmp_path / "label-studio"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o644)
    with pytest.raises(Problem, match="cannot be run") as problem:
        await find_installation(str(path), ENVIRONMENT)
    assert "chmod +x" in problem.value.remedy
    assert not os.access(path, os.X_OK)


async def test_missing_package_comes_with_the_command_that_installs_it(tmp_path: Path) -> None:
    executable = stand_in(tmp_path / "labels", probe="echo '{}'")
    with pytest.raises(Problem, match="label-studio is not installed for") as problem:
        await find_installation(str(executable), ENVIRONMENT)
    python = executable.with_name("python")
    assert f"`{python} -m pip install label-studio`" in problem.value.remedy


@pytest.mark.parametrize("probe", ["exit 1", "echo no JSON"])
async def test_interpreter_that_fails_is_named(tmp_path: Path, probe: str) -> None:
    executable = stand_in(tmp_path, probe=probe)
    with pytest.raises(Problem, match="does not run") as problem:
        await find_installation(str(executable), ENVIRONMENT)
    assert f"{tmp_path}/python" in problem.value.what


async def test_wrapper_is_refused(tmp_path: Path) -> None:
    wrapper = script(tmp_path / "label-studio", "exec conda run label-studio")
    with pytest.raises(Problem, match="not the `label-studio` executable") as problem:
        await find_installation(str(wrapper), ENVIRONMENT)
    assert "pip or conda" in problem.value.remedy


async def test_the_notebooks_own_interpreter_gets_what_this_one_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("label_studio_sdk")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:relative")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    found = await find_installation("", ENVIRONMENT)
    assert found.variables["PYTHONPATH"] == f"{tmp_path}:{Path.cwd() / 'relative'}"
    assert found.variables["LD_LIBRARY_PATH"] == "/opt/lib"
    assert found.variables["PYTHONNOUSERSITE"] == "1"
    assert "PATH" not in found.variables
    # Also if the setting names its executable.
    executable = script(tmp_path / "label-studio", "")
    executable.write_text(f"#!{sys.executable}\n")
    named = await find_installation(str(executable), ENVIRONMENT)
    assert named == replace(found, origin=named.origin)


async def test_another_environment_gets_nothing_of_this_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when it is asked for its version."""
    monkeypatch.setenv("PYTHONPATH", "/a/folder/of/this/one")
    monkeypatch.setenv("PYTHONHOME", sys.prefix)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    seen = tmp_path / "seen"
    says = """'{"label-studio": "1"}'"""
    executable = stand_in(tmp_path / "other", probe=f"env > {seen}; echo {says}")
    found = await find_installation(str(executable), ENVIRONMENT)
    assert not found.variables
    assert not re.findall("^(?:PYTHON|LD_).*", seen.read_text(), re.MULTILINE)


async def test_the_options_of_a_launcher_are_kept(tmp_path: Path) -> None:
    says = """'{"label-studio": "1"}'"""
    python = script(tmp_path / "python", f"""[ "$1 $3" = "-sP probe" ] && echo {says}""")
    executable = script(tmp_path / "label-studio", "")
    executable.write_text(f"#!{python} -sP\n")
    found = await find_installation(str(executable), ENVIRONMENT)
    assert found.command == [str(python), "-sP"]
