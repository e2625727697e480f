"""Scripts in files, names and labelled HTML: no script of them runs in Jupyter's origin."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browser import Tab
from support.jupyter import JupyterLab, LabelStudioClient

# Leaves a trace in the origin's storage, which an opaque origin does not have, and sends Jupyter a request.
PROGRAM = "localStorage.setItem('pwned', '1'); fetch('/api/contents?pwned'); window.pwned = 1"
HTML = (
    f'<!doctype html><html><body>hostile<img src=x onerror="{PROGRAM}"><script>{PROGRAM}</script>'
)
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20" onload="PROGRAM">'
    "<script>PROGRAM</script></svg>"
).replace("PROGRAM", PROGRAM)
FILES = {"evil.html": HTML, "evil.svg": SVG, "evil.xml": SVG, "evil.htm": HTML}


def program(name: str) -> str:
    """Return a script that records that it ran; it needs no escaping in HTML."""
    return f"localStorage.setItem('ran: {name}', 1); top.pwned = 1"


def framed(html: str) -> str:
    """Return HTML in the kind of frame that Label Studio allows, which looks like a video by its `src`."""
    return f'<iframe src="https://www.youtube.com/x" srcdoc="{escape(f"<p>framed</p>{html}")}"></iframe>'


FRAMED = (
    f"<script>{program('script in a frame')}</script>",
    f'<img src="x" onerror="{program("handler in a frame")}">',
    f'<svg onload="{program("handler of SVG in a frame")}"></svg>',
    f'<iframe src="javascript:{program("address of a frame in a frame")}"></iframe>',
    f'<script src="data:text/javascript,{program("script by data:")}"></script>',
    '<script src="/labelstudio/data/local-files/?d=local/evil.js"></script>',
    framed(f"<script>{program('script in a frame in a frame')}</script>"),
)
LABELLED = "".join(
    (
        "<p>hostile</p>",
        f"<script>{program('script')}</script>",
        f'<img src="x" onerror="{program("handler")}">',
        f'<svg onload="{program("handler of SVG")}"></svg>',
        f"<svg><script>{program('script of SVG')}</script></svg>",
        f'<embed src="javascript:{program("embed")}">',
        f'<object data="javascript:{program("object")}"></object>',
        *map(framed, FRAMED),
    )
)
CLICKED = {
    "link": f'<a href="javascript:{program("link")}">link</a>',
    "link of SVG": f'<svg><a xlink:href="javascript:{program("link of SVG")}"><text y="9">link of SVG</text></a></svg>',
    "form": f'<form action="javascript:{program("form")}"><button>form</button></form>',
    "link to a page": '<a href="/data/local-files/?d=local/page.html">link to a page</a>',
}
FILES_OF_LABELLED = {
    "evil.js": program("script by address"),
    "page.html": f"<!doctype html><head><script>{program('page')}</script></head><p>a page",
    "labelled.html": LABELLED,
}
NAMES = [
    f"<script>{PROGRAM}</script>",
    f'"><img src=x onerror="{PROGRAM}">',
    "</title></script><svg onload=window.pwned=1>",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "local").mkdir()
    for name, content in (FILES | FILES_OF_LABELLED).items():
        (folder / "local" / name).write_text(content)
    return folder


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path], root: Path
) -> JupyterLab:
    return module_jupyter_lab(root_dir=root, config={"data_dir": str(new_data_dir())})


@pytest.fixture(scope="module")
def project(studio: LabelStudioClient, root: Path) -> int:
    config = '<View><Text name="t" value="$text"/></View>'
    made = [
        studio.post(
            "api/projects/",
            json={"title": name[:50], "description": name, "label_config": config},
        )
        for name in NAMES
    ]
    assert all(each.status_code == 201 for each in made), [each.text for each in made]
    number: int = made[0].json()["id"]
    storage = {"project": number, "path": str(root / "local"), "use_blob_urls": True}
    assert studio.post("api/storages/localfiles", json=storage).status_code == 201
    return number


@pytest.fixture(scope="module")
def addresses(studio: LabelStudioClient, project: int) -> dict[str, str]:
    """Return paths of a file of each kind, below the prefix, under names for the test."""
    found = {
        "local HTML": "data/local-files/?d=local/evil.html",
        "local SVG": "data/local-files/?d=local/evil.svg",
        "local XML elsewhere": "any/data/local-files/x?d=local/evil.xml",
    }
    for name in ("evil.htm", "evil.svg"):
        sent = {"file": (name, FILES[name].encode())}
        studio.post(f"api/projects/{project}/import?commit_to_project=false", files=sent)
    for upload in studio.get(f"api/projects/{project}/file-uploads?all=true").json():
        path = upload["file"]
        found[f"uploaded {path.rpartition('.')[2]}"] = f"data/{path.removeprefix('/data/')}"
    assert any("uploaded" in name for name in found), found
    return found


def assert_nothing_ran(tab: Tab, page: Page) -> None:
    page.wait_for_load_state("networkidle")

    assert not [each for each in tab.recorder.exchanges if "pwned" in each.url]
    assert not any(frame.evaluate("window.pwned") for frame in page.frames)


def test_files_run_nothing_however_they_are_opened(
    jupyter: JupyterLab, new_page: Callable[..., Tab], addresses: dict[str, str]
) -> None:
    for name, address in addresses.items():
        tab = new_page(jupyter)
        answer = tab.page.goto(f"{jupyter.url}labelstudio/{address}")
        assert answer is not None
        assert answer.status == 200, name
        assert_nothing_ran(tab, tab.page)
        # embedded by a page of Jupyter's origin
        tab.page.goto(f"{jupyter.url}custom/custom.css")
        tab.page.evaluate(
            "address => { for (const [tag, name] of [['iframe', 'src'], ['object', 'data'],"
            " ['embed', 'src'], ['img', 'src']]) {"
            " const element = document.createElement(tag); element[name] = address;"
            " document.body.append(element) } }",
            f"/labelstudio/{address}",
        )
        assert_nothing_ran(tab, tab.page)
        assert tab.page.evaluate("localStorage.getItem('pwned')") is None, name
        tab.page.close()


def test_names_run_nothing_on_any_page(
    jupyter: JupyterLab, new_page: Callable[..., Tab], project: int
) -> None:
    tab = new_page(jupyter)
    page = tab.page
    for path in ("projects/", f"projects/{project}/data", f"projects/{project}/settings"):
        page.goto(f"{jupyter.url}labelstudio/{path}")
        expect(page.locator("body")).to_contain_text(re.compile("<script>|Settings"))
        assert_nothing_ran(tab, page)
    assert page.evaluate("localStorage.getItem('pwned')") is None


def test_names_of_uploaded_files_run_nothing(
    jupyter: JupyterLab, new_page: Callable[..., Tab], project: int
) -> None:
    tab = new_page(jupyter)
    tab.page.goto(f"{jupyter.url}labelstudio/projects/{project}/data/import")
    chooser = tab.page.locator("input[type=file]").first
    chooser.wait_for(state="attached")
    for name in ('<img src=x onerror="window.pwned=1">.csv', "<svg onload=window.pwned=1>.evil"):
        chooser.set_input_files({"name": name, "mimeType": "text/csv", "buffer": b"text\nx\n"})
        expect(tab.page.locator("body")).to_contain_text(re.compile("(onerror|onload).*pwned"))
        assert_nothing_ran(tab, tab.page)


def test_label_studios_own_scripts_run(
    jupyter: JupyterLab, new_page: Callable[..., Tab], project: int
) -> None:
    tab = new_page(jupyter)
    page = tab.page
    # a link of its router
    page.goto(f"{jupyter.url}labelstudio/projects/{project}/data")
    link = page.get_by_role("link", name="Settings", exact=True)
    link.wait_for()
    link.click()
    page.wait_for_url("**/settings")
    expect(page.get_by_role("link", name="Labeling Interface").first).to_be_visible()
    # an event handler in an attribute
    page.goto(f"{jupyter.url}labelstudio/no-such-page")
    page.get_by_role("button", name="Go to Home").click()
    page.wait_for_url("**/labelstudio/**")
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    # Django's admin
    page.goto(f"{jupyter.url}labelstudio/admin/")
    page.locator("#nav-sidebar, #site-name").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert not [each for each in tab.recorder.console_errors if "Content Security" in each]


@pytest.mark.parametrize("asked", ["", 'valueType="url"', 'inline="true"'])
def test_labelled_html_runs_nothing(
    jupyter: JupyterLab,
    new_page: Callable[..., Tab],
    studio: LabelStudioClient,
    root: Path,
    asked: str,
) -> None:
    tags = f'<HyperText name="t" value="$html" clickableLinks="true" {asked}/>'
    tags += '<Choices name="c" toName="t"><Choice value="Yes"/></Choices>'
    made = studio.post(
        "api/projects/", json={"title": "HTML", "label_config": f"<View>{tags}</View>"}
    )
    project = made.json()["id"]
    storage = {"project": project, "path": str(root / "local"), "use_blob_urls": True}
    assert studio.post("api/storages/localfiles", json=storage).status_code == 201
    by_url = "/data/local-files/?d=local/labelled.html"
    html = by_url if "url" in asked else LABELLED + "".join(CLICKED.values())
    answer = studio.post(
        f"api/projects/{project}/import?return_task_ids=true", json=[{"data": {"html": html}}]
    )
    task = answer.json()["task_ids"][0]
    page = new_page(jupyter).page
    for name in ["", *([] if "url" in asked else CLICKED)]:
        page.goto(f"{jupyter.url}labelstudio/projects/{project}/data?task={task}")
        if "inline" in asked:
            shown = page.locator(".lsf-richtext__container")
        else:
            shown = page.frame_locator("iframe.lsf-richtext__iframe").locator("body")
        expect(shown.get_by_text("hostile", exact=True)).to_be_visible(timeout=30_000)
        frames = shown.locator("iframe")
        for number in range(len(FRAMED)):
            framed_text = frames.nth(number).content_frame.get_by_text("framed", exact=True)
            expect(framed_text).to_have_count(1)
        if name:
            shown.get_by_text(name, exact=True).click()
        page.wait_for_load_state("networkidle")
    ran = page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('ran: '))")
    assert ran == []


def test_a_hostile_name_in_an_error_is_text_on_the_start_page(
    jupyter_lab: Callable[..., JupyterLab], new_page: Callable[..., Tab], tmp_path: Path
) -> None:
    name = "<img src=x onerror='window.pwned=1; fetch(\"pwned\")'>"
    jupyter = jupyter_lab(config={"data_dir": str(tmp_path), "label_studio": f"/nowhere/{name}"})
    tab = new_page(jupyter)
    tab.page.goto(f"{jupyter.url}labelstudio/")
    expect(tab.page.locator("body")).to_contain_text(name)
    assert_nothing_ran(tab, tab.page)
