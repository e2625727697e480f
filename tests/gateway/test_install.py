"""Label Studio is installed by a button or a command, from a folder of packages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from support.gateway import PROGRAM, Gateway
from support.package_index import BUILD_WHEEL, HangingBuild, PackageIndex, without_label_studio
from support.processes import clean_environment, pids_that_mention, wait_for

from labelstudio_proxy._version import LABEL_STUDIO_VERSION
from labelstudio_proxy.installation import install as installing
from labelstudio_proxy.installation.folder import InstallFolder
from labelstudio_proxy.installation.problems import WrongPython
from labelstudio_proxy.installation.tools import find_uv

TRY_AGAIN = [{"command": "install", "label": "Try again"}]
TOOLS = [
    "pip",
    pytest.param("uv", marks=pytest.mark.skipif(not find_uv(), reason="uv is not installed")),
]


@pytest.fixture
def index(tmp_path: Path) -> PackageIndex:
    return PackageIndex(tmp_path / "index")


@pytest.fixture
def folder(tmp_path: Path) -> InstallFolder:
    return InstallFolder(tmp_path / "installation")


class Command:
    """`labelstudio-proxy`, with the folder and the index of a test."""

    def __init__(self, home: Path, folder: InstallFolder, index: PackageIndex) -> None:
        self.folder = folder
        self.environment = clean_environment(home) | index.environment

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*(sys.executable, "-m", "labelstudio_proxy"), *arguments, "--path", self.folder.path],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the objects that the command prints with `--json`."""
        with self.popen(*arguments, "--json") as process:
            printed, _ = process.communicate(timeout=120)
        if arguments[0] == "uninstall":
            return [json.loads(printed)]
        return [json.loads(line) for line in printed.splitlines()]

    def error(self, *arguments: str) -> dict[str, str]:
        found: dict[str, str] = self.run(*arguments)[-1]["error"]
        return found


@pytest.fixture
def command(tmp_path: Path, folder: InstallFolder, index: PackageIndex) -> Command:
    return Command(tmp_path / "home", folder, index)


@pytest.fixture
def gateway(
    data_dir: Path, tmp_path: Path, folder: InstallFolder, index: PackageIndex
) -> Iterator[Gateway]:
    python = without_label_studio(tmp_path / "notebook")
    gateway = Gateway(
        data_dir,
        settings={"label_studio": "", "install_dir": str(folder.path)},
        env={
            **index.environment,
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
        },
        python=python,
    )
    yield gateway
    gateway.stop()


def state(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = gateway.ask("GET", "/_proxy/state").json()
    return found


def until_failed(gateway: Gateway) -> dict[str, Any]:
    wait_for(lambda: state(gateway)["state"] == "failed", what="a failure", timeout=120)
    return state(gateway)


def test_a_button_installs_is_cancelled_tries_again_and_starts_label_studio(
    gateway: Gateway, index: PackageIndex, folder: InstallFolder, command: Command, tmp_path: Path
) -> None:
    def post(name: str) -> None:
        assert gateway.ask("POST", f"/_proxy/{name}", [PROGRAM]).status == 202

    # Nothing is installed, and the page offers to.
    post("start")
    shown = until_failed(gateway)
    assert shown["actions"] == [{"command": "install", "label": "Install Label Studio"}]
    assert str(folder.path) in shown["error"]["remedy"]
    assert shown["installed"] is False

    # Another site can install nothing.
    other = [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")]
    assert gateway.ask("POST", "/_proxy/install", other).status == 403
    assert not folder.path.exists()

    # An index without it.
    post("install")
    shown = until_failed(gateway)
    what = f"The package index has no Label Studio {LABEL_STUDIO_VERSION}."
    assert shown["error"]["what"] == what
    assert shown["actions"] == TRY_AGAIN
    assert any("No matching distribution" in line for _, line in shown["log"])
    assert [step["state"] for step in shown["steps"]][:3] == ["done", "done", "failed"]

    # Cancelled: nothing stays behind.
    hanging = HangingBuild(index, tmp_path / "building")
    index.add(LABEL_STUDIO_VERSION, "hangs")
    post("install")
    hanging.wait()
    shown = state(gateway)
    assert shown["state"] == "installing"
    assert shown["actions"] == [{"command": "stop", "label": "Cancel"}]
    assert len(folder.environments()) == 1
    assert "already" in command.error("install")["what"]  # by another server or a terminal
    post("stop")
    shown = until_failed(gateway)
    assert shown["error"]["what"] == "The installation was cancelled."
    assert shown["actions"] == TRY_AGAIN
    assert folder.environments() == []

    # It continues to the start.
    index.add(LABEL_STUDIO_VERSION)
    post("install")
    gateway.until("ready")
    assert state(gateway)["versions"]["Label Studio"] == LABEL_STUDIO_VERSION
    assert [step["state"] for step in state(gateway)["steps"]] == ["done"] * 8
    assert state(gateway)["actions"] == []
    details = {step["id"]: step["detail"] for step in state(gateway)["steps"]}
    assert details["find"].endswith("`labelstudio-proxy install` has put it there.")

    # An upgrade leaves the running one in place until it stops, and nothing removes it.
    index.add("9.9.9")
    (old,) = folder.environments()
    assert command.run("install", "--version", "9.9.9")[-1]["version"] == "9.9.9"
    assert old.exists()
    assert state(gateway)["state"] == "ready"
    assert command.error("uninstall")["what"] == "Label Studio is running."
    gateway.stop_label_studio()
    gateway.start()
    assert state(gateway)["versions"]["Label Studio"] == "9.9.9"
    wait_for(lambda: not old.exists(), what="the old environment removed")
    gateway.stop_label_studio()
    assert "was removed" in command.run("uninstall")[-1]["message"]
    assert folder.environments() == []
    assert not folder.has_label_studio


@pytest.mark.parametrize("tool", TOOLS)
def test_the_command_installs_once_upgrades_and_explains(
    tool: str, command: Command, index: PackageIndex, folder: InstallFolder
) -> None:
    install = ("install", "--tool", tool)
    index.add("1.0")
    index.add("2.0", python=">=3.99")
    index.add("3.0", "needs-compiler")
    index.add_source("needs-compiler", "raise SystemExit('error: command gcc failed')\n")
    said = command.run(*install, "--version", "1.0")
    assert [each["step"] for each in said if "step" in each][:2] == [
        *("install-environment", "install-download"),
    ]
    assert said[-1]["label_studio"] == str(folder.executable)
    assert folder.executable.exists()
    (environment,) = folder.environments()
    # An upgrade changes nothing for one that runs.
    assert str(environment.resolve()) in folder.executable.read_text()
    again = command.run(*install)[-1]
    assert (again["version"], "before" in again["message"]) == ("1.0", True)
    errors = {
        "2.0": "does not support Python",
        "3.0": "could not be compiled",
        "4.0": "The package index has no Label Studio 4.0",
    }
    for version, what in errors.items():
        assert what in command.error(*install, "--version", version)["what"]
        # What was there is still in use.
        assert folder.current() == environment.resolve()
        assert folder.environments() == [environment]
    # In a terminal the last lines stand before the reason.
    with command.popen(*install, "--version", "4.0") as process:
        printed, _ = process.communicate(timeout=120)
    assert 0 < printed.index("label-studio==4.0") < printed.index("The package index has no")


@pytest.mark.skipif(not find_uv(), reason="uv is not installed")
def test_uv_takes_another_python_if_a_package_cannot_be_compiled_for_this_one(
    command: Command,
    index: PackageIndex,
    folder: InstallFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    this = sys.version.split()[0]
    find = [find_uv(), "python", "find", "--system", "--no-python-downloads", f">=3.10,!={this}"]
    found = subprocess.run(
        find, env=command.environment, capture_output=True, text=True, check=False
    )
    if not found.stdout:
        pytest.skip("there is no other Python")
    other = Path(found.stdout.strip())
    asked = [str(other), "-c", "import sys; print(sys.version.split()[0])"]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    # Not only one that is older by a minor version, which few machines have.
    monkeypatch.setattr(WrongPython, "versions", f"=={version}")
    index.add("1.0", "needs-compiler")
    index.add_source(
        "needs-compiler",
        "import sys\n"
        f"if sys.version.startswith('{this} '): raise SystemExit('error: command gcc failed')\n"
        + BUILD_WHEEL.format(name="needs-compiler"),
    )
    printed: list[str] = []

    def install(python: str = "") -> str:
        with mock.patch.dict(os.environ, command.environment, clear=True):
            return installing.install(
                folder, "1.0", show=lambda *_, **__: None, log=printed.append, python=python
            )

    with pytest.raises(WrongPython, match=r"needs-compiler.* could not be compiled"):
        install(sys.executable)  # the user's choice stays
    assert install() == "1.0", printed
    assert folder.executable.with_name("python").resolve() == other.resolve()


def test_a_killed_installation_leaves_the_present_one(
    command: Command, index: PackageIndex, folder: InstallFolder, tmp_path: Path
) -> None:
    index.add("1.0")
    command.run("install", "--version", "1.0")
    present = folder.current()
    hanging = HangingBuild(index, tmp_path / "building")
    index.add("2.0", "hangs")
    with command.popen("install", "--version", "2.0", "--tool", "pip") as process:
        hanging.wait()
        # With pip, which is in another process group.
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert folder.current() == present
        assert len(folder.environments()) == 2
    hanging.end()
    wait_for(lambda: not pids_that_mention(folder.path), what="pip's end")
    index.add("2.0")
    assert command.run("install", "--version", "2.0")[-1]["version"] == "2.0"
    (left,) = folder.environments()
    assert left.resolve() == folder.current()


def test_an_installation_ends_with_the_jupyter_that_asked_for_it(
    command: Command, index: PackageIndex, folder: InstallFolder, tmp_path: Path
) -> None:
    hanging = HangingBuild(index, tmp_path / "building")
    index.add("1.0", "hangs")
    with command.popen("install", "--version", "1.0", "--json") as process:
        hanging.wait()
        assert len(folder.environments()) == 1
        assert process.stdout is not None
        process.stdout.close()  # as if Jupyter was killed
        hanging.end()
    assert process.returncode != 0
    assert folder.environments() == []
    assert not folder.has_label_studio


def test_a_folder_that_cannot_be_written_is_named(command: Command, folder: InstallFolder) -> None:
    folder.path.write_text("a file")
    assert command.error("install")["what"] == f"{folder.path} cannot be written."
