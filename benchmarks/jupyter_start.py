"""The cost of the package at a start of Jupyter: whole starts with and without it, and imports."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from support.processes import Process, clean_environment, free_port

from .bench import Bench, alternate, measures
from .results import Compare, Row, Sample, Table, number

POLL_SECONDS = 0.002
OURS = ("labelstudio_proxy", "__editable__.labelstudio_proxy", "__editable___labelstudio_proxy")
WITH, WITHOUT = "with the package", "without the package"

CODE = """
import json, time
begin = time.perf_counter()
import jupyter_server.serverapp, jupyter_server_proxy
middle = time.perf_counter()
{added}
print(json.dumps([middle - begin, time.perf_counter() - middle]))
"""
ADDED = {
    "the entry point, imported and called": (
        "from labelstudio_proxy.jupyter.entry_point import server_process; server_process()"
    ),
    "the server extension, imported": "import labelstudio_proxy.jupyter.extension",
}


def environment_like_this(folder: Path, leave_out: Sequence[str]) -> Path:
    """Make an environment that links to the packages of this one, except some. Return its Python."""
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    target = Path(subprocess.check_output([python, "-c", ask], text=True).strip())
    link_all(Path(sysconfig.get_path("purelib")), target, leave_out)
    for part in "etc/jupyter", "share/jupyter":
        link_all(Path(sys.prefix, part), folder / part, leave_out)
    # Jupyter enables each server extension by a separate file
    settings = "etc/jupyter/jupyter_server_config.d"
    (folder / settings).unlink()
    link_all(Path(sys.prefix, settings), folder / settings, leave_out)
    return python


def link_all(source: Path, target: Path, leave_out: Sequence[str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for each in source.iterdir():
        if not each.name.startswith(tuple(leave_out)) and not (target / each.name).exists():
            (target / each.name).symlink_to(each.resolve())


def start(python: Path, home: Path) -> float:
    """Return the milliseconds from the start of `jupyter server` to its first response."""
    port = free_port()
    env = clean_environment(home)
    command = [
        *(str(python), "-m", "jupyter_server", "--allow-root", "--no-browser"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=bench", f"--ServerApp.root_dir={home}"),
    ]
    begin = time.perf_counter()
    process = Process(command, env=env, cwd=home, log=home / "jupyter.log")
    try:
        while not answers(port):
            assert process.returncode is None, process.log_tail()
            assert time.perf_counter() - begin < 120, process.log_tail()
            time.sleep(POLL_SECONDS)
        return 1000 * (time.perf_counter() - begin)
    finally:
        process.stop()


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/api")
        return connection.getresponse().status == 200
    return False


def start_in_new_folder(bench: Bench, python: Path) -> float:
    return start(python, bench.folder())


@measures("jupyter")
def jupyter_start(bench: Bench) -> list[Row | Table]:
    folder = bench.folder()
    pythons = {
        WITH: environment_like_this(folder / "with", ()),
        WITHOUT: environment_like_this(folder / "without", OURS),
    }
    for name, python in pythons.items():
        code = "import importlib.util as u; print(u.find_spec('labelstudio_proxy') is not None)"
        found = subprocess.check_output([python, "-c", code], cwd=folder, text=True).strip()
        assert found == str(name == WITH), f"{name}: {found}"
        start(python, bench.folder())  # compiles modules that are not compiled yet
    runs = alternate(
        bench.times(20),
        {name: partial(start_in_new_folder, bench, python) for name, python in pythons.items()},
    )
    row = Row(
        key="jupyter-start",
        what="Start of Jupyter, to its first answer",
        unit="ms",
        compare=Compare.ADDED,
        target=50,
        ours=Sample.of(runs[WITH]),
        against=Sample.of(runs[WITHOUT]),
        against_name=WITHOUT,
    )
    return [row, imports(bench)]


def imports(bench: Bench) -> Table:
    lines = []
    for name, added in ADDED.items():
        command = [sys.executable, "-c", CODE.format(added=added)]
        runs = [json.loads(subprocess.check_output(command)) for _ in range(bench.times(15))]
        jupyter, ours = (1000 * statistics.median(each) for each in zip(*runs, strict=True))
        lines.append((name, number(ours), number(jupyter)))
    columns = ("", "ms (median)", "Jupyter's own imports before it, ms")
    return Table(
        "imports", "What the package's modules cost at a start of Jupyter", columns, tuple(lines)
    )
