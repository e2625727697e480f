"""Every user whom Jupyter lets in is the owner for Label Studio."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from support.jupyter import JupyterLab, LabelStudioClient

NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-User": "?1",
}
OWNER = "ada@localhost"
OTHER_CLOCK = Path(__file__).parents[1] / "support" / "other_clock"
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


@pytest.fixture(scope="module")
def data_directory(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By how many seconds the gateway's clock is ahead of Label Studio's."""
    file = tmp_path_factory.mktemp("clock") / "ahead"
    file.write_text("0")
    return file


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], data_directory: Path, clock: Path
) -> JupyterLab:
    return module_jupyter_lab(
        base_url="/user/alice/",
        config={"data_dir": str(data_directory), "owner_email": OWNER},
        env={"PYTHONPATH": str(OTHER_CLOCK), "CLOCK": str(clock)},
    )


@pytest.fixture(scope="module")
def studio(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> LabelStudioClient:
    return label_studio_client(jupyter)


@pytest.fixture
def stopped(studio: LabelStudioClient) -> LabelStudioClient:
    """A program's way to a Label Studio that is stopped."""
    if studio.state()["state"] != "stopped":
        studio.post("_proxy/stop")
        studio.wait_for_state("stopped")
    return studio


@pytest.fixture
def ready(studio: LabelStudioClient) -> LabelStudioClient:
    """A program's way to a Label Studio that runs."""
    studio.wait_ready()
    return studio


@pytest.fixture
def change(data_directory: Path) -> Iterator[Callable[[str, str], None]]:
    """Change Label Studio's database while it runs, by two statements: there, and back again."""
    with contextlib.ExitStack() as stack:

        def execute(statement: str) -> None:
            database = sqlite3.connect(data_directory / "label_studio.sqlite3", timeout=30)
            with contextlib.closing(database), database:
                assert database.execute(statement).rowcount == 1

        def change(there: str, back: str) -> None:
            execute(there)
            stack.callback(execute, back)

        yield change


def text_of(page: requests.Response) -> str:
    """What its reader reads."""
    text = re.sub(r"<(script|style)\b.*?</\1>", "", page.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", "", text)).split())


# ---- a stopped Label Studio


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path", ["", "api/projects", "projects/1/data", "_proxy/state", "_proxy/start"]
)
def test_without_credentials_jupyter_refuses_and_nothing_starts(
    stopped: LabelStudioClient, jupyter: JupyterLab, method: str, path: str
) -> None:
    for authorization in (None, "token wrong", "Bearer wrong", "Basic YTpi"):
        headers = NAVIGATION | ({"Authorization": authorization} if authorization else {})
        refused = stopped.request(method, path, anonymous=True, headers=headers)
        assert refused.status_code in {302, 403}
        if refused.status_code == 302:
            where = urlsplit(refused.headers["Location"])
            assert (where.netloc, where.path) == ("", f"{jupyter.base_url}login")
    assert stopped.state()["state"] == "stopped"


def test_first_call_of_a_program_starts_label_studio_and_says_so(
    stopped: LabelStudioClient,
) -> None:
    project = {"title": "Made by a program", "label_config": "<View></View>"}
    early = stopped.post("api/projects", json=project)
    assert early.status_code == 503
    assert early.headers["Content-Type"].startswith("application/json")
    assert early.json()["state"] in {"preparing", "starting"}
    assert int(early.headers["Retry-After"]) >= 1

    stopped.wait_for_state("ready")
    made = stopped.post("api/projects", json=project)
    assert made.status_code == 201, made.text
    found = stopped.get(f"api/projects/{made.json()['id']}").json()
    assert found["title"] == project["title"]
    assert found["created_by"]["email"] == OWNER


# ---- a running one


def test_caller_is_the_owner(ready: LabelStudioClient, jupyter: JupyterLab) -> None:
    assert ready.get("api/current-user/whoami").json()["email"] == OWNER
    by_parameter = ready.get(
        "api/current-user/whoami", anonymous=True, params={"token": jupyter.token}
    )
    assert by_parameter.json()["email"] == OWNER


@pytest.mark.parametrize("method", METHODS)
def test_without_credentials_a_running_label_studio_is_out_of_reach(
    ready: LabelStudioClient, method: str
) -> None:
    for path in ("", "api/projects", "static/js/jquery.min.js"):
        assert ready.request(method, path, anonymous=True).status_code in {302, 403}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "projects/",
        "projects/1/data",
        "user/account/",
        "organization/",
        "api/projects",
        "api/current-user/whoami",
        "api/nothing",
        "nothing",
        "version/",
        "heidi-tips",
        "user/login/",
        "logout",
    ],
)
def test_label_studio_leaves_no_cookie(ready: LabelStudioClient, path: str) -> None:
    for headers in ({}, NAVIGATION):
        answer = ready.get(path, headers=headers)
        assert answer.status_code < 500
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["user/login", "user/login/", "user/login/?next=/a/"])
def test_login_leads_home(ready: LabelStudioClient, jupyter: JupyterLab, path: str) -> None:
    answer = ready.get(path, headers=NAVIGATION)
    assert answer.status_code == 302
    assert urljoin(answer.url, answer.headers["Location"]) == jupyter.origin + jupyter.prefix
    home = ready.get(path, headers=NAVIGATION, allow_redirects=True)
    assert home.status_code == 200
    assert 'type="password"' not in home.text


@pytest.mark.parametrize("path", ["logout", "logout/"])
def test_logout_leads_to_jupyterlab(
    ready: LabelStudioClient, jupyter: JupyterLab, path: str
) -> None:
    answer = ready.get(path, headers=NAVIGATION)
    assert answer.status_code == 302
    assert urljoin(answer.url, answer.headers["Location"]) == jupyter.url
    lab = ready.get(path, headers=NAVIGATION, allow_redirects=True)
    assert lab.url == f"{jupyter.url}lab"
    assert ready.state()["state"] == "ready"


# ---- a Label Studio that rejects the owner


TOKENS_OFF = (
    "UPDATE jwt_auth_jwtsettings SET api_tokens_enabled = 0",
    "UPDATE jwt_auth_jwtsettings SET api_tokens_enabled = 1",
)
# An account that differs from the settings, as one of another user or from before.
RENAMED = (
    "UPDATE htx_user SET email = 'countess@example.org', first_name = 'Countess'",
    f"UPDATE htx_user SET email = '{OWNER}', first_name = ''",
)
DEACTIVATED = (
    "UPDATE htx_user SET is_active = 0",
    "UPDATE htx_user SET is_active = 1",
)


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (TOKENS_OFF, "Personal access tokens are switched off in its organisation"),
        (DEACTIVATED, f"The account {OWNER} is deactivated."),
    ],
    ids=["tokens switched off", "account deactivated"],
)
def test_a_page_says_why_label_studio_rejects_the_owner(
    ready: LabelStudioClient,
    change: Callable[[str, str], None],
    statements: tuple[str, str],
    says: str,
) -> None:
    there, back = statements
    assert ready.get("projects/", headers=NAVIGATION).status_code == 200

    change(there, back)
    for path in ("", "projects/", "projects/1/data", "user/account/"):
        page = ready.get(path, headers=NAVIGATION, allow_redirects=True)
        assert page.status_code == 503, (path, page.url)
        assert says in text_of(page)
        body = page.text.partition("<body>")[2]
        assert body.count("Label Studio does not let you in") == 1
        assert "reset_password" in text_of(page)
        assert 'type="password"' not in page.text
        assert "<form" not in page.text
        assert page.headers["Cache-Control"] == "no-store"
    data = ready.get("api/projects")
    assert data.status_code in {401, 403}
    assert data.headers["Content-Type"].startswith("application/json")
    assert ready.state()["state"] == "ready"

    change(back, back)
    assert ready.get("projects/", headers=NAVIGATION).status_code == 200
    assert ready.get("api/projects").status_code == 200


def test_a_start_keeps_the_account_and_a_page_says_why_it_is_rejected(
    ready: LabelStudioClient, change: Callable[[str, str], None]
) -> None:
    change(*TOKENS_OFF)
    change(*RENAMED)
    ready.post("_proxy/restart")
    ready.wait_for_state("ready")
    page = ready.get("projects/", headers=NAVIGATION)
    assert page.status_code == 503
    assert "Personal access tokens are switched off" in text_of(page)

    change(TOKENS_OFF[1], TOKENS_OFF[1])
    assert ready.get("projects/", headers=NAVIGATION).status_code == 200
    account = ready.get("api/current-user/whoami").json()
    assert (account["email"], account["first_name"]) == ("countess@example.org", "Countess")


# ---- two clocks


@pytest.fixture
def ahead(clock: Path) -> Iterator[Callable[[str], object]]:
    """Set by how many seconds the gateway's clock is ahead."""
    yield clock.write_text
    clock.write_text("0")


def answers(studio: LabelStudioClient) -> list[int]:
    """Return the statuses of a page, of the API and of a picture."""
    picture = "data/local-files/?d=missing.png"
    return [
        studio.get(path, headers=headers, allow_redirects=False).status_code
        for path, headers in (("projects/", NAVIGATION), ("api/projects", {}), (picture, {}))
    ]


def test_a_label_studio_whose_clock_is_behind_accepts_the_owner(
    ready: LabelStudioClient, ahead: Callable[[str], object]
) -> None:
    as_usual = answers(ready)
    assert as_usual == [200, 200, 404]
    ahead("3600")
    assert answers(ready) == as_usual
    assert ready.post("api/projects", json={"title": "From the future"}).status_code == 201


def test_the_next_request_after_a_jump_of_the_clock_is_accepted(
    ready: LabelStudioClient, ahead: Callable[[str], object]
) -> None:
    ahead("-3600")
    assert 200 not in answers(ready)
    ahead("0")
    assert answers(ready) == [200, 200, 404]


def test_a_request_whose_token_has_expired_on_the_way_is_repeated(
    ready: LabelStudioClient, ahead: Callable[[str], object]
) -> None:
    for path, headers in (("projects/", NAVIGATION), ("api/projects", {})):
        ahead("-3600 0")
        assert ready.get(path, headers=headers, allow_redirects=False).status_code == 200


def test_a_page_says_that_the_clocks_differ(
    ready: LabelStudioClient, ahead: Callable[[str], object]
) -> None:
    ahead("-600")
    says = "Label Studio's clock is 10 minutes ahead of Jupyter's."
    page = ready.get("projects/", headers=NAVIGATION, allow_redirects=True)
    assert page.status_code == 503
    assert says.removesuffix(".") in text_of(page)  # the heading
    assert "secret key" not in text_of(page)
    answer = ready.get("api/projects")
    assert (answer.status_code, answer.json()["detail"]) == (503, says)
    assert ready.state()["state"] == "ready"
