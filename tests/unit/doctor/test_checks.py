"""Each check of `labelstudio-proxy doctor` finds what a test breaks for it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import support
from jupyter_core.paths import jupyter_path
from jupyter_server.extension.config import ExtensionConfigManager
from support.gateway import SAYS_INSTALLED, stand_in
from support.installation import SmallInstallation
from support.small_disk import fill, small_disk

from labelstudio_proxy._version import __version__
from labelstudio_proxy.config.settings import LabelStudioProxy, resolve
from labelstudio_proxy.data_directory.directory import PROXY_FOLDER
from labelstudio_proxy.data_directory.lock import LOCK, DirectoryLock
from labelstudio_proxy.data_directory.migrations import VersionRecord
from labelstudio_proxy.doctor import (
    clock,
    configuration,
    container,
    data,
    environment,
    examination,
    extensions,
    label_studio,
    packages,
    servers,
    sockets,
)
from labelstudio_proxy.doctor.examination import examine
from labelstudio_proxy.doctor.finding import Finding, Severity, worst
from labelstudio_proxy.doctor.situation import Arrival, Situation


def said(findings: Any, subject: str) -> Finding:
    """Return the worst finding about the subject, of a check that may be a coroutine."""
    listed: list[Finding] = asyncio.run(findings) if inspect.iscoroutine(findings) else [*findings]
    found = [each for each in listed if each.subject == subject]
    assert found, listed
    return next(each for each in found if each.severity is worst(found))


def assert_is(finding: Finding, severity: str, *words: str) -> None:
    assert finding.severity.value == severity, finding
    for word in words:
        assert word in finding.as_line(), finding
    assert "\n" not in finding.as_line()
    assert severity == "ok" or finding.remedy


# ---- packages and extensions


def test_everything_is_well_here(about: Callable[..., Situation]) -> None:
    findings = asyncio.run(examine(about()))
    assert [each for each in findings if each.severity is not Severity.OK] == []
    subjects = {each.subject for each in findings}
    assert {"Tile", "Label Studio", "Space", "Locks", "Holder", "Sockets", "Clock"} <= subjects


def test_an_old_jupyter_server_proxy(
    about: Callable[..., Situation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "old" / "jupyter_server_proxy-3.2.4.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: jupyter-server-proxy\nVersion: 3.2.4\n")
    monkeypatch.syspath_prepend(tmp_path / "old")
    found = said(packages.check(about()), "jupyter-server-proxy")
    assert_is(found, "error", "3.2.4", "pip install 'jupyter-server-proxy<5,>=4.6'")


def test_a_file_in_the_way_of_a_package(
    about: Callable[..., Situation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "docker", raising=False)
    found = said(packages.check(about()), "Packages")
    assert_is(found, "error", f"imports {tmp_path}/docker.py in place of the package docker")


@pytest.mark.parametrize(
    ("name", "severity"), [("jupyter_server_proxy", "error"), ("labelstudio_proxy", "warning")]
)
def test_a_disabled_server_extension(
    about: Callable[..., Situation], tmp_path: Path, name: str, severity: str
) -> None:
    # what `jupyter server extension disable` does
    folder = tmp_path / "CONFIG" / "jupyter_server_config.d"
    ExtensionConfigManager(write_config_dir=str(folder)).disable(name)  # type: ignore[no-untyped-call]
    found = said(extensions.check(about()), "Server extension")
    assert_is(found, severity, f"{name} is disabled", f"server extension enable {name}")


@pytest.mark.parametrize(
    ("name", "subject", "severity"),
    [
        ("@jupyterhub/jupyter-server-proxy", "Tile", "error"),
        ("@jupyterhub/jupyter-server-proxy:add-launcher-entries", "Tile", "error"),
        ("labelstudio-proxy", "JupyterLab extension", "warning"),
    ],
)
def test_a_disabled_extension_of_jupyterlab(
    about: Callable[..., Situation], tmp_path: Path, name: str, subject: str, severity: str
) -> None:
    # what `jupyter labextension disable --level=user` writes
    file = tmp_path / "CONFIG" / "labconfig" / "page_config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"disabledExtensions": {name: True}}))
    found = said(extensions.check(about()), subject)
    assert_is(found, severity, f"{name} is disabled", f"labextension enable {name}")


@pytest.mark.parametrize(
    ("name", "subject", "severity", "package"),
    [
        ("@jupyterhub/jupyter-server-proxy", "Tile", "error", "jupyter-server-proxy"),
        ("labelstudio-proxy", "JupyterLab extension", "warning", "labelstudio-proxy"),
    ],
)
def test_an_extension_of_jupyterlab_that_is_missing(
    about: Callable[..., Situation],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    subject: str,
    severity: str,
    package: str,
) -> None:
    folders = [Path(folder) for folder in jupyter_path("labextensions")]
    found = next(folder for folder in folders if (folder / name / "package.json").exists())
    others = {each.name for each in found.iterdir()} - {Path(name).parts[0]}
    with tempfile.TemporaryDirectory() as made:
        for other in others:
            Path(made, other).symlink_to(found / other)
        monkeypatch.setattr(extensions, "jupyter_path", lambda _: [made])
        listed = said(extensions.check(about()), subject)
    assert_is(listed, severity, f"has no extension {name}", f"--no-deps {package}")


def test_extensions_that_no_file_enables(
    about: Callable[..., Situation], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [os.environ["JUPYTER_CONFIG_DIR"]]  # without that of this environment
    monkeypatch.setattr(extensions, "jupyter_config_path", lambda: folders)
    found = [each for each in extensions.check(about()) if each.subject == "Server extension"]
    assert_is(found[0], "error", "enables jupyter_server_proxy", "no tile", "--force-reinstall")
    assert_is(found[1], "warning", "enables labelstudio_proxy", "no panel", "--force-reinstall")


def test_a_tile_that_is_switched_off_or_without_jupyterlab(
    about: Callable[..., Situation], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_is(said(extensions.check(about(tile=False)), "Tile"), "ok", "setting `tile`")
    monkeypatch.setattr(extensions, "version_of", lambda _: "")
    assert_is(said(extensions.check(about()), "Tile"), "ok", "not in this environment")


def test_a_configuration_file_that_jupyter_cannot_read(
    about: Callable[..., Situation], tmp_path: Path
) -> None:
    file = tmp_path / "CONFIG" / "jupyter_server_config.json"
    file.write_text("{")
    assert_is(said(extensions.check(about()), "Server extension"), "error", str(file))


def test_an_old_extension_of_jupyterlab_in_the_way(
    about: Callable[..., Situation], tmp_path: Path
) -> None:
    folder = tmp_path / "DATA" / "labextensions" / "labelstudio-proxy"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "labelstudio-proxy", "version": "0.0.1"}')
    found = said(extensions.check(about()), "JupyterLab extension")
    assert_is(found, "warning", str(folder), "0.0.1", __version__)


# ---- settings, Label Studio, and the engine


def test_settings_are_listed_without_secrets_and_wrong_ones_are_errors() -> None:
    given = {"LABELSTUDIO_PROXY_ENVIRONMENT": '{"POSTGRE_PASSWORD": "hunter22"}'}
    given["LABELSTUDIO_PROXY_IDLE_TIMEOUT"] = "soon"
    empty = type(LabelStudioProxy().config)()
    situation = Situation(*resolve(command_line=empty, environment=given, files=empty))
    found = [*configuration.check(situation)]
    assert_is(found[0], "error", "`idle_timeout` must be", "then restart Jupyter")
    assert_is(found[1], "ok", "environment = names POSTGRE_PASSWORD")
    assert "hunter22" not in str(found)


def broken_label_studio(folder: Path) -> Iterator[tuple[str, Path, str, str]]:
    """Yield what is broken, the executable, and what the check says."""
    yield "missing", folder / "none", "error", "There is no Label Studio at"
    (folder / "plain").touch()
    yield "not executable", folder / "plain", "error", "chmod +x"
    broken = stand_in(folder / "broken", probe="exit 1")
    yield "broken", broken, "error", "does not run"
    without = stand_in(folder / "without", probe="echo '{}'")
    yield "without a Label Studio", without, "error", "label-studio is not installed for"
    old = SmallInstallation(folder / "old", "1.20.0").executable
    yield "older than the database", old, "error", "older than 1.99.0"
    yield "untested", SmallInstallation(folder / "new").executable, "warning", "not with 9.9.9"


def test_a_label_studio_that_does_not_work(about: Callable[..., Situation], tmp_path: Path) -> None:
    (tmp_path / "label-studio").mkdir()
    (about().directory.proxy_folder).mkdir()
    VersionRecord("1.99.0").write(about().directory)
    for what, executable, severity, words in broken_label_studio(tmp_path / "label-studio"):
        found = said(label_studio.check(about(label_studio=str(executable))), "Label Studio")
        assert (what, found.severity.value) == (what, severity)
        assert words in found.as_line()


def test_which_label_studio_and_why(about: Callable[..., Situation], tmp_path: Path) -> None:
    found = said(label_studio.check(about()), "Label Studio")
    assert_is(found, "ok", sys.executable, "It is in the notebook's environment")
    named = stand_in(tmp_path / "named", probe=SAYS_INSTALLED)
    found = said(label_studio.check(about(label_studio=str(named))), "Label Studio")
    assert_is(found, "ok", "version echo", "The setting `label_studio` names it")
    found = said(label_studio.check(about(backend="docker")), "Label Studio")
    assert_is(found, "ok", "runs as a container, because the setting `backend` says so")


def test_an_engine_that_does_not_run(
    about: Callable[..., Situation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    found = said(container.check(about(backend="docker")), "Container engine")
    assert_is(found, "error", f"{tmp_path}/none.sock", "DOCKER_HOST")


@pytest.mark.parametrize(("ahead", "severity"), [(0, "ok"), (-3600, "error"), (3600, "error")])
def test_the_engines_clock(ahead: float, severity: str) -> None:
    moment = time.gmtime(time.time() + ahead)
    found = container.clock(time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", moment))
    assert_is(found, severity)


# ---- the data directory


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 40) as folder:
        folder.chmod(0o700)
        yield folder


def test_a_disk_that_is_in_memory_and_full(about: Callable[..., Situation], disk: Path) -> None:
    situation = about(data_dir=str(disk))
    assert_is(said(data.check(situation), "File system"), "warning", "in memory (tmpfs)")
    assert_is(said(data.check(situation), "Space"), "warning", "MB are free")
    fill(disk)
    assert_is(said(data.check(situation), "Space"), "error", "is full", "Free some space")


def test_a_file_system_that_is_read_only(about: Callable[..., Situation], disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    found = said(data.check(about(data_dir=str(disk))), "Space")
    assert_is(found, "error", "mounted read-only")
    found = said(data.check(about(data_dir=str(disk / "new"))), "Data directory")
    assert_is(found, "error", f"cannot make it in {disk}")


def test_a_folder_that_others_may_write(about: Callable[..., Situation]) -> None:
    about().directory.path.chmod(0o770)
    found = said(data.check(about()), "Data directory")
    assert_is(found, "warning", "its group may change your labels", "chmod 700")


def test_a_data_directory_that_is_a_file_or_missing(
    about: Callable[..., Situation], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    found = said(data.check(about(data_dir=str(tmp_path / "file"))), "Data directory")
    assert_is(found, "error", "is not a folder", "Move it away")
    found = said(data.check(about(data_dir=str(tmp_path / "file" / "x"))), "Data directory")
    assert_is(found, "error", "cannot make it")
    new = tmp_path / "new" / "data"
    found = said(data.check(about(data_dir=str(new))), "Data directory")
    assert_is(found, "ok", "the first start makes it")
    assert not new.parent.exists()


@contextlib.contextmanager
def as_another_user() -> Iterator[None]:
    """Run the block without root's rights."""
    if os.getuid():
        pytest.skip("only root can become another user")
    os.setresgid(4711, 4711, 0)
    os.setresuid(4711, 4711, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


def test_a_data_directory_of_another_user(about: Callable[..., Situation]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        Path(made).chmod(0o755)
        with as_another_user():
            found = said(data.check(about(data_dir=made)), "Data directory")
    assert_is(found, "error", "belongs to another user", "sudo chown -R")


@pytest.mark.parametrize("kind", ["flock", "fcntl"])
def test_a_file_system_without_locks(
    about: Callable[..., Situation], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    refused = {
        "PYTHONPATH": str(Path(support.__path__[0], "no_locks")),
        "REFUSED_LOCKS": f"{kind} {errno.ENOLCK}",
    }
    command = [sys.executable, "-m", "labelstudio_proxy", "doctor", "--json", "--data-dir"]
    done = subprocess.run(
        [*command, about().directory.path],
        env=os.environ | refused,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    checks = [Finding.parse(each) for each in json.loads(done.stdout)["checks"]]
    assert_is(said(checks, "Locks"), "error", "does not support file locks")


def test_a_database_that_this_user_may_not_write() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        os.chown(made, 4711, 4711)
        directory = Situation(LabelStudioProxy(data_dir=made)).directory
        directory.database.touch(0o444)
        os.chown(directory.database, 4711, 4711)
        with as_another_user():
            found = said(data.check(Situation(LabelStudioProxy(data_dir=made))), "Database")
    assert_is(found, "error", f"{directory.database} cannot be written", "chmod u+rw")


@pytest.mark.parametrize(("lead", "words"), [(3600, "3600 s ahead of"), (-90, "90 s behind")])
def test_the_clock_of_a_file_server(lead: float, words: str) -> None:
    assert_is(data.clock_of_files(lead), "warning", words, "NTP")
    assert_is(data.clock_of_files(1), "ok")


def test_a_damaged_database(about: Callable[..., Situation]) -> None:
    database = about().directory.database
    assert_is(said(data.check(about()), "Database"), "ok", "without a fault")
    os.truncate(database, database.stat().st_size // 2)
    assert_is(said(data.check(about()), "Database"), "error", "SQLite reports", "restore")


CRASH = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in ("PRAGMA cache_size = 1", "BEGIN", "UPDATE django_migrations SET name = hex(randomblob(50))"):
    database.execute(statement)
os._exit(0)
"""


def test_a_write_that_a_crash_interrupted_is_no_fault(about: Callable[..., Situation]) -> None:
    database = about().directory.database
    subprocess.run([sys.executable, "-c", CRASH, database], check=True)
    assert Path(f"{database}-journal").stat().st_size > 0
    assert_is(said(data.check(about()), "Database"), "ok", "the next start completes a write")


def test_an_interrupted_upgrade(about: Callable[..., Situation]) -> None:
    about().directory.proxy_folder.mkdir()
    VersionRecord("1.20.0", to="1.23.2", backup="x.sqlite3").write(about().directory)
    assert_is(said(data.check(about()), "Database"), "warning", "was interrupted")


def test_an_interrupted_restore(about: Callable[..., Situation], tmp_path: Path) -> None:
    for name in ("d.before-restore-1", "d.restored-1"):
        (tmp_path / name).mkdir()
    found = said(data.check(about(data_dir=str(tmp_path / "d"))), "Data directory")
    assert_is(found, "error", "restore of the data directory", "mv ")


def test_a_secret_key_that_cannot_be_read(about: Callable[..., Situation]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        os.chown(made, 4711, 4711)
        env = Path(made, ".env")
        env.touch()
        os.chown(env, 4711, 4711)
        env.chmod(0)
        with as_another_user():
            found = said(data.check(about(data_dir=made)), "Secret key")
    assert_is(found, "error", f"{env} cannot be read")


def test_the_holder_is_named(about: Callable[..., Situation]) -> None:
    path = about().directory.path
    assert_is(said(data.check(about()), "Holder"), "ok", "no server uses")
    lock = DirectoryLock(path, "the Jupyter server at /user/ada/")
    asyncio.run(lock.take(lambda _: None))
    assert_is(said(data.check(about()), "Holder"), "ok", "this server")
    record = path / PROXY_FOLDER / "holder.json"
    fields = json.loads(record.read_text())
    record.write_text(json.dumps(fields | {"pid": fields["pid"] + 1}))
    assert_is(said(data.check(about()), "Holder"), "ok", "the Jupyter server at /user/ada/ on the")
    record.write_text("")
    assert_is(said(data.check(about()), "Holder"), "warning", "left no record")
    lock.release()
    with (path / PROXY_FOLDER / LOCK).open("r+") as file:
        assert_is(said(data.check(about()), "Holder"), "ok", "no server uses")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_label_studio_that_was_started_by_hand(
    about: Callable[..., Situation], tmp_path: Path
) -> None:
    program = tmp_path / "label-studio"
    program.write_text("import os, signal; print(os.getpid(), flush=True); signal.pause()")
    command = [sys.executable, str(program), "start"]
    command += ["--data-dir", str(about().directory.path)]
    # in the background of a shell that exits: our own child would be one of ours
    with subprocess.Popen(["sh", "-c", '"$@" &', "sh", *command], stdout=subprocess.PIPE) as shell:
        assert shell.stdout
        pid = int(shell.stdout.readline())
        try:
            shell.wait()
            found = said(data.check_others(about()), "Other programs")
        finally:
            os.kill(pid, signal.SIGKILL)
    assert_is(found, "error", f"process {pid} of the user", f"kill {pid}")


def test_an_external_database_is_not_looked_for(about: Callable[..., Situation]) -> None:
    external = about(environment={"DJANGO_DB": "default"})
    os.truncate(external.directory.database, 100)
    assert_is(said(data.check(external), "Database"), "ok", "another one than SQLite")


# ---- sockets, servers, clocks and the environment


def test_sockets_with_paths_that_are_too_long(
    about: Callable[..., Situation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(long))
    found = said(sockets.check(about()), "Sockets")
    assert_is(found, "warning", str(long), "too long", "JUPYTER_RUNTIME_DIR")
    assert [*long.iterdir()] == []


def test_a_runtime_folder_that_others_may_write_or_nobody(
    about: Callable[..., Situation], runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.chmod(0o770)
    found = said(sockets.check(about()), "Jupyter's runtime folder")
    assert_is(found, "warning", "Other users may write", "chmod 700")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", "/dev/null/runtime")
    found = said(sockets.check(about()), "Jupyter's runtime folder")
    assert_is(found, "error", "/dev/null cannot be written")


def test_no_folder_for_sockets(
    about: Callable[..., Situation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(sockets, "places", lambda: [long])
    found = said(sockets.check(about()), "Sockets")
    assert_is(found, "error", str(long), "too long", "restart Jupyter")


def test_a_folder_for_temporary_files_that_does_not_exist(
    about: Callable[..., Situation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    assert_is(said(sockets.check(about()), "Temporary files"), "warning", "names /nonexistent")


def test_no_temporary_file_can_be_made(
    about: Callable[..., Situation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    found = said(sockets.check(about()), "Temporary files")
    assert_is(found, "error", "No such file", "TMPDIR", "restart Jupyter")


@contextlib.contextmanager
def listed_server(folder: Path, answers: dict[str, tuple[int, str]] | None) -> Iterator[None]:
    """List a Jupyter server that gives these answers by path; None: nothing listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = (answers or {}).get(self.path, (404, ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    port = server.server_port
    if answers is None:
        server.server_close()
    thread = threading.Thread(target=server.serve_forever)
    if answers is not None:
        thread.start()
    url = f"http://127.0.0.1:{port}/user/ada/"
    fields: dict[str, Any] = {
        "url": url,
        "base_url": "/user/ada/",
        "token": "x",
        "hostname": "127.0.0.1",
    }
    fields |= {"port": port, "secure": False, "sock": "", "pid": os.getpid()}
    (folder / "jpserver-1.json").write_text(json.dumps(fields))
    try:
        yield
    finally:
        if answers is not None:
            server.shutdown()
            thread.join()
            server.server_close()


API = "/user/ada/api/labelstudio"
STATE: dict[str, Any] = {"state": "stopped", "prefix": "/user/ada/labelstudio/"}


@pytest.mark.parametrize(
    ("answers", "severity", "words"),
    [
        (None, "error", "does not respond"),
        ({}, "warning", "server extension of labelstudio-proxy is not enabled"),
        ({API: (403, "")}, "warning", "requires a login"),
        ({API: (200, "no JSON")}, "error", "does not respond"),
        (
            {API: (200, json.dumps(STATE | {"versions": {"labelstudio-proxy": "0.0.1"}}))},
            "warning",
            f"runs labelstudio-proxy 0.0.1, and {__version__} is installed",
        ),
        (
            {API: (200, json.dumps(STATE | {"versions": {"labelstudio-proxy": __version__}}))},
            "warning",
            "uses the data directory /other",
        ),
    ],
)
def test_a_jupyter_server_that_does_not_answer_well(
    about: Callable[..., Situation],
    runtime: Path,
    answers: dict[str, tuple[int, str]] | None,
    severity: str,
    words: str,
) -> None:
    situation = about()
    if answers and "0.0.1" in answers.get(API, (0, ""))[1]:
        state = json.loads(answers[API][1]) | {"data_dir": str(situation.directory.path)}
        answers = {API: (200, json.dumps(state))}
    elif answers and answers.get(API, (0, ""))[1].startswith("{"):
        answers = {API: (200, json.dumps(json.loads(answers[API][1]) | {"data_dir": "/other"}))}
    with listed_server(runtime, answers):
        assert_is(said(servers.check(situation), "Jupyter server"), severity, words)


@pytest.mark.parametrize(
    ("status", "severity", "words"),
    [
        (200, "ok", "requests for /user/ada/labelstudio/ reach it"),
        (404, "error", "does not pass requests for /user/ada/labelstudio/ on"),
    ],
)
def test_a_request_through_jupyter_to_the_gateway(
    about: Callable[..., Situation], runtime: Path, status: int, severity: str, words: str
) -> None:
    situation = about()
    gateway = {"pid": os.getpid(), "parent": os.getpid(), "prefix": STATE["prefix"]}
    gateway |= {"data_dir": str(situation.directory.path), "unix_socket": ""}
    (runtime / "labelstudio-proxy-1.json").write_text(json.dumps(gateway))
    state = STATE | {"data_dir": gateway["data_dir"]}
    state["versions"] = {"labelstudio-proxy": __version__}
    through = f"{STATE['prefix']}_proxy/snapshot"
    with listed_server(runtime, {API: (200, json.dumps(state)), through: (status, "{}")}):
        assert_is(said(servers.check(situation), "Jupyter server"), severity, words)


def test_a_proxy_that_changes_the_header_host(about: Callable[..., Situation]) -> None:
    settings = about().settings
    changed = Arrival("https://hub.example", "127.0.0.1:8888", is_here=False)
    situation = Situation(settings, prefix="/labelstudio/", arrival=changed)
    found = said(servers.check(situation), "Proxy headers")
    assert_is(found, "warning", "https://hub.example", "proxy_set_header Host")
    kept = Arrival("https://hub.example", "hub.example", forwarded_proto="https")
    situation = Situation(settings, prefix="/labelstudio/", arrival=kept)
    found = said(servers.check(situation), "Proxy headers")
    assert_is(found, "ok", "X-Forwarded-Proto https")


def test_a_clock_that_is_far_behind() -> None:
    assert_is(clock.compared(0.0, time.time()), "error", "1970-01-01", "NTP")
    assert_is(clock.compared(time.time(), time.time() + 3600), "ok")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"DJANGO_DB": "x", "LABEL_STUDIO_HOST": "y"}, "DJANGO_DB, LABEL_STUDIO_HOST"),
        ({"PYTHONPATH": "/x"}, "`PYTHONPATH` is set"),
        ({"PYTHONHOME": "/x"}, "`PYTHONHOME` is set"),
        ({"http_proxy": "http://proxy:3128"}, "Add `localhost,127.0.0.1` to `no_proxy`"),
        ({"HTTP_PROXY": "x", "NO_PROXY": "localhost"}, "Add `127.0.0.1` to `no_proxy`"),
        ({"LABELSTUDIO_PROXY_DATADIR": "/x"}, "Did you mean `LABELSTUDIO_PROXY_DATA_DIR`?"),
        ({"HOME": ""}, "`HOME` is not set"),
        ({"HOME": "/nonexistent"}, "`HOME` names /nonexistent"),
    ],
)
def test_traps_in_the_environment(variables: dict[str, str], words: str) -> None:
    situation = Situation(LabelStudioProxy(), environment=dict(os.environ) | variables)
    assert_is(said(environment.check(situation), "Environment"), "warning", words)


def test_variables_that_are_no_traps() -> None:
    good = {
        "http_proxy": "http://proxy:3128",
        "no_proxy": "localhost, 127.0.0.1",
        "LABELSTUDIO_PROXY_BACKEND": "process",
        "LABELSTUDIO_PROXY_SERVICE_HOST": "10.0.0.1",  # Kubernetes sets it
    }
    situation = Situation(LabelStudioProxy(), environment=dict(os.environ) | good)
    assert_is(said(environment.check(situation), "Environment"), "ok")


# ---- all together


def test_a_check_that_hangs_or_fails_hides_no_other(
    about: Callable[..., Situation], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(situation: Situation) -> list[Finding]:
        released.wait()
        return []

    def fail(situation: Situation) -> list[Finding]:
        raise RuntimeError("oops")

    checks = (("Disk", hang), ("Other", fail), ("Clock", clock.check))
    monkeypatch.setattr(examination, "CHECKS", checks)
    monkeypatch.setattr(examination, "SECONDS", 0.1)
    found = asyncio.run(examine(about()))
    released.set()
    assert [each.severity.value for each in found] == ["error", "error", "ok"]
    assert_is(found[0], "error", "did not end within 0.1 s")
    assert_is(found[1], "error", "RuntimeError: oops")


# ---- the command


def doctor(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labelstudio_proxy", "doctor", *map(str, arguments)],
        env=os.environ | variables,
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_exit_status_is_that_of_the_worst_finding(
    about: Callable[..., Situation], tmp_path: Path
) -> None:
    folder = about().directory.path
    done = doctor("--data-dir", folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    heading, *lines = done.stdout.splitlines()
    assert heading.startswith(f"labelstudio-proxy {__version__}, checked in a terminal at ")
    assert heading.endswith(" UTC: nothing is wrong")
    assert {line.split()[0] for line in lines} == {"ok"}
    done = doctor("--data-dir", folder, PYTHONPATH="/x", TMPDIR="/nonexistent")
    assert done.returncode == 3
    assert done.stdout.splitlines()[0].endswith(" UTC: 2 warnings")
    (tmp_path / "CONFIG" / "jupyter_server_config.py").write_text("oops")
    done = doctor("--json", "--data-dir", folder)
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert result["severity"] == "error"
    found = said([Finding.parse(each) for each in result["checks"]], "Settings")
    assert_is(found, "error", "configuration files could not be read", "NameError")


def test_a_gateway_that_hangs_is_an_error_and_the_rest_is_checked(
    about: Callable[..., Situation], runtime: Path
) -> None:
    path = runtime / "g.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        fields: dict[str, Any] = {
            "pid": os.getpid(),
            "data_dir": str(about().directory.path),
            "prefix": "/x/",
        }
        fields["unix_socket"] = str(path)
        (runtime / "labelstudio-proxy-1.json").write_text(json.dumps(fields))
        done = doctor("--json")
    assert done.returncode == 1
    checks = [Finding.parse(each) for each in json.loads(done.stdout)["checks"]]
    assert_is(said(checks, "Gateway"), "error", f"process {os.getpid()}", "does not answer")
    assert said(checks, "Clock").severity is Severity.OK


def test_settings_of_the_environment_are_checked_without_configuration_files(
    about: Callable[..., Situation], tmp_path: Path
) -> None:
    (tmp_path / "CONFIG" / "jupyter_server_config.py").write_text("oops")
    folder = about().directory.path
    done = doctor(LABELSTUDIO_PROXY_DATA_DIR=str(folder), LABELSTUDIO_PROXY_BACKEND="podman")
    assert f"ok       Data directory: {folder} belongs to" in done.stdout
    assert "error    Settings: `backend` must be" in done.stdout
