"""The first page of a project in a real browser: bytes, requests, and the time over a slow line."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright
from support.browser import find_chromium, launch
from support.label_studio import BareLabelStudio

from .bench import OWNER, PASSWORD, TASK_TEXT, Bench, NotPossible, alternate, measures
from .results import Compare, Row, Sample, Table, number
from .servers import Chain, Nginx, Way, way_to
from .throughput import ALONE, NGINX, TILE

PAGE = "projects/1/data"
SHOWN = f"{TASK_TEXT} 1."
WAIT_MS = 120_000
# "10 Mbit/s with 40 ms", as Chromium's developer tools would make it
SLOW_LINE = {
    "offline": False,
    "latency": 40,
    "downloadThroughput": 10e6 / 8,
    "uploadThroughput": 10e6 / 8,
}
REQUEST = re.compile(
    rb"^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /\S* HTTP/1\.1\r\n", re.MULTILINE
)


class CountingRelay:
    """A relay in place of Label Studio's unix socket, which counts requests."""

    def __init__(self, path: Path) -> None:
        self.requests = 0
        self._path, self._behind = path, path.with_suffix(".behind")
        path.rename(self._behind)
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_unix_server(self._serve, path))

    def stop(self) -> None:
        self._run(self._end())
        self._path.unlink(missing_ok=True)
        self._behind.rename(self._path)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        this = asyncio.current_task()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not this))

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_unix_connection(self._behind)
        self._writers |= {writer, behind_writer}
        await asyncio.gather(
            self._pass(reader, behind_writer, count=True), self._pass(behind_reader, writer)
        )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool = False
    ) -> None:
        try:
            while chunk := await reader.read(1 << 18):
                if count:
                    self.requests += len(REQUEST.findall(chunk))
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@dataclass
class Visit:
    """The cost of one visit."""

    seconds: float = 0.0  # until the page shows the tasks
    requests: int = 0
    bytes: Counter[str] = field(default_factory=Counter)  # over the wire, by kind

    @property
    def size(self) -> int:
        return sum(self.bytes.values())


def visit(context: BrowserContext, url: str, *, slow: bool = False) -> Visit:
    """Open the page in a new tab of a browser profile."""
    found = Visit()
    page = context.new_page()
    kinds: dict[str, str] = {}
    cached: set[str] = set()
    protocol = context.new_cdp_session(page)
    protocol.send("Network.enable")
    if slow:
        protocol.send("Network.emulateNetworkConditions", SLOW_LINE)

    def answered(event: Mapping[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]
        if event["response"].get("fromDiskCache") or event["response"]["url"].startswith(
            ("data:", "blob:")
        ):
            cached.add(event["requestId"])

    def finished(event: Mapping[str, Any]) -> None:
        request = event["requestId"]
        if request not in cached and request in kinds:
            found.requests += 1
            found.bytes[kinds[request]] += int(event["encodedDataLength"])

    protocol.on("Network.responseReceived", answered)
    protocol.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    protocol.on("Network.loadingFinished", finished)
    begin = time.perf_counter()
    page.goto(url, wait_until="commit", timeout=WAIT_MS)
    page.get_by_text(SHOWN).first.wait_for(timeout=WAIT_MS)
    found.seconds = time.perf_counter() - begin
    page.wait_for_load_state("networkidle", timeout=WAIT_MS)
    page.close()
    return found


def profile(browser: Browser, way: Way, login: str = "") -> BrowserContext:
    """Return a new profile, logged in to Jupyter at `login`, or to Label Studio without it."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    if login:
        assert context.request.get(login).ok
        return context
    url = f"{way.url}user/login/"
    context.request.get(url)
    (csrf,) = (c["value"] for c in context.cookies() if c["name"] == "csrftoken")
    form: dict[str, str | float | bool] = {
        "email": OWNER,
        "password": PASSWORD,
        "csrfmiddlewaretoken": csrf,
    }
    answer = context.request.post(url, form=form, headers={"Referer": url})
    assert answer.ok, f"{answer.status} {answer.url}"
    assert "login" not in answer.url, "Label Studio does not take the password"
    return context


def open_browser(bench: Bench) -> Browser:
    playwright: Playwright = bench.stack.enter_context(sync_playwright())
    executable = find_chromium(playwright)
    if executable is None:
        raise NotPossible("Chromium is not installed")
    return bench.stack.enter_context(launch(playwright, executable))


@dataclass
class Places:
    """The servers of the page, each with separate data."""

    chain: Chain
    ways: dict[str, Way]

    def login(self, name: str) -> str:
        jupyter = self.chain.jupyter
        return f"{jupyter.url}login?token={jupyter.token}" if name == TILE else ""


def places(bench: Bench) -> Places:
    chain = Chain(bench, bench.started_data_dir())
    bare = bench.keep(BareLabelStudio(bench.started_data_dir()))
    ways = {TILE: chain.whole, ALONE: way_to(bare)}
    try:
        ways[NGINX] = bench.keep(Nginx(bare)).way
    except NotPossible as error:
        bench.say(str(error))
    return Places(chain, ways)


def failed(key: str, what: str, unit: str, target: float, why: NotPossible) -> Row:
    return Row(key, what, unit, Compare.ALONE, target, None, notes=(str(why),))


@measures("page-size")
def size(bench: Bench) -> list[Row | Table]:
    what = "First page of a project"
    try:
        browser = open_browser(bench)
    except NotPossible as error:
        return [failed("page-size", f"{what}, bytes to the browser", "kB", 1700, error)]
    found = places(bench)
    # before the first request, because its connections stay open
    relay = bench.keep(CountingRelay(Path(found.chain.label_studio.socket)))
    with profile(browser, found.ways[TILE], found.login(TILE)) as context:
        at_once = visit(context, found.ways[TILE].url + PAGE)
    found.chain.wait_for_compression()
    upstream: list[tuple[int, int]] = []

    def both(name: str) -> tuple[Visit, Visit]:
        """Return the first visit and the second, in a new profile."""
        with profile(browser, found.ways[name], found.login(name)) as context:
            before = relay.requests
            first = visit(context, found.ways[name].url + PAGE)
            between = relay.requests
            second = visit(context, found.ways[name].url + PAGE)
            if name == TILE:
                upstream.append((between - before, relay.requests - between))
            return first, second

    visits = alternate(bench.times(3), {name: partial(both, name) for name in found.ways})

    def kilobytes(name: str, which: int) -> Sample:
        return Sample.of([pair[which].size / 1000 for pair in visits[name]])

    others = {name: kilobytes(name, 0) for name in (NGINX,) if name in visits}
    others_second = {name: kilobytes(name, 1) for name in (NGINX,) if name in visits}
    rows: list[Row | Table] = [
        Row(
            key="page-size-at-once",
            what=f"{what}, opened the moment Label Studio is ready for the first time ever",
            unit="kB",
            compare=Compare.ALONE,
            target=1700,
            ours=Sample.of([at_once.size / 1000]),
            against=kilobytes(ALONE, 0),
            against_name=ALONE,
        ),
        Row(
            key="page-size",
            what=f"{what}, bytes to the browser",
            unit="kB",
            compare=Compare.ALONE,
            target=1700,
            ours=kilobytes(TILE, 0),
            against=kilobytes(ALONE, 0),
            against_name=ALONE,
            others=others,
        ),
        Row(
            key="page-size-second",
            what=f"{what}, second visit, bytes to the browser",
            unit="kB",
            compare=Compare.ALONE,
            target=60,
            ours=kilobytes(TILE, 1),
            against=kilobytes(ALONE, 1),
            against_name=ALONE,
            others=others_second,
        ),
    ]
    lines = []
    for name, pairs in visits.items():
        for which, when in enumerate(("first visit", "second visit")):
            middle = sorted((pair[which] for pair in pairs), key=lambda v: v.size)[len(pairs) // 2]
            # without us every request reaches Label Studio; nginx's cache is not counted
            asked = str(upstream[-1][which]) if name == TILE else str(middle.requests)
            if name == NGINX:
                asked = ""
            kinds = ", ".join(
                f"{kind} {size / 1000:,.0f}"
                for kind, size in middle.bytes.most_common()
                if size > 500
            )
            lines.append(
                (name, when, str(middle.requests), asked, number(middle.size / 1000), kinds)
            )
    columns = ("", "", "requests of the browser", "of them to Label Studio", "kB", "kB by kind")
    rows.append(
        Table("page", "What the first page of a project consists of", columns, tuple(lines))
    )
    return rows


@measures("page-slow")
def slow_line(bench: Bench) -> list[Row | Table]:
    what = "First page of a project, shown over 10 Mbit/s with 40 ms"
    try:
        browser = open_browser(bench)
    except NotPossible as error:
        return [failed("page-slow", what, "s", 1 / 3, error)]
    found = places(bench)

    def once(name: str) -> float:
        with profile(browser, found.ways[name], found.login(name)) as context:
            return visit(context, found.ways[name].url + PAGE, slow=True).seconds

    found.chain.wait_for_compression()
    for name in found.ways:  # a server's one-time work does not count
        once(name)
    runs = alternate(bench.times(5), {name: partial(once, name) for name in found.ways})
    samples = {name: Sample.of(values) for name, values in runs.items()}
    row = Row(
        key="page-slow",
        what=what,
        unit="s",
        compare=Compare.RATIO,
        target=1 / 3,
        ours=samples.pop(TILE),
        against=samples.pop(ALONE),
        against_name=ALONE,
        others=samples,
    )
    return [row]
