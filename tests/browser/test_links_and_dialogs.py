"""Links that open new tabs from JupyterLab's frame, invitations, addresses with a token, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page, expect
from support import media
from support.browser import Tab, frame_in, wait_for_colour
from support.jupyter import JupyterLab, LabelStudioClient

STEP_MS = 60_000
CHOICES = '<Choices name="choice" toName="pdf"><Choice value="Yes"/></Choices>'
ORANGE = (220, 90, 0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "local").mkdir()
    (folder / "local" / "note.txt").write_text("a note of the notebook's")
    return folder


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path], root: Path
) -> JupyterLab:
    config = {"data_dir": str(new_data_dir()), "new_browser_tab": False}
    return module_jupyter_lab(base_url="/user/alice/", root_dir=root, config=config)


@pytest.fixture(scope="module")
def project(studio: LabelStudioClient, root: Path) -> int:
    """A project with an uploaded picture, an uploaded PDF and the notebook's files."""
    made = studio.post("api/projects", json={"title": "Cats"}).json()
    number: int = made["id"]
    for name, content in (("cat.png", media.png()), ("paper.pdf", media.pdf())):
        studio.post(f"api/projects/{number}/import", files={"file": (name, content)})
    storage = {"project": number, "path": str(root / "local"), "use_blob_urls": True}
    assert studio.post("api/storages/localfiles", json=storage).status_code == 201
    return number


@pytest.fixture
def page(new_page: Callable[..., Tab], jupyter: JupyterLab, project: int) -> Page:
    """A tab that is logged in, once the project is there."""
    return _page(new_page, jupyter)


@pytest.fixture
def whole_page(new_whole_page: Callable[..., Tab], jupyter: JupyterLab, project: int) -> Page:
    """The same in a browser that shows PDFs."""
    return _page(new_whole_page, jupyter)


def _page(new_page: Callable[..., Tab], jupyter: JupyterLab) -> Page:
    page: Page = new_page(jupyter).page
    page.set_default_timeout(STEP_MS)
    return page


def opened(frame: Frame, target: str, *, by_link: bool) -> Page:
    """Open a URL of Label Studio in a new tab, as its scripts or its links do."""
    with frame.page.expect_popup() as popup:
        if by_link:
            frame.evaluate(
                """target => {
                    const link = Object.assign(document.createElement("a"), { href: target, target: "_blank" });
                    document.body.append(link);
                    link.click();
                    link.remove();
                }""",
                target,
            )
        else:
            frame.evaluate("target => { window.open(target, '_blank'); }", target)
    page = popup.value
    page.wait_for_load_state()
    return page


def upload_of(studio: LabelStudioClient, project: int, suffix: str) -> str:
    uploads = studio.get(f"api/projects/{project}/file-uploads?all=true").json()
    (file,) = (upload["file"] for upload in uploads if upload["file"].endswith(suffix))
    return f"/data/{file.removeprefix('/data/')}"


def test_pages_and_files_open_in_new_tabs(
    page: Page, jupyter: JupyterLab, studio: LabelStudioClient, project: int
) -> None:
    page.goto(f"{jupyter.url}lab")
    page.locator(".jp-LauncherCard", has_text="Label Studio").click()
    frame = frame_in(page)
    expect(frame.get_by_text("Cats").first).to_be_visible(timeout=STEP_MS)
    shown = {upload_of(studio, project, ".png"): ""} | {
        f"/projects/{project}/data": "Label All Tasks",
        "/data/local-files/?d=local/note.txt": "a note of the notebook's",
        f"/api/projects/{project}": "Cats",
        "/static/images/opossum_looking.svg": "",
        "/health": "UP",
        "/no-such-page": "404",
    }
    for target, text in shown.items():
        for by_link in (False, True):
            popup = opened(frame, target, by_link=by_link)
            assert popup.url.startswith(jupyter.url), (target, popup.url)
            if text:
                expect(popup.locator("body")).to_contain_text(text, timeout=STEP_MS)
            popup.close()


def test_a_pdf_shows_in_the_editor_inside_jupyterlab_and_in_a_new_tab(
    whole_page: Page, jupyter: JupyterLab, studio: LabelStudioClient, project: int
) -> None:
    page = whole_page
    config = f'<View><Pdf name="pdf" value="$pdf"/>{CHOICES}</View>'
    made = studio.post("api/projects", json={"title": "Papers", "label_config": config}).json()
    file = ("paper.pdf", media.pdf(colour=ORANGE))
    studio.post(f"api/projects/{made['id']}/import", files={"file": file})
    (task,) = studio.get("api/tasks", params={"project": made["id"]}).json()["tasks"]
    page.goto(f"{jupyter.url}lab?reset")
    page.locator(".jp-LauncherCard", has_text="Label Studio").click()
    frame = frame_in(page)
    expect(frame.get_by_text("Papers").first).to_be_visible(timeout=STEP_MS)
    frame.goto(f"{jupyter.url}labelstudio/projects/{made['id']}/data?task={task['id']}")
    wait_for_colour(frame.locator("embed"), ORANGE, 0.3)
    target = upload_of(studio, project, ".pdf")
    for by_link in (False, True):
        popup = opened(frame, target, by_link=by_link)
        assert popup.url.startswith(jupyter.url), popup.url
        popup.close()


def test_the_dialog_says_why_a_target_storage_is_refused(
    page: Page, jupyter: JupyterLab, root: Path, project: int
) -> None:
    page.goto(f"{jupyter.url}labelstudio/projects/{project}/settings/storage")
    page.get_by_role("button", name="Add Target Storage").click()
    page.get_by_test_id("storage-provider-localfiles").click()
    page.get_by_role("button", name="Next").click()
    page.locator("input[name=title]").fill("Labels")
    page.locator("input[name=path]").fill(str(root / "local"))
    page.get_by_role("button", name="Test Connection").click()
    bar = page.locator("[class*=inline-error]")
    expect(bar).to_contain_text("LabelStudioProxy.files_writable", timeout=STEP_MS)


def test_the_link_of_invite_members_leads_to_a_page_about_access(
    page: Page, jupyter: JupyterLab
) -> None:
    page.goto(f"{jupyter.url}labelstudio/organization")
    page.get_by_role("button", name="Invite new member").click()
    shown = page.locator("[class*=invite] input")
    link = f"{jupyter.url}labelstudio/user/signup/"
    expect(shown).to_have_value(link, timeout=STEP_MS)
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Label Studio has no sign-up here")
    expect(page.get_by_text("share the Jupyter server")).to_be_visible()
    page.get_by_role("link", name="Open Label Studio").click()
    expect(page.get_by_text("Cats").first).to_be_visible(timeout=STEP_MS)


@pytest.mark.usefixtures("project")
def test_jupyters_token_leaves_the_address_bar(
    new_page: Callable[..., Tab], jupyter: JupyterLab
) -> None:
    page, _ = new_page()
    page.goto(f"{jupyter.url}labelstudio?page=1&token={jupyter.token}&search=a%2Fb+c#here")
    assert page.url.startswith(f"{jupyter.url}labelstudio/")
    assert jupyter.token not in page.url + page.evaluate("document.referrer")
    expect(page.get_by_text("Cats").first).to_be_visible(timeout=STEP_MS)
    assert page.evaluate("performance.getEntriesByType('navigation')[0].name").endswith("#here")
    assert page.evaluate("history.length") == 2  # about:blank, and Label Studio
    page.goto(f"{jupyter.url}labelstudio/health?a=%2F+b&token={jupyter.token}&c")
    assert page.url == f"{jupyter.url}labelstudio/health?a=%2F+b&c"
    assert jupyter.token not in jupyter.log.read_text()
