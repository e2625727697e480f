"""JupyterLab behind nginx with TLS, with the texts of docs/hosts/nginx.md: from the tile to a label."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from support import browser, media, nginx, results
from support.browser import Tab
from support.documents import change, recipe
from support.jupyter import JupyterLab, LabelStudioClient
from support.labelling import choose, submit
from support.nginx import Nginx
from support.processes import free_port

DOCUMENT = "docs/hosts/nginx.md"
HOST = "jupyter.example.org"
BASE_URL = "/jupyter/"
TIMEOUT = 60_000  # ms
LARGE_BYTES = 200 * 1000 * 1000

expect.set_options(timeout=TIMEOUT)


@dataclass
class Front:
    """Jupyter as browsers reach it through nginx; a `Server`."""

    origin: str
    token: str
    prefix: str = f"{BASE_URL}labelstudio/"


@dataclass
class Variant:
    """One of the servers that the page describes."""

    port: int  # in the browser
    changes: dict[str, str]  # of the page's recipe

    @property
    def origin(self) -> str:
        return f"https://{HOST}" + (f":{self.port}" if self.port != 443 else "")

    def server(self, port: int, jupyter: JupyterLab) -> str:
        """Return the server as nginx runs it: on a `port` that is free."""
        text = recipe(DOCUMENT, "# /etc/nginx/conf.d/jupyter.conf")
        server = text[text.index("server {") :]
        changes = self.changes | {
            "/etc/ssl/certs/jupyter.example.org.pem": "CERTIFICATE",
            "/etc/ssl/private/jupyter.example.org.key": "KEY",
            "http://127.0.0.1:8888;": f"http://127.0.0.1:{jupyter.port};",
        }
        for old, new in changes.items():
            server = change(server, old, new)
        return re.sub(r"listen \d+ ssl", f"listen 127.0.0.1:{port} ssl", server)


VARIANTS = {
    "as it is": Variant(443, {}),
    "without X-Forwarded-Proto, another port": Variant(
        8443,
        {
            "listen 443 ssl;": "listen 8443 ssl;",
            "        proxy_set_header X-Forwarded-Proto $scheme;\n": "",
        },
    ),
    "a path, HTTP/2": Variant(
        9443,
        {
            "listen 443 ssl;": "listen 9443 ssl http2;",
            "location / {\n": "location / {\n        return 404;\n    }\n"
            + recipe(DOCUMENT, "location "),
        },
    ),
}


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    """Jupyter with the settings of the page, on a port that is free."""
    text = recipe(DOCUMENT, "# /etc/jupyter/jupyter_server_config.py")
    text = change(text, "c.ServerApp.port = 8888\n", "")
    text += recipe(DOCUMENT, f'c.ServerApp.base_url = "{BASE_URL}"')
    config = {"data_dir": str(new_data_dir())}
    return module_jupyter_lab(base_url=BASE_URL, config=config, config_py=text)


@pytest.fixture(scope="module")
def servers(jupyter: JupyterLab, request: pytest.FixtureRequest) -> Iterator[dict[str, int]]:
    """One nginx with all variants: where they are for the browser, and their port."""
    if nginx.PROGRAM is None:
        pytest.skip("no nginx: apt-get install nginx")
    text = recipe(DOCUMENT, "# /etc/nginx/conf.d/jupyter.conf")
    ports = {variant.port: free_port() for variant in VARIANTS.values()}
    servers = [each.server(ports[each.port], jupyter) for each in VARIANTS.values()]
    started = Nginx([text[: text.index("server {")], *servers], HOST)
    try:
        yield {f"{HOST}:{port}": there for port, there in ports.items()}
    finally:
        results.keep_log(request, started.process.log)
        started.stop()


@pytest.fixture(scope="module")
def chromium(servers: dict[str, int]) -> Iterator[Browser]:
    """A browser that finds the servers at their addresses."""
    with sync_playwright() as playwright:
        executable = browser.find_chromium(playwright)
        if executable is None:
            pytest.skip("no Chromium: apt-get install chromium, or playwright install chromium")
        hosts = {name: f"127.0.0.1:{port}" for name, port in servers.items()}
        with browser.launch(playwright, executable, hosts) as launched:
            yield launched


@pytest.fixture
def client(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> LabelStudioClient:
    return label_studio_client(jupyter)


def click_tile(lab: Page, front: Front) -> Page:
    """Log in to JupyterLab with its token, and click the tile; return Label Studio's page."""
    lab.goto(f"{front.origin}{BASE_URL}lab?token={front.token}")
    with lab.expect_popup() as opened:
        lab.locator(".jp-LauncherCard", has_text="Label Studio").click()
    page = opened.value
    create = page.get_by_role("button", name="Create Project").first
    expect(create).to_be_visible(timeout=3 * TIMEOUT)
    assert page.url.startswith(front.origin + front.prefix)
    return page


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_text_is_labelled(
    variant: str, jupyter: JupyterLab, client: LabelStudioClient, new_page: Callable[..., Tab]
) -> None:
    front = Front(VARIANTS[variant].origin, jupyter.token)
    lab, recorder = new_page()
    page = click_tile(lab, front)
    # JupyterLab opens one at once.
    assert [text for text in recorder.console_errors if "WebSocket" in text] == []
    recorder.forget()
    submit(page, client, choose(page, front, client))
    assert [each for each in recorder.exchanges if each.is_failed] == []


def test_200_mb_are_uploaded(
    jupyter: JupyterLab, client: LabelStudioClient, new_page: Callable[..., Tab], tmp_path: Path
) -> None:
    made = client.post("api/projects", json={"title": "Large", "label_config": media.BOXES}).json()
    front = Front(VARIANTS["as it is"].origin, jupyter.token)
    page = click_tile(new_page().page, front)
    page.goto(f"{front.origin}{front.prefix}projects/{made['id']}/data/import")
    video = tmp_path / "large.mp4"
    with video.open("wb") as file:
        file.truncate(LARGE_BYTES)
    page.locator("input[type=file]").first.set_input_files(video)
    expect(page.get_by_text("large.mp4").first).to_be_visible()
    page.locator("[class*=modal-ls] button", has_text=re.compile("^Import$")).first.click()
    page.wait_for_url(re.compile(rf"/projects/{made['id']}/data\b(?!/import)"))
    tasks = client.get(f"api/tasks?project={made['id']}&fields=all").json()["tasks"]
    (stored,) = (task["data"]["image"] for task in tasks)
    there = client.get(stored, headers={"Range": "bytes=0-0"})
    assert there.headers["Content-Range"].endswith(f"/{LARGE_BYTES}")
