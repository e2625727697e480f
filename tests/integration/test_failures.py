"""Failed starts: Jupyter keeps running, the tile stays, and the start page says what to do.

Most tests share one Jupyter, whose settings name an executable and a data directory. Each test puts
something else there. So each also shows that a repair needs no restart of Jupyter.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.desk import Desk, text_of
from support.gateway import script, stand_in
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import EXECUTABLE

BASE_URL = "/user/alice/"
# longer than the minute that HTTP clients, proxies and jupyter-server-proxy usually wait
SLOW_START_SECONDS = 70


@pytest.fixture(scope="module")
def shared(
    module_jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path_factory: pytest.TempPathFactory,
) -> Desk:
    folder = tmp_path_factory.mktemp("failures")
    executable, data_dir = folder / "label-studio", folder / "data"
    jupyter = module_jupyter_lab(
        base_url=BASE_URL, config={"label_studio": str(executable), "data_dir": str(data_dir)}
    )
    return Desk(jupyter, label_studio_client(jupyter), executable, data_dir)


@pytest.fixture
def desk(shared: Desk) -> Iterator[Desk]:
    """The shared desk, with nothing at either path. Label Studio does not run."""
    yield shared
    shared.studio.post("_proxy/stop")
    for path in (shared.executable, shared.data_dir):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@pytest.fixture
def own_desk(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
) -> Callable[..., Desk]:
    """A Jupyter for one test."""

    def new(**options: Any) -> Desk:
        jupyter = jupyter_lab(base_url=BASE_URL, **options)
        return Desk(jupyter, label_studio_client(jupyter))

    return new


@pytest.fixture
def mount(desk: Desk) -> Iterator[Callable[[str], None]]:
    """Mount a file system in memory at the data directory."""
    with contextlib.ExitStack() as stack:

        def mount(options: str) -> None:
            desk.data_dir.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(desk.data_dir)]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
            stack.callback(subprocess.run, ["umount", str(desk.data_dir)], check=True)

        yield mount


# ---- the executable


def test_nothing_at_the_path_of_the_executable(desk: Desk) -> None:
    error = desk.fails(f"There is no Label Studio at {desk.executable}.", "nothing is there")
    assert "label_studio" in error["why"]
    # Installed elsewhere, it would not be used.
    assert "restart Jupyter. Or install Label Studio there, then try again." in error["remedy"]


def test_folder_at_the_path_of_the_executable(desk: Desk) -> None:
    desk.executable.mkdir()
    desk.fails(f"There is no Label Studio at {desk.executable}.", "it is a folder")


def test_executable_that_may_not_be_run(desk: Desk) -> None:
    stand_in(desk.executable.parent).chmod(0o644)
    error = desk.fails(f"{desk.executable} cannot be run.", "not executable")
    assert f"chmod +x {desk.executable}" in error["remedy"]


def test_executable_that_is_no_program(desk: Desk) -> None:
    desk.executable.write_bytes(bytes(1000))
    desk.executable.chmod(0o755)
    desk.fails(str(desk.executable))


def test_executable_whose_interpreter_is_gone(desk: Desk) -> None:
    desk.executable.write_text("#!/nowhere/python\n")
    desk.executable.chmod(0o755)
    desk.fails(str(desk.executable))


def test_another_program_in_label_studios_place(desk: Desk) -> None:
    desk.executable.symlink_to("/bin/true")
    error = desk.fails(f"{desk.executable} is not the `label-studio` executable", "no Python")
    assert "`label_studio`" in error["remedy"]


def test_wrapper_in_label_studios_place(desk: Desk) -> None:
    script(desk.executable, f'exec {EXECUTABLE} "$@"')
    desk.fails(f"{desk.executable} is not the `label-studio` executable", "`conda run`")


def test_interpreter_that_fails(desk: Desk) -> None:
    stand_in(desk.executable.parent, probe="exit 1")
    desk.fails(f"{desk.executable.parent}/python does not run.", "--version")


def test_label_studio_that_prints_an_error_and_ends(desk: Desk) -> None:
    stand_in(
        desk.executable.parent,
        "echo Loading",
        "echo 'The flux is <b>out</b> of range' >&2",
        "exit 3",
    )
    desk.fails("crashed (exit status 3)", "The flux is <b>out</b> of range")
    assert "The flux is &lt;b&gt;out" in desk.click().text
    lines = [line for _, line in desk.studio.state()["log"]]
    first = lines.index("Loading")
    assert lines[first + 1] == "The flux is <b>out</b> of range"


def test_label_studio_that_is_killed(desk: Desk) -> None:
    stand_in(desk.executable.parent, "echo Loading", "kill -KILL $$")
    desk.fails("signal SIGKILL", "memory")


def test_label_studio_that_finds_the_disk_full(desk: Desk) -> None:
    stand_in(desk.executable.parent, "echo 'OSError: [Errno 28] No space left on device'", "exit 1")
    desk.fails("crashed (exit status 1)", "The disk of the data directory is full.")


def test_failure_is_explained_by_what_this_start_printed(desk: Desk) -> None:
    stand_in(desk.executable.parent, "echo 'OSError: [Errno 28] No space left on device'", "exit 1")
    desk.fails("The disk of the data directory is full.")
    stand_in(desk.executable.parent, "echo Something else", "exit 1")
    error = desk.fails("Its last line was: Something else")
    assert "disk" not in error["why"]


# ---- the data directory


def test_data_directory_that_is_a_file(desk: Desk) -> None:
    stand_in(desk.executable.parent, "exit 0")
    desk.data_dir.write_text("mine")
    error = desk.fails(f"The data directory {desk.data_dir} is not a folder.")
    assert "`data_dir`" in error["remedy"]
    assert desk.data_dir.read_text() == "mine"


def test_data_directory_that_may_not_be_written(desk: Desk) -> None:
    stand_in(desk.executable.parent, "exit 0")
    desk.data_dir.symlink_to("/proc/sys")  # not even by root
    error = desk.fails(f"The data directory {desk.data_dir} cannot be used.", "may not write there")
    assert "`data_dir`" in error["remedy"]


def test_data_directory_on_a_file_system_that_is_read_only(
    desk: Desk, mount: Callable[[str], None]
) -> None:
    stand_in(desk.executable.parent, "exit 0")
    mount("ro,size=64m")
    error = desk.fails(f"The data directory {desk.data_dir} cannot be used.", "read-only")
    assert "`data_dir`" in error["remedy"]


def test_full_disk(desk: Desk, mount: Callable[[str], None]) -> None:
    stand_in(desk.executable.parent, "exit 0")
    mount("size=1m")
    error = desk.fails(f"The disk of the data directory {desk.data_dir} is full.", "1024 kB")
    assert "Free some space" in error["remedy"]


def test_database_that_is_no_database(desk: Desk) -> None:
    stand_in(desk.executable.parent, "exit 0")
    desk.data_dir.mkdir()
    (desk.data_dir / "label_studio.sqlite3").write_bytes(b"not a database" * 1000)
    desk.fails("label_studio.sqlite3 cannot be read.", "file is not a database")


def test_secret_key_that_cannot_be_read(desk: Desk) -> None:
    stand_in(desk.executable.parent, "exit 0")
    desk.data_dir.mkdir()
    (desk.data_dir / ".env").mkdir()
    desk.fails(f"The secret key in {desk.data_dir / '.env'} cannot be read.")


# ---- mending


def test_after_each_repair_it_starts_without_a_restart_of_jupyter(
    desk: Desk, new_data_dir: Callable[[], Path]
) -> None:
    gateway = desk.jupyter.process.pid
    desk.data_dir.write_text("in the way")
    desk.fails("is not a folder")

    desk.data_dir.unlink()
    desk.data_dir.symlink_to(new_data_dir())
    desk.fails("There is no Label Studio")

    desk.executable.symlink_to(EXECUTABLE)
    snapshot = desk.try_again()
    assert snapshot["state"] == "ready", snapshot
    assert snapshot["error"] is None
    assert desk.studio.get("api/projects").status_code == 200
    assert "Label Studio" in desk.click().text
    assert desk.jupyter.process.pid == gateway
    desk.assert_jupyter_is_well()


# ---- settings


def says_so(desk: Desk, name: str, source: str, value: str) -> None:
    error = desk.fails(f"`{name}` must be ", f"{source} it to '{value}'.")
    assert error["remedy"].endswith("restart Jupyter.")


def test_setting_of_the_wrong_type_in_a_configuration_file(own_desk: Callable[..., Desk]) -> None:
    desk = own_desk(config={"start_timeout": "soon"})
    says_so(desk, "start_timeout", "The configuration files set", "soon")


def test_setting_of_the_wrong_type_in_the_environment(own_desk: Callable[..., Desk]) -> None:
    desk = own_desk(env={"LABELSTUDIO_PROXY_START_TIMEOUT": "soon"})
    says_so(
        desk,
        "start_timeout",
        "The environment variable LABELSTUDIO_PROXY_START_TIMEOUT sets",
        "soon",
    )


def test_setting_of_the_wrong_type_on_the_command_line(own_desk: Callable[..., Desk]) -> None:
    desk = own_desk(argv=["--LabelStudioProxy.backend=podman"])
    says_so(desk, "backend", "The command line sets", "podman")


def test_unknown_setting_comes_with_the_name_that_was_meant(
    own_desk: Callable[..., Desk],
) -> None:
    desk = own_desk(config={"data_dri": "/somewhere"})
    error = desk.fails("There is no setting `data_dri`.", "The configuration files set it.")
    assert "Did you mean `data_dir`?" in error["remedy"]


# ---- time


def test_start_that_takes_too_long_is_stopped_and_leaves_no_process(
    own_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    executable = stand_in(
        tmp_path / "stand-in", "sleep 1000 &", f'echo $$ $! >> "{pids}"', "wait", "exit 1"
    )
    desk = own_desk(
        config={"label_studio": str(executable), "data_dir": str(tmp_path / "data")},
        env={"LABELSTUDIO_PROXY_START_TIMEOUT": "1.5"},
    )
    error = desk.fails("Label Studio did not respond within 1.5 seconds.")
    assert "`start_timeout`" in error["remedy"]
    both = pids.read_text().split()
    assert len(both) == 2
    assert [pid for pid in both if runs(pid)] == []


def runs(pid: str) -> bool:
    """Return True if the process runs and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def test_a_start_that_takes_longer_than_usual_time_limits_is_waited_for(
    own_desk: Callable[..., Desk], data_dir: Path, tmp_path: Path
) -> None:
    run = f'{shlex.quote(str(EXECUTABLE.with_name("python")))} "$@"'
    executable = stand_in(tmp_path, f"sleep {SLOW_START_SECONDS}", f"exec {run}", probe=run)
    desk = own_desk(config={"data_dir": str(data_dir), "label_studio": str(executable)})
    desk.studio.start()
    assert "Starting Label Studio" in text_of(desk.click())
    before = desk.studio.state()
    desk.assert_jupyter_is_well()
    snapshot = desk.studio.wait_for_state("ready", timeout=200)
    assert snapshot["ready_after"] > SLOW_START_SECONDS
    assert snapshot["started_at"] == before["started_at"]
    assert snapshot["restarts"] == 0
    assert desk.studio.get("api/projects").status_code == 200
    desk.assert_jupyter_is_well()
