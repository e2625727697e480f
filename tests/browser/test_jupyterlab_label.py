"""*Label with Label Studio…* in JupyterLab's file browser: from a right-click to a label on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from draw_food import SIZE, draw_food
from playwright.sync_api import FrameLocator, Locator, Page, expect
from support import media, pictures
from support.browser import Tab
from support.jupyter import JupyterLab, LabelStudioClient
from support.pictures import Film
from support.processes import wait_for

expect.set_options(timeout=60_000)

ENTRY = "Label with Label Studio…"
FOLDER = "100% #1 & \"hot\" 'dogs' <b>é? 🌭"
LABELS = ["Hot dog", 'No <b>"dog"</b>']


@pytest.fixture(scope="module")
def jupyter(
    any_jupyterlab: Path,
    module_jupyter_lab: Callable[..., JupyterLab],
    new_data_dir: Callable[[], Path],
) -> JupyterLab:
    config = {"data_dir": str(new_data_dir()), "new_browser_tab": False}
    return module_jupyter_lab(base_url="/user/a%40b.c/", python=any_jupyterlab, config=config)


def add_pictures(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        (folder / name).write_bytes(media.png(64, 48, (200, 20 * number, 40)))


def open_jupyterlab(jupyter: JupyterLab, new_page: Callable[..., Tab], folder: str = "") -> Page:
    """Open JupyterLab with a folder in its file browser."""
    page, _ = new_page(jupyter)
    page.goto(f"{jupyter.url}lab{f'/tree/{folder}' if folder else ''}?reset")
    expect(page.locator(".jp-Launcher")).to_be_visible()
    return page


def item(page: Page, name: str) -> Locator:
    """Return a line of the file browser."""
    return page.locator(".jp-DirListing-item").filter(has_text=name)


def right_click(page: Page, place: Locator) -> Locator:
    """Choose the entry of the context menu; return the dialog."""
    place.click(button="right")
    page.get_by_role("menuitem", name=ENTRY).click()
    return page.get_by_role("dialog")


def button(dialog: Locator, name: str) -> Locator:
    return dialog.get_by_role("button", name=name, exact=True)


def chips(dialog: Locator) -> Locator:
    return dialog.get_by_role("list", name="Labels").get_by_role("listitem")


def rows(file: Path) -> list[dict[str, object]]:
    """Return the labels on disk."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def wait_for_labels(file: Path, *labels: str) -> None:
    wait_for(
        lambda: [row["label"] for row in rows(file)] == [*labels],
        what=lambda: f"{labels} in {file}, which has {rows(file)}",
        timeout=30,
    )


def see(studio: FrameLocator | Page, label: str) -> Locator:
    """Wait until Label Studio shows an item; return the box of a label."""
    box = studio.get_by_role("checkbox", name=label).first
    expect(box).to_be_visible()
    return box


def test_a_folder_is_labelled_with_the_mouse(
    jupyter: JupyterLab, new_page: Callable[..., Tab]
) -> None:
    folder = jupyter.root_dir / FOLDER
    add_pictures(folder, "1 100%.png", "2 #2.png")
    page = open_jupyterlab(jupyter, new_page)

    dialog = right_click(page, item(page, FOLDER))
    field = dialog.get_by_label("Labels", exact=True)
    expect(field).to_be_focused()
    name = dialog.get_by_label("Name of the project")
    expect(name).to_have_value(FOLDER)
    expect(dialog.get_by_label("What to do")).to_have_value("image-classification")
    expect(dialog.get_by_text("2 pictures")).to_be_visible()
    field.press_sequentially(f"{LABELS[1]},{LABELS[0]},{LABELS[1]},")
    expect(dialog.get_by_text(f"Already in the list: {LABELS[1]}")).to_be_visible()
    button(dialog, f"Remove the label {LABELS[0]}").click()
    dialog.get_by_label("Keep the labels").check()
    page.mouse.click(5, 5)  # beside the dialog

    # Nothing of it is lost when something is wrong.
    name.fill("x")
    button(dialog, "Label").click()
    expect(dialog.get_by_role("alert")).to_contain_text("A project cannot be called 'x'.")
    page.context.set_offline(True)
    name.fill(FOLDER)
    button(dialog, "Try Again").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The connection to Jupyter is lost.")
    page.context.set_offline(False)
    button(dialog, "Try Again").click()

    studio = page.frame_locator("iframe")
    see(studio, LABELS[1]).click()
    expect(page.get_by_role("tab", name=FOLDER)).to_be_visible()
    studio.get_by_role("button", name="Submit").first.click()
    wait_for_labels(folder / "labels.jsonl", LABELS[1])

    # The folder has a project now.
    add_pictures(folder, "3.png", "4.png")
    dialog = right_click(page, item(page, FOLDER))
    expect(button(dialog, "Open")).to_be_focused()
    button(dialog, "Add 2 New Files").click()
    expect(dialog).to_have_count(0)
    dialog = right_click(page, item(page, FOLDER))
    expect(dialog.get_by_text("All files are in it.")).to_be_visible()
    expect(button(dialog, "Open")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(button(dialog, "Cancel")).to_be_focused()
    page.keyboard.press("Enter")

    (jupyter.root_dir / "empty").mkdir()
    page.get_by_role("button", name="Refresh").first.click()
    item(page, FOLDER).click()
    item(page, "empty").click(modifiers=["Control"])
    dialog = right_click(page, item(page, "empty"))
    expect(dialog).to_contain_text("Select one folder, or files only")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    item(page, "empty").click()
    dialog = right_click(page, item(page, "empty"))
    expect(dialog.get_by_role("alert")).to_contain_text("is empty")


def test_files_are_labelled_with_the_keyboard_alone(
    jupyter: JupyterLab, new_page: Callable[..., Tab]
) -> None:
    folder = jupyter.root_dir / "texts"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"Text {number}")
    page = open_jupyterlab(jupyter, new_page, "texts")
    keys = page.keyboard

    item(page, "0.txt").locator(".jp-DirListing-itemText").focus()
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    expect(item(page, "1.txt")).to_have_class(re.compile("jp-mod-selected"))
    keys.press("Shift+ArrowDown")
    expect(page.locator(".jp-DirListing-item.jp-mod-selected")).to_have_count(2)
    keys.press("Shift+F10")
    active = page.locator(".lm-Menu-item.lm-mod-active")
    for _ in range(20):
        keys.press("ArrowDown")
        if ENTRY in active.inner_text():
            break
    keys.press("Enter")

    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("2 texts")).to_be_visible()
    keys.press("Enter")
    expect(dialog.get_by_text("Type at least one label.")).to_be_visible()
    keys.type("goood,bad")
    keys.press("Enter")
    keys.press("ArrowLeft")
    keys.press("ArrowLeft")
    expect(button(dialog, "Edit the label goood")).to_be_focused()
    keys.press("Enter")
    keys.press("Backspace")
    keys.press("Backspace")
    keys.type("d")
    keys.press("Enter")
    expect(chips(dialog)).to_have_text(["good", "bad"])
    keys.press("Tab")
    expect(dialog.get_by_label("Keep the labels")).to_be_focused()
    keys.press("Space")
    keys.press("Enter")

    studio = page.frame_locator("iframe")
    box = see(studio, "good")
    expect(studio.get_by_text("Text 1")).to_be_visible()
    keys.press("1")
    expect(box).to_be_checked()
    keys.press("Control+Enter")
    wait_for_labels(folder / "labels.jsonl", "good")


def test_notebook_7_opens_the_project_in_a_tab_of_the_browser(
    jupyter: JupyterLab, new_page: Callable[..., Tab]
) -> None:
    folder = jupyter.root_dir / "sounds"
    folder.mkdir()
    (folder / "beep.wav").write_bytes(media.wav(1))
    page, _ = new_page(jupyter)
    page.goto(f"{jupyter.url}tree/sounds")
    expect(item(page, "beep.wav")).to_be_visible()

    # The space below the files means their folder.
    listing = page.locator(".jp-DirListing-content")
    listing.click(button="right", position={"x": 100, "y": 200})
    page.get_by_role("menuitem", name=ENTRY).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name of the project")).to_have_value("sounds")
    dialog.get_by_label("What to do").select_option("Write down what recordings say")
    expect(dialog.get_by_label("Labels", exact=True)).to_have_count(0)
    dialog.get_by_label("Keep the labels").check()
    with page.expect_popup() as opened:
        button(dialog, "Label").click()
    studio = opened.value
    studio.locator("textarea").first.fill("beep")
    studio.get_by_role("button", name="Submit").first.click()
    wait_for_labels(folder / "labels.jsonl", "beep")
    expect(dialog).to_have_count(0)

    page.evaluate("() => { window.opened = window.open; window.open = () => null; }")
    listing.click(button="right", position={"x": 100, "y": 200})
    page.get_by_role("menuitem", name=ENTRY).click()
    button(dialog, "Open").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The browser has blocked the new tab.")
    page.evaluate("() => { window.open = window.opened; }")
    with page.expect_popup() as opened:
        button(dialog, "Open").click()
    expect(opened.value).to_have_url(re.compile(r"/labelstudio/projects/\d+/data"))


def use_theme(jupyter: JupyterLab, page: Page, name: str) -> None:
    """Choose JupyterLab's theme, and load JupyterLab anew."""
    settings = "lab/api/settings/@jupyterlab/apputils-extension:themes"
    answer = jupyter.put(settings, json={"raw": json.dumps({"theme": name})})
    assert answer.ok, answer.text
    page.reload()
    expect(page.locator(f'body[data-jp-theme-name="{name}"]')).to_be_attached()


def test_two_clicks_and_one_line_lead_to_the_first_picture(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    new_page: Callable[..., Tab],
    data_dir: Path,
) -> None:
    jupyter = jupyter_lab(config={"data_dir": str(data_dir), "new_browser_tab": False})
    food = draw_food(jupyter.root_dir / "food", count=24)
    page = open_jupyterlab(jupyter, new_page)
    page.set_viewport_size({"width": 1100, "height": 700})
    film = Film(page)

    use_theme(jupyter, page, "JupyterLab Dark")
    dialog = right_click(page, item(page, "food"))
    expect(dialog.get_by_text("24 pictures")).to_be_visible()
    page.keyboard.type("Hot dog, Not hot dog,")
    pictures.take(page, "jupyterlab-label-dark")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("progressbar")).to_be_visible()
    for _ in range(4):  # the focus stays inside
        page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    label_studio_client(jupyter).wait_for_state("ready")
    assert jupyter.get("api/labelstudio/projects").json() == {"projects": []}

    use_theme(jupyter, page, "JupyterLab Light")
    folder = item(page, "food")
    folder.hover()
    film.shoot(1000)
    folder.click(button="right")
    entry = page.get_by_role("menuitem", name=ENTRY)
    entry.hover()
    film.shoot(1500)
    entry.click()
    expect(dialog.get_by_text("24 pictures")).to_be_visible()
    film.shoot(1000)
    for part in ("Hot", " dog", ", ", "Not", " hot", " dog"):
        page.keyboard.type(part)
        film.shoot(250)
    page.keyboard.press("Enter")
    expect(button(dialog, "Edit the label Not hot dog")).to_be_visible()
    pictures.take(page, "jupyterlab-label")
    film.shoot(800)
    page.keyboard.press("Enter")

    studio = page.frame_locator("iframe")
    is_hot_dog = food["food-001.jpg"] == "hot dog"
    box = see(studio, "Hot dog" if is_hot_dog else "Not hot dog")
    picture = studio.get_by_alt_text("image", exact=True)
    expect(picture).to_have_js_property("naturalWidth", SIZE)
    film.shoot(1500)
    page.keyboard.press("1" if is_hot_dog else "2")
    expect(box).to_be_checked()
    film.shoot(1000)
    with page.expect_response(re.compile(r"/api/dm/actions\?id=next_task")):
        page.keyboard.press("Control+Enter")
    expect(box).not_to_be_checked()
    expect(picture).to_have_js_property("naturalWidth", SIZE)
    film.shoot(2500)
    film.save("jupyterlab-label")

    icons = page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabIcon svg")
    expect(icons).to_have_count(2)
    boxes = icons.evaluate_all("all => all.map((each) => each.getBoundingClientRect().toJSON())")
    assert len({(box["y"], box["height"]) for box in boxes}) == 1, boxes
    status = page.locator(".jp-LabelStudioStatus button")
    status.click()
    progress = page.get_by_text("1 of 24 labelled")
    expect(progress).to_be_visible()
    pictures.take(page, "jupyterlab-panel")
    use_theme(jupyter, page, "JupyterLab Dark")
    status.click()
    expect(progress).to_be_visible()
    expect(studio.locator("html")).to_have_attribute("data-color-scheme", "dark")
    expect(picture).to_have_js_property("naturalWidth", SIZE)
    pictures.take(page, "jupyterlab-panel-dark")


# Shows files of another provider in JupyterLab, and asks to label one.
LABEL_IN_S3 = """
() => {
    const { commands, serviceManager: { contents } } = jupyterapp;
    contents.addDrive(new contents._defaultDrive.constructor({ name: "s3" }));
    void commands.execute("labelstudio:label-folder", { paths: ["s3:bucket/1.png"] });
}
"""


def test_files_elsewhere_and_a_label_studio_that_cannot_start_say_why(
    jupyter_lab: Callable[..., JupyterLab], new_page: Callable[..., Tab], data_dir: Path
) -> None:
    config = {"data_dir": str(data_dir), "label_studio": "/nowhere/label-studio"}
    exposed = {"LabApp": {"expose_app_in_browser": True}}
    jupyter = jupyter_lab(config=config, server_config=exposed)
    add_pictures(jupyter.root_dir / "pictures", "1.png")
    page, _ = new_page(jupyter)
    page.route("**/static/studio.*", lambda route: route.abort())
    page.goto(f"{jupyter.url}lab/tree/pictures?reset")
    expect(page.locator(".jp-Launcher")).to_be_visible()
    page.evaluate("() => void jupyterapp.commands.execute('labelstudio:open')")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Reload the page")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    page.unroute("**/static/studio.*")
    page.evaluate(LABEL_IN_S3)
    expect(dialog).to_contain_text("They are on s3")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type(ENTRY)
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text(ENTRY)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Label with Label Studio")
    expect(dialog.get_by_label("Labels", exact=True)).to_be_focused()
    page.evaluate("text => navigator.clipboard.writeText(text)", "cat\r\ndog\r\n")
    page.keyboard.press("Control+V")
    with page.expect_popup() as opened:
        page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("/nowhere/label-studio")
    wait_for(opened.value.is_closed, what="the end of the tab for the project")
    expect(chips(dialog)).to_have_text(["cat", "dog"])
    expect(button(dialog, "Try Again")).to_be_enabled()
