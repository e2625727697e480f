"""A real Chromium.

It is started once for each module, not once for the session: Playwright's synchronous interface
keeps an event loop running in the main thread while it is open, and no `async def` test can run
meanwhile in that process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from support import browser, results
from support.browser import Tab
from support.jupyter import JupyterLab


@pytest.fixture(scope="module")
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
        if results.has_failed(request):
            results.FOLDER.mkdir(exist_ok=True)
            browser.save_screenshots(tab, results.FOLDER / f"{results.stem(request)}-{number}")
        tab.recorder.context.close()
