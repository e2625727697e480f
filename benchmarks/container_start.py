"""From the click to Label Studio's first page in a container, compared with a bare `docker run`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from support import images
from support.containers import on
from support.engine import DockerEngine, Engine
from support.jupyter import JupyterLab
from support.label_studio import environment
from support.processes import free_port

from .bench import OWNER, PASSWORD, Bench, NotPossible, alternate, measures
from .results import Compare, Row, Sample, Table
from .start import OURS, Click, clicked, phases_table, until_healthy

BARE = "bare `docker run` to healthy"
DATA, PORT = "/label-studio/data", 8080


def engine(bench: Bench) -> Engine:
    """Start a separate dockerd with Label Studio's image."""
    if reason := DockerEngine.unavailable():
        raise NotPossible(reason)
    made = DockerEngine()
    bench.stack.callback(made.close)
    made.start()
    made.clear()
    bench.say("Label Studio's image is loaded, and made before if need be")
    images.load_label_studio(made.client)
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


def rows(
    bench: Bench, key: str, what: str, data_dir: Callable[[], Path], target: float, rounds: int
) -> list[Row | Table]:
    against = (
        f"{BARE} of the same image, {'empty' if key.endswith('first') else 'migrated'} directory"
    )
    try:
        started = engine(bench)
    except NotPossible as error:
        row = Row(key, what, "s", Compare.RATIO, target, None, notes=(str(error),))
        return [row]
    # fill the system's file cache with the image's files
    docker_run(started, bench.started_data_dir(), bench.folder())
    clicks: list[Click] = []

    def ours() -> float:
        return clicked(lambda: JupyterLab(**on(started, data_dir())), clicks)

    found = alternate(
        bench.times(rounds),
        {OURS: ours, BARE: lambda: docker_run(started, data_dir(), bench.folder())},
    )
    row = Row(
        key=key,
        what=what,
        unit="s",
        compare=Compare.RATIO,
        target=target,
        ours=Sample.of(found[OURS]),
        against=Sample.of(found[BARE]),
        against_name=against,
    )
    return [row, phases_table(f"{key}-phases", f"Where the time goes: {what}", clicks)]


@measures("container-first")
def first_start(bench: Bench) -> list[Row | Table]:
    def empty() -> Path:
        return bench.folder() / "data"

    return rows(
        bench, "container-first", "Click to answered, empty home, container", empty, 1 / 4, 3
    )


@measures("container-second")
def second_start(bench: Bench) -> list[Row | Table]:
    what = "Click to answered, second start, container"
    return rows(bench, "container-second", what, bench.started_data_dir, 1.1, 5)
