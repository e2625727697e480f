"""Starting, stopping and ending, with a small program in Label Studio's place."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway import PROGRAM, RUN_ECHO, Gateway, add_account, head, stand_in
from support.processes import (
    again_and_again,
    clean_environment,
    cpu_seconds,
    pids_that_mention,
    wait_for,
)

from labelstudio_proxy.config.handoff import VARIABLE, Handoff
from labelstudio_proxy.config.settings import LabelStudioProxy
from labelstudio_proxy.shell_command import shell_command

IDLE_SECONDS = 5


@pytest.fixture
def gateway(data_dir: Path) -> Iterator[Callable[..., Gateway]]:
    """Make a gateway; `lines`: a shell script in place of Label Studio's server."""
    started: list[Gateway] = []
    add_account(data_dir, "ada@localhost")

    def make(*lines: str, **settings: Any) -> Gateway:
        if lines:
            settings["label_studio"] = str(stand_in(data_dir.parent, *lines))
        started.append(Gateway(data_dir, settings=settings))
        return started[-1]

    yield make
    for each in started:
        each.stop()


def snapshot(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = gateway.ask("GET", "/_proxy/state").json()
    return found


def post(gateway: Gateway, command: str) -> dict[str, Any]:
    answer = gateway.ask("POST", f"/_proxy/{command}", [PROGRAM])
    assert answer.status == 202
    found: dict[str, Any] = answer.json()
    return found


def until(gateway: Gateway, *states: str) -> dict[str, Any]:
    def reached() -> dict[str, Any] | None:
        found = snapshot(gateway)
        return found if found["state"] in states else None

    return wait_for(reached, what=lambda: f"{states}, it is {snapshot(gateway)}", pause=0.05)


def printed(told: dict[str, Any]) -> list[str]:
    """The lines of the log that a snapshot comes with."""
    return [line for _, line in told["log"]]


def label_studios(gateway: Gateway) -> list[int]:
    """The processes of its Label Studio."""
    marked = pids_that_mention(gateway.data_dir)
    return [pid for pid in marked if pid != gateway.process.pid]


def test_fifty_first_requests_cause_one_start(gateway: Callable[..., Gateway]) -> None:
    made = gateway("echo started >> $(dirname $0)/starts", RUN_ECHO)
    answers: list[int] = []

    def request() -> None:
        answers.append(made.ask("GET", "/api/projects/", [PROGRAM]).status)

    threads = [threading.Thread(target=request) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(made, "ready")
    assert len(answers) == 50
    assert set(answers) <= {503, 200}
    assert (made.data_dir.parent / "starts").read_text() == "started\n"


def test_program_receives_the_state_and_when_to_retry(
    gateway: Callable[..., Gateway],
) -> None:
    made = gateway("sleep 1", RUN_ECHO)
    answer = made.ask("GET", "/api/projects/", [PROGRAM])
    assert answer.status == 503
    assert int(answer["Retry-After"]) > 0
    told = answer.json()
    assert told["state"] in {"preparing", "starting"}
    assert told["started_at"] <= told["now"]
    ready = until(made, "ready")
    assert ready["ready_after"] >= 1
    assert {step["state"] for step in ready["steps"]} == {"done"}
    assert made.ask("GET", "/api/projects/", [PROGRAM]).status == 200


def test_stop_during_a_start_stops_and_leaves_nothing(gateway: Callable[..., Gateway]) -> None:
    # It would run for ever, and reports when it gets the signal to stop.
    made = gateway("trap 'echo told to end; exit' TERM", "echo up", "sleep 1000 & wait")
    post(made, "start")
    wait_for(lambda: "up" in printed(snapshot(made)), what="a process that is up")
    assert snapshot(made)["state"] == "starting"
    assert label_studios(made)
    post(made, "stop")
    stopped = until(made, "stopped", "failed")
    assert (stopped["state"], stopped["error"], stopped["next_start"]) == ("stopped", None, None)
    assert not label_studios(made)
    assert printed(stopped) == ["up", "told to end"]


def test_gateway_says_whether_label_studio_responds(gateway: Callable[..., Gateway]) -> None:
    made = gateway()

    def responds() -> bool | None:
        found: bool | None = made.ask("GET", "/_proxy/responds", [PROGRAM]).json()["responds"]
        return found

    assert responds() is None
    made.start()
    assert responds() is True
    (pid,) = label_studios(made)
    os.kill(pid, signal.SIGSTOP)
    assert responds() is False
    os.kill(pid, signal.SIGCONT)
    assert responds() is True


def test_last_command_wins(gateway: Callable[..., Gateway]) -> None:
    made = gateway()
    for _ in range(5):
        post(made, "start")
        post(made, "stop")
    until(made, "stopped")
    for _ in range(5):
        post(made, "stop")
        post(made, "start")
    until(made, "ready")
    assert made.ask("GET", "/x", [PROGRAM]).status == 200


def test_restart_starts_another_process(gateway: Callable[..., Gateway]) -> None:
    made = gateway()
    made.start()
    before = set(label_studios(made))
    first = snapshot(made)
    post(made, "restart")
    wait_for(
        lambda: (
            (now := snapshot(made))["state"] == "ready" and now["started_at"] != first["started_at"]
        ),
        what="the second life",
    )
    assert snapshot(made)["restarts"] == 1
    assert not before & set(label_studios(made))


def test_failed_start_is_explained_and_not_repeated_for_ever(
    gateway: Callable[..., Gateway],
) -> None:
    made = gateway(
        "echo started >> $(dirname $0)/starts",
        "echo 'django.db.utils.OperationalError: database is locked'",
        "exit 3",
    )
    post(made, "start")
    failed = until(made, "failed")
    assert "exit status 3" in failed["error"]["what"]
    assert "Another program uses" in failed["error"]["why"]
    assert [step["state"] for step in failed["steps"]].count("failed") == 1
    assert any("database is locked" in line for _, line in failed["log"])
    # A request does not start it again; Try again does.
    made.ask("GET", "/", [PROGRAM])
    assert snapshot(made)["state"] == "failed"
    assert (made.data_dir.parent / "starts").read_text() == "started\n"
    post(made, "start")
    until(made, "failed")
    assert (made.data_dir.parent / "starts").read_text() == "started\n" * 2


def test_missing_files_root_is_named(gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    made = gateway(files_root=str(folder))
    post(made, "start")
    error = until(made, "failed", "ready")["error"]
    assert error["what"] == f"The folder {folder} does not exist."
    folder.mkdir()
    post(made, "start")
    until(made, "ready")


@pytest.mark.measures
def test_pause_between_failed_starts_costs_next_to_nothing(
    gateway: Callable[..., Gateway],
) -> None:
    """An open page shows the reason and the last output."""
    made = gateway("echo last words", "exit 3")
    post(made, "start")
    # 1, 4, and then 16 seconds
    pausing = wait_for(
        lambda: (
            (now := snapshot(made))["restarts"] == 2
            and now["state"] == "failed"
            and now["next_start"]
            and "16 s" in now["log"][-1][1]  # it is written in a thread
            and now
        ),
        what=lambda: f"the third end, it is {snapshot(made)}",
    )
    with (
        made.connection() as stream,
        again_and_again(lambda: snapshot(made), pause=1),  # as where events do not come through
    ):
        stream.sendall(head("GET", "/_proxy/events", [("Accept", "text/event-stream")]))
        before = cpu_seconds(made.process.pid)
        time.sleep(IDLE_SECONDS)  # of which the processor's time is measured
        used = cpu_seconds(made.process.pid) - before
        told = dict(events_in(stream.recv(1 << 20).decode()))
    assert used < 0.02 * IDLE_SECONDS
    assert snapshot(made)["restarts"] == 2
    assert "exit status 3" in pausing["error"]["what"]
    assert "last words" in pausing["error"]["why"]
    for each in (pausing, told["state"] | {"log": told["log"]}):
        assert each["error"] == pausing["error"]
        assert each["next_start"] == pausing["next_start"]
        words, announcement = [line for _, line in each["log"]][-2:]
        assert words == "last words"
        assert "exit status 3" in announcement
        assert "Restarting it in 16 s." in announcement


def test_kill_is_explained_on_the_page(gateway: Callable[..., Gateway]) -> None:
    made = gateway()
    made.start()
    for pid in label_studios(made):
        os.kill(pid, signal.SIGKILL)
    failed = until(made, "failed")
    assert "SIGKILL" in failed["error"]["what"]
    assert "memory" in failed["error"]["why"]
    page = made.ask("GET", "/", [("Accept", "text/html")])
    assert page.status == 200
    assert b"Label Studio" in page.body
    until(made, "ready")


def test_start_that_takes_too_long_is_stopped_and_leaves_nothing(
    gateway: Callable[..., Gateway],
) -> None:
    made = gateway("exec sleep 1000", start_timeout=1.0)
    post(made, "start")
    failed = until(made, "failed")
    assert "within 1 seconds" in failed["error"]["what"]
    assert "start_timeout" in failed["error"]["remedy"]
    assert not label_studios(made)


def test_log_keeps_every_line(gateway: Callable[..., Gateway]) -> None:
    made = gateway(
        r"printf 'caf\303\251\r\nbad \377 byte\n\n'",
        "head -c 3000000 /dev/zero | tr '\\0' x",
        "echo; echo end",
        "exit 1",
    )
    post(made, "start")
    log = [line for _, line in until(made, "failed")["log"]]
    assert log[:3] == ["café", "bad \ufffd byte", ""]
    assert log[-2] == "end"
    assert log[-1].startswith("labelstudio-proxy: ")
    assert all(len(line) <= 4000 for line in log)


def events(gateway: Gateway, last: int | None = None) -> list[tuple[str, Any]]:
    sent = [("Accept", "text/event-stream")]
    if last is not None:
        sent.append(("Last-Event-ID", str(last)))
    return events_in(gateway.ask("GET", "/_proxy/events", sent).body.decode())


def events_in(text: str) -> list[tuple[str, Any]]:
    found = re.findall(r"^event: (\w+)\n(?:id: \d+\n)?data: (.*)$", text, re.MULTILINE)
    return [(name, json.loads(data)) for name, data in found]


def test_events_report_a_start_from_its_first_step_to_ready(
    gateway: Callable[..., Gateway],
) -> None:
    made = gateway("echo one", "sleep 0.3", "echo two", RUN_ECHO)
    post(made, "start")
    told = events(made)
    states = [data["state"] for name, data in told if name == "state"]
    assert states[-1] == "ready"
    assert states == sorted(states, key=["preparing", "starting", "ready"].index)
    lines = [tuple(line) for name, data in told if name == "log" for line in data]
    assert [text for _, text in lines[:2]] == ["one", "two"]
    # Who comes back is not told twice.
    again = [line for name, data in events(made, lines[0][0]) if name == "log" for line in data]
    assert again[0][1] == "two"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_gateway_exits_on_a_signal_and_leaves_nothing(
    gateway: Callable[..., Gateway], number: signal.Signals
) -> None:
    made = gateway()
    made.start()
    assert made.wait_until_listed().stat().st_mode & 0o077 == 0
    os.kill(made.process.pid, number)
    wait_for(lambda: made.process.returncode is not None, what="its end", timeout=20)
    # Not 0: jupyter-server-proxy starts only those again that end otherwise.
    assert made.process.returncode == 128 + number
    assert not label_studios(made)
    assert not list(made.home.rglob("labelstudio-proxy-*"))


@pytest.fixture
def orphans_are_ours() -> Iterator[None]:
    """A process whose parent exits becomes a child of this one, which sees its exit."""
    subreaper, libc = 36, ctypes.CDLL(None, use_errno=True)  # PR_SET_CHILD_SUBREAPER
    assert libc.prctl(subreaper, 1, 0, 0, 0) == 0
    yield
    assert libc.prctl(subreaper, 0, 0, 0, 0) == 0


@pytest.mark.usefixtures("orphans_are_ours")
def test_gateway_exits_when_jupyter_is_gone(data_dir: Path, tmp_path: Path) -> None:
    # The parent of this gateway is a shell that ends.
    socket = tmp_path / "s"
    env = {**os.environ, "HOME": str(tmp_path), "LABELSTUDIO_PROXY_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "labelstudio_proxy", "serve", "--unix-socket", str(socket)]
    lines = '"$@" >/dev/null 2>&1 & echo $!; while ! [ -S "$0" ]; do sleep 0.05; done'
    shell = subprocess.run(
        ["/bin/sh", "-c", lines, str(socket), *command],
        env=env,
        check=True,
        stdout=subprocess.PIPE,
        timeout=60,
    )
    pid = int(shell.stdout)
    statuses: list[int] = []

    def ended() -> bool:
        reaped, status = os.waitpid(pid, os.WNOHANG)
        statuses.append(status)
        return reaped == pid

    wait_for(ended, what="the gateway to end")
    assert os.waitstatus_to_exitcode(statuses[-1]) == 1
    assert not pids_that_mention(tmp_path)


def test_gateway_exits_when_jupyter_was_gone_before(data_dir: Path, tmp_path: Path) -> None:
    # As its parent sees it: who started it is another.
    handoff = Handoff(LabelStudioProxy(data_dir=str(data_dir)), parent=os.getppid())
    ended = subprocess.run(
        [sys.executable, "-m", "labelstudio_proxy", "serve", "--unix-socket", str(tmp_path / "s")],
        env=clean_environment(tmp_path / "home") | {VARIABLE: handoff.dump()},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "Jupyter is gone" in ended.stderr


def run(gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the gateway's user."""
    return subprocess.run(
        [sys.executable, "-m", "labelstudio_proxy", *arguments],
        env=clean_environment(gateway.home),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_line_talks_to_the_running_gateway(gateway: Callable[..., Gateway]) -> None:
    made = gateway("echo hello from label studio", RUN_ECHO)
    made.wait_until_listed()
    assert "stopped" in run(made, "status").stdout
    assert run(made, "start").stdout == f"Label Studio is ready at {made.prefix}\n"
    status = json.loads(run(made, "status", "--json").stdout)
    assert status["state"] == "ready"
    assert status["data_dir"] == str(made.data_dir)
    assert status["since"] == pytest.approx(time.time(), abs=60)
    assert 1e6 < status["memory"] < 1e9
    shown = run(made, "status").stdout
    assert re.search(r"since: +\d\d:\d\d:\d\d, for \d+ seconds?\n  memory: +\d+ MB\n", shown), shown
    assert "hello from label studio" in run(made, "logs").stdout
    lines = json.loads(run(made, "logs", "--json").stdout)["lines"]
    assert json.loads(run(made, "logs", "-n", "1", "--json").stdout)["lines"] == lines[-1:]
    assert run(made, "logs", "-n", "1").stdout == f"{lines[-1]}\n"
    assert run(made, "restart").stdout == f"Label Studio is ready at {made.prefix}\n"
    assert run(made, "stop").stdout == "Label Studio is stopped\n"
    assert "stopped" in run(made, "status", "--data-dir", str(made.data_dir)).stdout
    wrong = run(made, "status", "--data-dir", "/elsewhere")
    assert wrong.returncode == 1
    assert "No Label Studio is running for /elsewhere" in wrong.stderr
    link = made.home / "link"
    link.symlink_to(made.data_dir)
    assert "stopped" in run(made, "status", "--data-dir", str(link)).stdout


def test_command_line_reports_a_failed_start(gateway: Callable[..., Gateway]) -> None:
    made = gateway("echo no good", "exit 7")
    made.wait_until_listed()
    failed = run(made, "start", "--json")
    assert failed.returncode == 1
    assert "exit status 7" in json.loads(failed.stdout)["error"]["what"]
    # the supervisor may be trying again just now
    wait_for(lambda: "no good" in run(made, "status").stdout, what="the failure")


def test_docker_sdk_that_cannot_be_loaded_is_reported(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "docker.py").write_text("raise ImportError('cannot import name APIClient')")
    broken = {"PYTHONPATH": str(tmp_path)}
    made = Gateway(data_dir, settings={"backend": "docker"}, env=broken)
    try:
        post(made, "start")
        error = until(made, "failed")["error"]
        prepared = subprocess.run(
            [sys.executable, "-m", "labelstudio_proxy", "prepare"],
            env=clean_environment(made.home) | broken | {"LABELSTUDIO_PROXY_BACKEND": "docker"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        made.stop()
    assert error["what"] in " ".join(prepared.stderr.split())
    assert "Traceback" not in prepared.stderr
    assert error["what"] == "The Docker SDK for Python could not be loaded."
    assert "ImportError: cannot import name APIClient" in error["why"]
    assert "-m pip install --force-reinstall docker`, then restart Jupyter" in error["remedy"]


def test_logs_follow(gateway: Callable[..., Gateway]) -> None:
    made = gateway("echo first", RUN_ECHO)
    follower = subprocess.Popen(
        [sys.executable, "-m", "labelstudio_proxy", "logs", "-f"],
        env=clean_environment(made.home),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert follower.stdout is not None
        made.start()
        assert follower.stdout.readline() == "first\n"
        post(made, "restart")
        assert follower.stdout.readline() == "first\n"
    finally:
        follower.terminate()
        follower.communicate()


def test_without_a_gateway_the_command_line_says_what_to_do(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "labelstudio_proxy"]
    told = subprocess.run(
        [*command, "status"], env=env, capture_output=True, text=True, check=False
    )
    assert told.returncode == 1
    assert "No Jupyter server of this user is running" in told.stderr
    assert f"`{shell_command('labelstudio-proxy serve --port 9000')}`" in told.stderr
    version = subprocess.run(
        [*command, "--version"], env=env, capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("labelstudio-proxy ")
