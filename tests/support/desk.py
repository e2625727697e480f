"""A user of JupyterLab: clicks the tile, reads the start page, presses Try again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import requests

from .jupyter import JupyterLab, LabelStudioClient
from .processes import wait_for

NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
}


@dataclass
class Desk:
    """A user of JupyterLab, with the settings for Label Studio."""

    jupyter: JupyterLab
    studio: LabelStudioClient
    executable: Path = Path()
    data_dir: Path = Path()

    def click(self) -> requests.Response:
        """Click the tile: a navigation with Jupyter's cookie.

        As in a browser, the page reloads while the gateway starts, which a busy machine delays.
        """
        token = {"token": self.jupyter.token}
        login = self.jupyter.get("login", anonymous=True, params=token)
        cookies = login.cookies.get_dict()
        pages: list[requests.Response] = []

        def is_complete() -> bool:
            pages.append(self.studio.get("", anonymous=True, headers=NAVIGATION, cookies=cookies))
            return pages[-1].status_code != 503 or "http-equiv" not in pages[-1].text

        wait_for(is_complete, what="the gateway", timeout=60)
        page = pages[-1]
        assert page.status_code == 200, page.text[:2000]
        assert page.headers["Content-Type"].startswith("text/html")
        return page

    def settle(self, timeout: float = 120) -> dict[str, Any]:
        """Wait for the end of a start; return the snapshot."""
        snapshot: dict[str, Any] = {}

        def settled() -> bool:
            snapshot.update(self.studio.state())
            return snapshot["state"] in {"stopped", "failed", "ready"}

        wait_for(settled, what=lambda: f"an end of the start: {snapshot}", timeout=timeout)
        return snapshot

    def try_again(self, timeout: float = 120) -> dict[str, Any]:
        """Press *Try again* on the start page, wait for the end of the start, return the snapshot."""
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": self.jupyter.origin}
        assert self.studio.post("_proxy/start", headers=headers).status_code == 202
        return self.settle(timeout)

    def assert_jupyter_is_well(self) -> None:
        assert self.jupyter.process.returncode is None
        assert self.jupyter.get("api/status").status_code == 200
        assert self.jupyter.get("api/contents").status_code == 200
        servers = self.jupyter.get("server-proxy/servers-info").json()["server_processes"]
        (tile,) = (server for server in servers if server["name"] == "labelstudio")
        assert tile["launcher_entry"]["enabled"] is True

    def fails(self, *words: str, timeout: float = 120) -> dict[str, str]:
        """Start it; return the error. The error and the page must contain all `words`."""
        return self.tells(self.try_again(timeout), *words)

    def tells(self, snapshot: dict[str, Any], *words: str) -> dict[str, str]:
        """Return the error of a snapshot. The error and the page must contain all `words`."""
        assert snapshot["state"] == "failed", snapshot
        error: dict[str, str] = snapshot["error"]
        assert error["what"]
        assert error["why"]
        assert error["remedy"]
        text = " ".join(error.values())
        for each in words:
            assert each in text, error
        shown: list[str] = []

        def shows_error() -> bool:
            shown[:] = [text_of(self.click())]
            response = self.studio.get("api/projects")
            assert response.status_code == 503
            everything = all(plain(part) in shown[0] for part in error.values())
            return everything and response.json()["error"] == error

        # Reading the page must not start Label Studio again.
        wait_for(
            shows_error, what=lambda: f"{error} on the page, which says:\n{shown[0]}", timeout=30
        )
        assert re.search("Label Studio (could not be started|stopped working)", shown[0])
        self.assert_jupyter_is_well()
        return error


def text_of(page: requests.Response) -> str:
    """Return the visible text of a page."""
    text = re.sub(r"<(script|style|template)\b.*?</\1>", "", page.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", "", text)).split())


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())
