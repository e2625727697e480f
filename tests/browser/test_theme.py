"""Label Studio and what covers its pages follow JupyterLab's theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page, expect
from support.browser import Tab, frame_in
from support.jupyter import JupyterLab, LabelStudioClient

STEP_MS = 60_000
expect.set_options(timeout=STEP_MS)


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    config = {"data_dir": str(new_data_dir()), "new_browser_tab": False}
    return module_jupyter_lab(
        base_url="/user/a%40b.c/",
        config=config,
        server_config={"LabApp": {"expose_app_in_browser": True}},
    )


def store_theme(page: Page, jupyter: JupyterLab, theme: str) -> None:
    """Store a theme as JupyterLab's extension does."""
    page.evaluate(
        "([prefix, theme]) => localStorage.setItem(`labelstudio-proxy:theme:${prefix}`, theme)",
        [jupyter.prefix, theme],
    )


def expect_scheme(page: Page | Frame, scheme: str) -> None:
    expect(page.locator("html")).to_have_attribute("data-color-scheme", scheme)
    channels = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g)")
    assert (float(channels[0]) < 128) == (scheme == "dark"), channels


def test_label_studio_follows_a_change_of_jupyterlabs_theme(
    jupyter: JupyterLab, studio: LabelStudioClient, new_page: Callable[..., Tab]
) -> None:
    page, _ = new_page(jupyter)
    page.set_default_timeout(STEP_MS)
    page.goto(f"{jupyter.url}lab")
    page.locator(".jp-LauncherCard", has_text="Label Studio").click()
    frame = frame_in(page)
    for theme, scheme in (("Dark", "dark"), ("Light", "light"), ("Dark High Contrast", "dark")):
        page.evaluate(
            "theme => void jupyterapp.commands.execute('apputils:change-theme', { theme })",
            f"JupyterLab {theme}",
        )
        expect_scheme(frame, scheme)
    studio.post("_proxy/stop")
    studio.wait_for_state("stopped")
    frame.goto(f"{jupyter.origin}{jupyter.prefix}projects")
    expect(frame.locator("#main")).to_be_visible()
    expect(frame.locator("body")).to_have_css("background-color", "rgb(17, 20, 24)")


def test_label_studio_follows_the_theme_until_the_user_chooses(
    jupyter: JupyterLab, studio: LabelStudioClient, new_page: Callable[..., Tab]
) -> None:
    studio.wait_ready()
    lab, _ = new_page(jupyter)
    lab.goto(f"{jupyter.url}api")  # a page of the origin
    page = lab.context.new_page()
    page.set_default_timeout(STEP_MS)
    page.goto(f"{jupyter.url}labelstudio/projects")
    expect_scheme(page, "light")  # Label Studio's own default
    # At once, also with a page of Label Studio open.
    store_theme(lab, jupyter, "dark")
    expect_scheme(page, "dark")
    page.reload()
    expect_scheme(page, "dark")
    store_theme(lab, jupyter, "light")
    expect_scheme(page, "light")
    store_theme(lab, jupyter, "dark")
    page.reload()

    # Label Studio's switch shows the scheme, and changes it.
    page.get_by_role("button", name="Dark").click()
    page.get_by_role("button", name="Auto").click()
    expect(page.get_by_role("button", name="Light")).to_be_visible()
    expect_scheme(page, "light")
    for theme in ("light", "dark"):
        store_theme(lab, jupyter, theme)
        page.reload()
        expect_scheme(page, "light")


def test_the_card_over_the_page_has_the_theme(
    jupyter: JupyterLab, studio: LabelStudioClient, new_page: Callable[..., Tab]
) -> None:
    studio.wait_ready()
    lab, _ = new_page(jupyter)
    lab.goto(f"{jupyter.url}api")
    store_theme(lab, jupyter, "dark")
    page = lab.context.new_page()
    page.set_default_timeout(STEP_MS)
    page.goto(f"{jupyter.url}labelstudio/projects")
    expect_scheme(page, "dark")
    assert studio.post("_proxy/stop").ok
    card = page.get_by_role("dialog")
    expect(card.get_by_text("Label Studio was stopped")).to_be_visible()
    expect(card).to_have_css("background-color", "rgb(34, 39, 46)")
    store_theme(lab, jupyter, "light")
    expect(card).to_have_css("background-color", "rgb(255, 255, 255)")
