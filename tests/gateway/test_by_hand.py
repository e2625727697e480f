"""`labelstudio-proxy serve --port`: without Jupyter in front, the gateway asks for a token itself."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http.cookiejar import Cookie, CookieJar
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from support.processes import Process, clean_environment

from labelstudio_proxy.jupyter.entry_point import ENVIRONMENT


@pytest.fixture
def process(data_dir: Path, tmp_path: Path) -> Iterator[Process]:
    process = Process(
        [sys.executable, "-m", "labelstudio_proxy", "serve", "--port", "0", "--base-url", "x"],
        env=clean_environment(tmp_path / "home") | {"LABELSTUDIO_PROXY_DATA_DIR": str(data_dir)},
        cwd=tmp_path,
        log=tmp_path / "log",
    )
    try:
        process.wait_until(lambda: "token=" in process.log.read_text(), what="it", timeout=30)
        yield process
    finally:
        process.stop()


@pytest.fixture
def address(process: Process) -> str:
    """The address that it prints."""
    found = re.search(r"http://\S+", process.log.read_text())
    assert found
    return found[0]


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def cookies_of(browser: requests.Session) -> list[Cookie]:
    """The cookies; iterating over a RequestsCookieJar is typed as if it were over names."""
    jar: CookieJar = browser.cookies
    return list(jar)


def test_the_printed_address_gives_access(address: str, browser: requests.Session) -> None:
    page, token = address.split("?token=")
    assert urlsplit(page).path == "/x/"
    assert browser.get(page).status_code == 403
    assert browser.get(f"{page}?token=wrong").status_code == 403
    assert browser.post(f"{page}_proxy/start").status_code == 403
    answer = browser.get(address, headers={"Accept": "text/html"})
    # The token has left the address, and a cookie that no script can read is in its place.
    assert answer.status_code == 200
    assert answer.url == page
    assert "Label Studio" in answer.text
    (cookie,) = cookies_of(browser)
    assert cookie.path == "/x/"
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Strict"
    assert token in str(cookie.value)
    assert browser.get(f"{page}_proxy/state").json()["state"] == "stopped"


def test_it_runs_as_behind_jupyter(process: Process) -> None:
    """UTF-8 in any locale, bounded memory, and no event loop that a slow disk blocks."""
    assert ENVIRONMENT.items() <= psutil.Process(process.pid).environ().items()


def test_a_program_gets_access_with_the_token(address: str, browser: requests.Session) -> None:
    page, token = address.split("?token=")
    answer = browser.get(f"{page}_proxy/state", headers={"Authorization": f"token {token}"})
    assert answer.json()["state"] == "stopped"
    refused = browser.get(f"{page}api/projects", headers={"Authorization": "Bearer eyJh.eyJi.c"})
    assert refused.status_code == 403
    assert "Send the token in the address" in refused.json()["message"]


def test_bytes_that_are_no_text_are_no_token(address: str, browser: requests.Session) -> None:
    page, _ = address.split("?token=")
    for header in ("Authorization", "Cookie"):
        value = (
            f"labelstudio-proxy-{urlsplit(page).port}=\xff" if header == "Cookie" else "token \xff"
        )
        assert browser.get(page, headers={header: value.encode("latin-1")}).status_code == 403


def test_only_the_prefix_is_served(address: str, browser: requests.Session) -> None:
    page, _, token = address.partition("?token=")
    root = page.removesuffix("x/")
    assert browser.get(f"{root}y/?token={token}").status_code == 404
    assert browser.get(f"{root}x?token={token}", allow_redirects=False).status_code == 302


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labelstudio_proxy", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("base_url", ["/projects/", "/api/v1/", "/a b/", "/x?y/", "/<x>/"])
def test_a_prefix_that_cannot_work_is_refused(base_url: str) -> None:
    refused = run("serve", "--port", "0", "--base-url", base_url)
    assert refused.returncode == 2
    assert base_url.strip("/") in refused.stderr


def test_a_port_in_use_is_reported(address: str) -> None:
    port = urlsplit(address).port
    refused = run("serve", "--port", str(port))
    assert refused.returncode == 1
    assert f"Cannot listen on port {port}: Address already in use." in refused.stderr
    assert "Traceback" not in refused.stderr
    in_json = json.loads(run("serve", "--port", str(port), "--json").stdout)["error"]
    assert f"Cannot listen on port {port}" in in_json["what"]


@pytest.mark.parametrize("port", ["65536", "-1", "x", "", "80.5", "٣"])
def test_what_is_no_port_is_refused_in_words(port: str) -> None:
    refused = run("serve", "--port", port)
    assert refused.returncode == 2
    assert f"{port!r} is no port. A port is a number from 0 to 65535." in refused.stderr


def test_the_address_is_printed_as_json_if_asked_for(data_dir: Path, tmp_path: Path) -> None:
    env = clean_environment(tmp_path / "home") | {"LABELSTUDIO_PROXY_DATA_DIR": str(data_dir)}
    with subprocess.Popen(
        [sys.executable, "-m", "labelstudio_proxy", "serve", "--port", "0", "--json"],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            lines = itertools.takewhile(lambda line: line != "}\n", process.stdout)
            assert "?token=" in json.loads("".join(lines) + "}")["address"]
        finally:
            process.terminate()
