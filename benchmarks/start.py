"""From the click on the tile to Label Studio's first page, compared with `label-studio start`."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests
from support.desk import NAVIGATION
from support.jupyter import JupyterLab
from support.label_studio import EXECUTABLE, environment
from support.processes import Process, free_port, wait_for

from labelstudio_proxy.config.settings import LabelStudioProxy

from .bench import OWNER, PASSWORD, Bench, alternate, measures
from .results import Compare, Row, Sample, Table, number

OURS, BARE = "click to answered", "bare `label-studio start` to healthy"
POLL_SECONDS = 0.005
START_SECONDS = 600.0
# for Jupyter's other work at its start
SETTLE_SECONDS = 2.0
READY = re.compile(r"Label Studio \(.*\) is ready after")


@dataclass(frozen=True)
class Click:
    """The seconds from the click to its response, and their phases."""

    seconds: float
    phases: dict[str, float]


def click(jupyter: JupyterLab) -> Click:
    """Click the tile as a browser does, follow the events of the start page, open Label Studio."""
    with requests.Session() as session:
        session.trust_env = False
        session.get(f"{jupyter.url}login", params={"token": jupyter.token})
        url = f"{jupyter.url}labelstudio/"
        begin = time.perf_counter()
        page = session.get(url, headers=NAVIGATION, timeout=60)
        came = time.perf_counter()
        phases = {"Jupyter starts the gateway; its start page": came - begin}
        if is_label_studios(page):
            return Click(came - begin, {"Label Studio's first page": came - begin})
        follow_events(session, url)
        ready = time.perf_counter()
        page = session.get(url, headers=NAVIGATION, timeout=60)
        end = time.perf_counter()
        assert is_label_studios(page), page.text[:2000]
        steps = session.get(f"{url}_proxy/state").json()["steps"]
        started = {step["title"]: step["seconds"] for step in steps if step["seconds"]}
        phases |= started
        # the supervisor's time: the lock, the template of the database, the change of state
        phases["Between the steps"] = ready - came - sum(started.values())
        phases["Label Studio's first page"] = end - ready
        return Click(end - begin, phases)


def is_label_studios(page: requests.Response) -> bool:
    return page.status_code == 200 and "APP_SETTINGS" in page.text


def follow_events(session: requests.Session, url: str) -> None:
    """Wait until the state is ready. Raises AssertionError if the start fails."""
    headers = {"Accept": "text/event-stream"}
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with session.get(f"{url}_proxy/events", stream=True, headers=headers, timeout=60) as events:
            for line in events.iter_lines(chunk_size=None):
                if line.startswith(b"data: {"):
                    snapshot = json.loads(line.removeprefix(b"data: "))
                    assert snapshot["state"] != "failed", snapshot["error"]
                    if snapshot["state"] == "ready":
                        return
    raise AssertionError(f"not ready within {START_SECONDS:g} s")


def until_healthy(port: int, process: Process | None = None) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process is None or process.returncode is None, process.log_tail()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                connection.close()
                return
        connection.close()
        time.sleep(POLL_SECONDS)
    raise AssertionError("Label Studio does not become healthy")


def bare_start(data_dir: Path) -> float:
    """Return the seconds until `label-studio start` is healthy."""
    home = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))
    port = free_port()
    account = {"LABEL_STUDIO_USERNAME": OWNER, "LABEL_STUDIO_PASSWORD": PASSWORD}
    env = environment(data_dir, home) | account
    address = ["--internal-host", "127.0.0.1", "--port", str(port)]
    begin = time.perf_counter()
    process = Process(
        [str(EXECUTABLE), "start", "--no-browser", *address],
        env=env,
        cwd=home,
        log=home / "label-studio.log",
    )
    try:
        until_healthy(port, process)
        return time.perf_counter() - begin
    finally:
        process.stop()
        shutil.rmtree(home, ignore_errors=True)


def clicked(make: Callable[[], JupyterLab], clicks: list[Click]) -> float:
    """Return the seconds of one click in a new Jupyter; append its phases to `clicks`."""
    jupyter = make()
    try:
        clicks.append(click(jupyter))
    finally:
        jupyter.stop()
    return clicks[-1].seconds


def phases_table(key: str, title: str, clicks: list[Click]) -> Table:
    whole = Sample.of([each.seconds for each in clicks]).median
    lines = []
    for name in clicks[0].phases:
        median = Sample.of([each.phases.get(name, 0) for each in clicks]).median
        lines.append((name, number(median), f"{median / whole:.0%}"))
    return Table(key, title, ("", "seconds (median)", "share"), tuple(lines))


@measures("start-first")
def first_start(bench: Bench) -> list[Row | Table]:
    clicks: list[Click] = []
    bare_start(bench.started_data_dir())  # fill the system's file cache with Label Studio's files

    def ours() -> float:
        return clicked(lambda: JupyterLab(config={"backend": "process"}), clicks)

    found = alternate(
        bench.times(3), {OURS: ours, BARE: lambda: bare_start(bench.folder() / "data")}
    )
    row = Row(
        key="start-first",
        what="Click to answered, empty home, local process",
        unit="s",
        compare=Compare.RATIO,
        target=0.10,
        ours=Sample.of(found[OURS]),
        against=Sample.of(found[BARE]),
        against_name=f"{BARE}, empty directory",
    )
    return [row, phases_table("first-start", "Where the time of a first start goes", clicks)]


@measures("start-second")
def second_start(bench: Bench) -> list[Row | Table]:
    clicks: list[Click] = []

    def ours() -> float:
        config = {"backend": "process", "data_dir": str(bench.started_data_dir())}
        return clicked(lambda: JupyterLab(config=config), clicks)

    found = alternate(
        bench.times(7), {OURS: ours, BARE: lambda: bare_start(bench.started_data_dir())}
    )
    row = Row(
        key="start-second",
        what="Click to answered, second start, local process",
        unit="s",
        compare=Compare.RATIO,
        target=0.60,
        ours=Sample.of(found[OURS]),
        against=Sample.of(found[BARE]),
        against_name=f"{BARE}, migrated directory",
    )
    return [row, phases_table("second-start", "Where the time of a second start goes", clicks)]


def ready_line(log: Path) -> re.Match[str] | None:
    return READY.search(log.read_text())


@measures("start-prewarm")
def prewarmed_start(bench: Bench) -> list[Row | Table]:
    """Label Studio started with Jupyter and is ready before the click."""
    rounds: list[float] = []
    available = LabelStudioProxy.class_traits().get("prewarm") is not None
    for _ in range(bench.times(5) if available else 0):
        config = {
            "backend": "process",
            "data_dir": str(bench.started_data_dir()),
            "prewarm": True,
        }
        jupyter = JupyterLab(config=config)
        try:
            # Read Jupyter's log: a request to the gateway would start it.
            wait_for(
                partial(ready_line, jupyter.log),
                what="Label Studio, without a click",
                timeout=120,
            )
            time.sleep(SETTLE_SECONDS)
            rounds.append(click(jupyter).seconds)
        finally:
            jupyter.stop()
    row = Row(
        key="start-prewarm",
        what="Click to answered, second start, with `prewarm`",
        unit="s",
        compare=Compare.ALONE,
        target=0.3,
        ours=Sample.of(rounds) if rounds else None,
        notes=() if available else ("This version has no setting `prewarm`.",),
    )
    return [row]
