"""From the click to Label Studio's first page in a container, compared with a bare `docker run`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from support import images
from support.containers import on
from support.engine import DockerEngine, Engine
from support.jupyter import JupyterLab
from support.label_studio import environment
from support.processes import clean_environment, free_port

from .bench import OWNER, PASSWORD, Bench, alternate, measures
from .results import Compare, Row, Sample, Table
from .start import OURS, Click, clicked, phases_table, until_healthy

BARE = "bare `docker run` to healthy"
DATA, PORT = "/label-studio/data", 8080


def engine(bench: Bench) -> Engine:
    """Start a separate dockerd with Label Studio's image."""
    made = DockerEngine()
    bench.stack.callback(made.close)
    made.start()
    made.clear()
    bench.say("Label Studio's image is loaded, and made before if need be")
    images.load_label_studio(made.client)
    # fill the system's file cache with the image's files
    docker_run(made, bench.started_data_dir(), bench.folder())
    return made


def docker_run(engine: Engine, data_dir: Path, home: Path) -> float:
    """Return the seconds until a container on `data_dir` is healthy."""
    data_dir.mkdir(exist_ok=True)
    port = free_port()
    # without this machine's folders and its PATH
    settings = {
        name: value
        for name, value in environment(data_dir, home).items()
        if name.isupper() and not name.startswith("XDG") and name not in {"PATH", "TMPDIR"}
    }
    account = {"LABEL_STUDIO_USERNAME": OWNER, "LABEL_STUDIO_PASSWORD": PASSWORD}
    where = {"HOME": "/tmp", "LABEL_STUDIO_BASE_DATA_DIR": DATA}
    begin = time.perf_counter()
    container = engine.client.containers.run(
        images.LABEL_STUDIO,
        [
            "label-studio",
            "start",
            "--no-browser",
            "--internal-host",
            "0.0.0.0",
            "--port",
            str(PORT),
        ],
        environment=settings | account | where,
        user=f"{os.getuid()}:{os.getgid()}",
        init=True,
        ports={f"{PORT}/tcp": ("127.0.0.1", port)},
        volumes=[f"{data_dir}:{DATA}"],
        detach=True,
    )
    try:
        until_healthy(port)
        return time.perf_counter() - begin
    finally:
        container.stop(timeout=20)
        container.remove(force=True)


def ours(engine: Engine, data_dir: Path, cache: Path, clicks: list[Click]) -> float:
    """Return the seconds of a click; `cache`: the user's, which keeps byte code."""
    arguments = on(engine, data_dir)
    arguments["env"] |= {"XDG_CACHE_HOME": str(cache)}
    return clicked(lambda: JupyterLab(**arguments), clicks)


def result(
    key: str,
    what: str,
    target: float,
    clicks: list[Click],
    bare: tuple[str, list[float]] | None = None,
) -> list[Row | Table]:
    directory, seconds = bare or ("", [])
    row = Row(
        key=key,
        what=what,
        unit="s",
        compare=Compare.RATIO if bare else Compare.ALONE,
        target=target,
        ours=Sample.of([each.seconds for each in clicks]),
        against=Sample.of(seconds) if bare else None,
        against_name=f"{BARE} of the same image, {directory} directory" if bare else "",
    )
    return [row, phases_table(f"{key}-phases", f"Where the time goes: {what}", clicks)]


def unavailable(key: str, what: str, compare: Compare, target: float) -> list[Row | Table]:
    """Return the row without a result if no engine runs here."""
    reason = DockerEngine.unavailable()
    return [Row(key, what, "s", compare, target, None, notes=(reason,))] if reason else []


@measures("container-first")
def first_start(bench: Bench) -> list[Row | Table]:
    key, what, target = "container-first", "Click to answered, empty home, container", 1 / 4
    if row := unavailable(key, what, Compare.RATIO, target):
        return row
    started, clicks = engine(bench), list[Click]()
    found = alternate(
        bench.times(3),
        {
            OURS: lambda: ours(started, bench.folder() / "data", bench.folder(), clicks),
            BARE: lambda: docker_run(started, bench.folder() / "data", bench.folder()),
        },
    )
    return result(key, what, target, clicks, ("empty", found[BARE]))


@measures("container-second")
def second_start(bench: Bench) -> list[Row | Table]:
    key, what, target = "container-second", "Click to answered, second start, container", 1 / 2
    if row := unavailable(key, what, Compare.RATIO, target):
        return row
    started, clicks, cache = engine(bench), list[Click](), bench.folder()
    ours(started, bench.started_data_dir(), cache, [])
    found = alternate(
        bench.times(5),
        {
            OURS: lambda: ours(started, bench.started_data_dir(), cache, clicks),
            BARE: lambda: docker_run(started, bench.started_data_dir(), bench.folder()),
        },
    )
    return result(key, what, target, clicks, ("migrated", found[BARE]))


@measures("container-prepared")
def prepared_start(bench: Bench) -> list[Row | Table]:
    key = "container-prepared"
    what = "Click to answered, first start after `labelstudio-proxy prepare`, container"
    if row := unavailable(key, what, Compare.ALONE, 3.5):
        return row
    started, clicks, cache = engine(bench), list[Click](), bench.folder()
    environment = clean_environment(bench.folder()) | {
        "DOCKER_HOST": started.address,
        "XDG_CACHE_HOME": str(cache),
        "LABELSTUDIO_PROXY_BACKEND": "docker",
    }
    program = [sys.executable, "-m", "labelstudio_proxy", "prepare"]
    subprocess.run(program, check=True, env=environment, stdout=subprocess.DEVNULL)
    for _ in range(bench.times(5)):
        ours(started, bench.folder() / "data", cache, clicks)
    return result(key, what, 3.5, clicks)
