"""What the JupyterLab extension costs at a start of JupyterLab's page: time, memory, requests."""

from __future__ import annotations

import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_path
from playwright.sync_api import Browser, Page
from support.jupyter import JupyterLab

from .bench import Bench, NotPossible, alternate, measures
from .jupyter_start import WITH, WITHOUT
from .page import WAIT_MS, failed, open_browser
from .results import Compare, Row, Sample, Table, number

EXTENSION = "labelstudio-proxy"
LAUNCHER = ".jp-LauncherCard"


@measures("lab-start")
def lab_start(bench: Bench) -> list[Row | Table]:
    what = "Start of JupyterLab's page, to its launcher"
    try:
        browser = open_browser(bench)
    except NotPossible as error:
        return [failed("lab-start", what, "ms", 30, error)]
    servers = {
        name: bench.keep(JupyterLab(server_config=_only(_folder(bench, leave_out))))
        for name, leave_out in ((WITH, ""), (WITHOUT, EXTENSION))
    }
    for server in servers.values():
        _visit(browser, server)  # the server's one-time work does not count
    runs = alternate(
        bench.times(20),
        {name: partial(_visit, browser, server) for name, server in servers.items()},
    )
    milliseconds, requests, memory = (
        {name: [visit[which] for visit in visits] for name, visits in runs.items()}
        for which in range(3)
    )
    rows: list[Row | Table] = [
        Row(
            key=f"lab-start{key}",
            what=what if not key else f"{what}: requests",
            unit=unit,
            compare=Compare.ADDED,
            target=target,
            ours=Sample.of(found[WITH]),
            against=Sample.of(found[WITHOUT]),
            against_name=WITHOUT,
        )
        for key, unit, target, found in (
            ("", "ms", 30, milliseconds),
            ("-requests", "requests", 1, requests),
        )
    ]
    lines = tuple((name, number(statistics.median(found) / 1e6)) for name, found in memory.items())
    rows.append(
        Table("lab-memory", "Memory of the scripts in JupyterLab's page", ("", "MB"), lines)
    )
    return rows


def _folder(bench: Bench, leave_out: str) -> Path:
    """Return a folder with this environment's JupyterLab extensions, except one."""
    folder = bench.folder()
    for root in map(Path, jupyter_path("labextensions")):
        for each in root.glob("*"):
            if each.name != leave_out and not (folder / each.name).exists():
                (folder / each.name).symlink_to(each.resolve())
    return folder


def _only(folder: Path) -> dict[str, dict[str, Any]]:
    return {"LabApp": {"labextensions_path": [str(folder)]}}


def _visit(browser: Browser, server: JupyterLab) -> tuple[float, float, float]:
    """Open JupyterLab in a browser that has JupyterLab's scripts in its cache.

    Return the milliseconds to the launcher, the number of requests, and the bytes of the scripts' heap.
    """
    with browser.new_context() as context:
        assert context.request.get(f"{server.url}login?token={server.token}").ok
        for _ in range(2):
            page = context.new_page()
            urls = _urls_of(page)
            begin = time.perf_counter()
            page.goto(f"{server.url}lab?reset", wait_until="commit", timeout=WAIT_MS)
            page.locator(LAUNCHER).first.wait_for(timeout=WAIT_MS)
            spent = 1000 * (time.perf_counter() - begin)
            page.wait_for_load_state("networkidle", timeout=WAIT_MS)
            protocol = context.new_cdp_session(page)
            protocol.send("HeapProfiler.collectGarbage")
            heap = protocol.send("Runtime.getHeapUsage")["usedSize"]
            page.close()
    return spent, len(urls), heap


def _urls_of(page: Page) -> list[str]:
    """Return a list to which the page's responses are added."""
    urls: list[str] = []
    page.on("response", lambda response: urls.append(response.url))
    return urls
