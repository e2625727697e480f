"""The command line of backups, and what needs no gateway."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import subprocess
import sys
import termios
import zipfile
from pathlib import Path

import pytest
from support.processes import clean_environment

from labelstudio_proxy.cli import control
from labelstudio_proxy.cli.main import commands, main


def run(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labelstudio_proxy", *map(str, arguments)],
        env=dict(os.environ) | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_backup_without_the_labels_needs_an_option(source: Path, tmp_path: Path) -> None:
    env = {"LABELSTUDIO_PROXY_ENVIRONMENT": '{"DJANGO_DB": "default"}'}
    output = tmp_path / "a.zip"
    command = ("backup", "--data-dir", source, "--output", output)
    done = run(*command, **env)
    assert done.returncode == 1
    assert "would be without the labels" in done.stderr
    assert not output.exists()
    done = run(*command, "--without-database", **env)
    assert done.returncode == 0, done.stderr
    assert "The database is NOT in the backup" in done.stdout
    with zipfile.ZipFile(output) as packed:
        assert ".env" in packed.namelist()
        assert "label_studio.sqlite3" not in packed.namelist()


def test_errors_are_coloured_on_a_terminal(tmp_path: Path) -> None:
    leader, follower = os.openpty()
    try:
        for colours in ({}, {"NO_COLOR": "1"}):
            subprocess.run(
                [sys.executable, "-m", "labelstudio_proxy", "restore", tmp_path / "a.zip"],
                env=clean_environment(tmp_path / "home") | {"TERM": "xterm"} | colours,
                stderr=follower,
                timeout=60,
                check=False,
            )
            shown = os.read(leader, 65536)
            assert b"There is no file" in shown
            assert (b"\x1b[31mlabelstudio-proxy:" in shown) is not bool(colours)
    finally:
        os.close(leader)
        os.close(follower)


def test_backup_shows_its_progress_on_a_terminal(source: Path, tmp_path: Path) -> None:
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    try:
        subprocess.run(
            [
                *(sys.executable, "-m", "labelstudio_proxy", "backup"),
                *("--data-dir", source, "--output", tmp_path / "a.zip"),
            ],
            env=clean_environment(tmp_path / "home") | {"TERM": "xterm"},
            stderr=follower,
            stdout=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
        os.set_blocking(leader, False)
        shown = os.read(leader, 65536)
        assert b"Saving  [" in shown
        assert b"100%" in shown
    finally:
        os.close(leader)
        os.close(follower)


@pytest.mark.parametrize("command", ["backup", "prepare"])
def test_wrong_setting_fails_a_command_with_one_line(command: str) -> None:
    done = run(command, LABELSTUDIO_PROXY_DATA_DIR="~no-such-user-here")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "labelstudio-proxy: `data_dir` must be the absolute path of a folder"
    )
    assert done.stderr.count("\n") == 1


NOBODY = {
    "JUPYTER_RUNTIME_DIR": "/nonexistent",  # no gateway and no Jupyter server
    "LABELSTUDIO_PROXY_LABEL_STUDIO": "/nonexistent/label-studio",
}


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_every_command_has_json(name: str) -> None:
    assert any("--json" in option.opts for option in commands.commands[name].params)


@pytest.mark.parametrize(
    ("words", "status", "cause"),
    [
        (["status"], 1, "No Jupyter server of this user is running"),
        (["start"], 1, "No Jupyter server of this user is running"),
        (["restart"], 1, "No Jupyter server of this user is running"),
        (["open"], 1, "No Jupyter server of this user is running"),
        (["start", "--take-over"], 1, "No Jupyter server of this user is running"),
        (["projects"], 1, "No Jupyter server of this user is running"),
        (["label", "pictures", "--labels", "a,b"], 1, "No Jupyter server of this user is running"),
        (["export", "pets", "CSV", "new"], 1, "No Jupyter server of this user is running"),
        (["export", "pets", "CSV"], 2, "Missing argument 'FOLDER'"),
        (["label"], 2, "Missing argument 'FOLDER'"),
        (["label", "pictures", "--config", "/nonexistent"], 2, "'/nonexistent': No such file"),
        (["stop", "--no-such-option"], 2, "No such option"),
        (["prepare"], 1, "There is no Label Studio at /nonexistent/label-studio."),
        (["logs"], 1, "Label Studio is not running"),
        (["logs", "-n", "x"], 2, "'x' is not a valid integer"),
        (["serve", "--port", "x"], 2, "'x' is no port. A port is a number from 0 to 65535."),
        (["serve"], 2, "Name a port, for example `--port 9000`."),
        (["backup", "--data-dir", "~no-such-user/x"], 2, "names a user that this machine does not"),
        (["backup", "--data-dir", "/nonexistent"], 1, "There is nothing to back up"),
        (["backup", "--output", ""], 2, "the path is empty"),
        (["restore", "/nonexistent/x.zip"], 1, "There is no file /nonexistent/x.zip"),
        (["restore", "/"], 1, "/ is not a file."),
        (["restore"], 2, "Missing argument 'FILE'"),
        (["no-such-command"], 2, "No such command 'no-such-command'"),
    ],
)
def test_errors_name_the_cause_and_are_json_if_asked_for(
    words: list[str],
    status: int,
    cause: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exited:
        main([*words, "--json"])
    assert exited.value.code == status
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert cause in " ".join(error.values())
    assert printed.out.count("\n") == 1  # `logs --follow` prints JSON lines
    assert printed.err == ""


def test_an_error_that_cannot_be_printed_as_json_is_a_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "labelstudio_proxy", "logs", "--json"],
            env=dict(os.environ) | NOBODY,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("labelstudio-proxy: Label Studio is not running")
    assert done.stderr.count("\n") == 1


def test_an_error_that_nobody_expected_is_json_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(data_dir: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(control, "find_gateway", broken)
    with pytest.raises(SystemExit) as exited:
        main(["status", "--json"])
    assert exited.value.code == 1
    assert "LookupError: a bug" in json.loads(capsys.readouterr().out)["error"]["why"]
    with pytest.raises(LookupError):
        main(["status"])


def test_a_stop_with_nothing_running_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    main(["stop", "--json"])
    assert json.loads(capsys.readouterr().out) == {"state": "stopped"}


def test_backup_and_restore_answer_in_json(source: Path, tmp_path: Path) -> None:
    file, target = tmp_path / "a.zip", tmp_path / "restored"
    saved = run("backup", "--data-dir", source, "--output", file, "--json")
    assert json.loads(saved.stdout)["file"] == str(file)
    restored = run("restore", "--data-dir", target, file, "--json")
    assert json.loads(restored.stdout)["data_dir"] == str(target)


def test_a_backup_into_a_folder_gets_a_name_with_the_time(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    saved = run("backup", "--data-dir", source, "--output", folder, "--json")
    assert [json.loads(saved.stdout)["file"]] == list(map(str, folder.glob("label-studio-*.zip")))


@pytest.mark.parametrize("command", ["backup", "prepare", "serve --port 0"])
def test_a_wrong_configuration_file_is_not_ignored(command: str, tmp_path: Path) -> None:
    """It may name another data directory."""
    (tmp_path / "jupyter_server_config.py").write_text("c.LabelStudioProxy.data_dir = (")
    done = run(*command.split(), "--json", JUPYTER_CONFIG_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "(jupyter_server_config.py, line 1)" in json.loads(done.stdout)["error"]["why"]
    assert done.stderr == ""


def test_a_backup_into_a_folder_that_does_not_exist_says_so(source: Path, tmp_path: Path) -> None:
    done = run("backup", "--data-dir", source, "--output", tmp_path / "nowhere" / "a.zip")
    assert done.returncode == 1
    assert f"The folder {tmp_path / 'nowhere'} does not exist." in done.stderr
    assert "Free some space" not in done.stderr
    assert "\x1b[" not in done.stderr  # colours are for a terminal
