"""A real Chromium, without a window and its programs.

It is started once for each module, not once for the session: Playwright's synchronous interface
keeps an event loop running in the main thread while it is open, and no `async def` test can run
meanwhile in that process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright
from support import browser, jupyterhub, results
from support.browser import Tab
from support.jupyter import JupyterLab


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    found = browser.find_headless_shell(playwright) or browser.find_chromium(playwright)
    with _launch(playwright, found) as launched:
        yield launched


@pytest.fixture(scope="module")
def whole_chromium(playwright: Playwright) -> Iterator[Browser]:
    """Chromium as people have it, which shows PDFs; each page takes a second more."""
    with _launch(playwright, browser.find_chromium(playwright)) as launched:
        yield launched


def _launch(playwright: Playwright, executable: str | None) -> Browser:
    if executable is None:
        pytest.skip("no Chromium: apt-get install chromium, or playwright install chromium")
    return browser.launch(playwright, executable)


@pytest.fixture
def new_page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Tab]]:
    """Open a tab, logged in to `jupyter` if given: `page, recorder = new_page(jupyter)`."""
    yield from _new_page(chromium, request)


@pytest.fixture
def new_whole_page(
    whole_chromium: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Tab]]:
    """As `new_page`, in `whole_chromium`."""
    yield from _new_page(whole_chromium, request)


def _new_page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Tab]]:
    tabs: list[Tab] = []

    def open_tab(jupyter: JupyterLab | None = None) -> Tab:
        login = f"{jupyter.url}login?token={jupyter.token}" if jupyter else None
        tabs.append(browser.new_tab(chromium, login))
        return tabs[-1]

    yield open_tab
    for number, tab in enumerate(tabs):
        if results.has_failed(request):
            results.FOLDER.mkdir(exist_ok=True)
            browser.save_screenshots(tab, results.FOLDER / f"{results.stem(request)}-{number}")
        tab.recorder.context.close()


@pytest.fixture(scope="session")
def hub_proxy() -> list[str]:
    """The command of JupyterHub's proxy."""
    found = jupyterhub.find_proxy()
    if found is None:
        pytest.skip("no proxy for JupyterHub: scripts/system-packages installs it")
    return found
