"""What the JupyterLab extension costs at a start of JupyterLab's page: time, memory, requests."""

from __future__ import annotations

import re
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
STATUS = ".jp-LabelStudioStatus button"
# The file that the extension loads after the start of JupyterLab
LATER = re.compile(rf"/{EXTENSION}/static/studio\.")


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
    visits = {
        name: partial(_visit, browser, server, extended=name == WITH)
        for name, server in servers.items()
    }
    for visit in visits.values():
        visit()  # the server's one-time work does not count
    runs = alternate(bench.times(20), visits)
    milliseconds, work, requests, memory = (
        {name: [each[which] for each in found] for name, found in runs.items()}
        for which in range(4)
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
    for key, title, unit, scale, found in (
        ("lab-work", "Work of the page's main thread until the launcher", "ms", 1, work),
        ("lab-memory", "Memory of the scripts in JupyterLab's page", "MB", 1e6, memory),
    ):
        lines = tuple(
            (name, number(statistics.median(each) / scale)) for name, each in found.items()
        )
        rows.append(Table(key, title, ("", unit), lines))
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


def _visit(
    browser: Browser, server: JupyterLab, *, extended: bool
) -> tuple[float, float, float, float]:
    """Open JupyterLab in a browser that has JupyterLab's scripts in its cache.

    Return the milliseconds to the launcher, those that the page's main thread worked until then, the
    number of requests of the start, and the bytes of the scripts' heap when all scripts are loaded.
    """
    with browser.new_context() as context:
        assert context.request.get(f"{server.url}login?token={server.token}").ok
        for _ in range(2):
            page = context.new_page()
            urls = _urls_of(page)
            protocol = context.new_cdp_session(page)
            protocol.send("Performance.enable")
            begin = time.perf_counter()
            page.goto(f"{server.url}lab?reset", wait_until="commit", timeout=WAIT_MS)
            page.locator(LAUNCHER).first.wait_for(timeout=WAIT_MS)
            spent = 1000 * (time.perf_counter() - begin)
            metrics = protocol.send("Performance.getMetrics")["metrics"]
            work = next(1000 * each["value"] for each in metrics if each["name"] == "TaskDuration")
            page.wait_for_load_state("networkidle", timeout=WAIT_MS)
            requests = sum(1 for url in urls if not LATER.search(url))
            if extended:
                page.locator(STATUS).wait_for(timeout=WAIT_MS)
            protocol.send("HeapProfiler.collectGarbage")
            heap = protocol.send("Runtime.getHeapUsage")["usedSize"]
            page.close()
    return spent, work, requests, heap


def _urls_of(page: Page) -> list[str]:
    """Return a list to which the page's responses are added."""
    urls: list[str] = []
    page.on("response", lambda response: urls.append(response.url))
    return urls
