"""Fixtures of the real things: Label Studio, JupyterLab, Chromium. Everything is on 127.0.0.1.

`LABELSTUDIO_PROXY_TEST_STRICT=1` makes a skipped test a failure of the run. Screenshots and logs
of tests that failed are left in `test-results/`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from support import browser, images, label_studio
from support.browser import Tab
from support.engine import DockerEngine, Engine, PodmanService
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import BareLabelStudio
from support.registry import PROGRAM, Registry

RESULTS = Path(__file__).parent.parent / "test-results"

# A shell's background job ignores Ctrl-C, and so would every program that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

failed = pytest.StashKey[bool]()


# ---- the run


class Strict:
    """Where everything is meant to be installed, a test that is skipped has not passed."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def _note(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self.skipped.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped:
            terminalreporter.section("skipped, which LABELSTUDIO_PROXY_TEST_STRICT forbids")
            for line in self.skipped:
                terminalreporter.line(line, red=True)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("LABELSTUDIO_PROXY_TEST_STRICT", "") not in {"", "0"}:
        config.pluginmanager.register(Strict())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in a browser go last.

    Playwright's synchronous interface keeps an event loop running in the main thread from its
    start to its end, and an `async def` test in between could not run its own.
    """
    items.sort(key=lambda item: "chromium" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for node in item.listchain():
            node.stash[failed] = True
    return report


def has_failed(request: pytest.FixtureRequest) -> bool:
    """Whether a test in the fixture's scope has failed."""
    node: pytest.Item | pytest.Collector = request.node
    return node.stash.get(failed, False)


def result_stem(request: pytest.FixtureRequest) -> str:
    """The test's name as part of a file's, its end where it is too long for one."""
    return re.sub(r"[^\w.-]+", "-", request.node.nodeid)[-150:].strip("-")


# ---- Label Studio


@pytest.fixture(scope="session")
def migrated_data_dir() -> Path:
    """A data directory with every migration and no account. Not to be changed: copy it."""
    if not label_studio.EXECUTABLE.exists():
        pytest.skip("Label Studio is not installed: pip install '.[local]'")
    return label_studio.migrated_data_dir()


@pytest.fixture(scope="session")
def new_data_dir(
    migrated_data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path]:
    """Make a data directory that starts in seconds: a copy of `migrated_data_dir`."""

    def new() -> Path:
        copy = tmp_path_factory.mktemp("label-studio") / "data"
        return Path(shutil.copytree(migrated_data_dir, copy))

    return new


@pytest.fixture
def data_dir(new_data_dir: Callable[[], Path]) -> Path:
    """A data directory of the test's own, migrated, without an account."""
    return new_data_dir()


def _bare_label_studio(request: pytest.FixtureRequest) -> Iterator[Callable[..., BareLabelStudio]]:
    with contextlib.ExitStack() as stack:

        def start(*args: object, **options: object) -> BareLabelStudio:
            server = BareLabelStudio(*args, **options)  # type: ignore[arg-type]
            stack.callback(server.stop)
            stack.callback(keep_log, request, server.process.log)
            return server

        yield start


def _jupyter_lab(request: pytest.FixtureRequest) -> Iterator[Callable[..., JupyterLab]]:
    with contextlib.ExitStack() as stack:

        def start(**options: object) -> JupyterLab:
            server = JupyterLab(**options)  # type: ignore[arg-type]
            stack.callback(server.stop)
            stack.callback(keep_log, request, server.process.log)
            stack.callback(keep_label_studios_log, request, server.home)
            return server

        yield start


def keep_label_studios_log(request: pytest.FixtureRequest, home: Path) -> None:
    for log in home.rglob("label-studio-*.log"):
        keep_log(request, log)


def keep_log(request: pytest.FixtureRequest, log: Path) -> None:
    if has_failed(request) and log.exists():
        RESULTS.mkdir(exist_ok=True)
        shutil.copy(log, RESULTS / f"{result_stem(request)}-{log.name}")


# Call them with the arguments of `BareLabelStudio` and `JupyterLab`. What they have started is
# stopped after the test, or after the module's last test.
bare_label_studio = pytest.fixture(_bare_label_studio, name="bare_label_studio")
module_bare_label_studio = pytest.fixture(
    _bare_label_studio, scope="module", name="module_bare_label_studio"
)
jupyter_lab = pytest.fixture(_jupyter_lab, name="jupyter_lab")
module_jupyter_lab = pytest.fixture(_jupyter_lab, scope="module", name="module_jupyter_lab")


@pytest.fixture(scope="session")
def label_studio_client() -> Iterator[Callable[[JupyterLab], LabelStudioClient]]:
    """A program's way to Label Studio: `label_studio_client(jupyter).wait_ready()`."""
    with contextlib.ExitStack() as stack:

        def connect(jupyter: JupyterLab) -> LabelStudioClient:
            client = LabelStudioClient(jupyter)
            stack.callback(client.close)
            return client

        yield connect


@pytest.fixture(scope="module")
def studio(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> LabelStudioClient:
    """A program's way to a Label Studio that is ready, in the `jupyter` that the module has made."""
    client = label_studio_client(jupyter)
    client.wait_ready()
    return client


# ---- container engines


def _engine(kind: type[Engine]) -> Iterator[Engine]:
    if reason := kind.unavailable():
        pytest.skip(reason)
    started = kind()
    try:
        started.start()
        started.clear()
        images.remove_others(started.client)
        images.load_label_studio(started.client)
        yield started
    finally:
        started.close()


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """A dockerd of the tests' own, with Label Studio's image."""
    yield from _engine(DockerEngine)


@pytest.fixture(scope="session")
def podman_engine() -> Iterator[Engine]:
    """Podman's service, with Label Studio's image."""
    yield from _engine(PodmanService)


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"there is no {PROGRAM}: scripts/system-packages")
    started = Registry()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def jupyter_image(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """JupyterLab with this checkout, in the dockerd."""
    wheel = images.make_wheel(tmp_path_factory.mktemp("wheel"))
    return images.make_jupyter(docker_engine.client, wheel)


# ---- Chromium


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        executable = browser.find_chromium(playwright)
        if executable is None:
            pytest.skip("no Chromium: apt-get install chromium, or playwright install chromium")
        with browser.launch(playwright, executable) as launched:
            yield launched


@pytest.fixture
def new_page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Tab]]:
    """Open a tab, logged in to `jupyter` if given: `page, recorder = new_page(jupyter)`."""
    tabs: list[Tab] = []

    def open_tab(jupyter: JupyterLab | None = None) -> Tab:
        login = f"{jupyter.url}login?token={jupyter.token}" if jupyter else None
        tabs.append(browser.new_tab(chromium, login))
        return tabs[-1]

    yield open_tab
    for number, tab in enumerate(tabs):
        if has_failed(request):
            browser.save_screenshots(tab, RESULTS / f"{result_stem(request)}-{number}")
        tab.recorder.context.close()
