"""What a user of a JupyterHub does and sees in a browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from .jupyterhub import PASSWORD

START_MS = 120_000
# For an open page of Label Studio: it asks for the state in half a second, not in half a minute.
HURRY = """() => {
    window[Symbol.for("labelstudio-proxy.watch")].beat = 500;
    dispatchEvent(new Event("focus"));
}"""


def log_in(page: Page, user: str) -> None:
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def click_tile(lab: Page) -> Page:
    """Click the tile in JupyterLab's launcher; return the tab that it opens."""
    tile = lab.locator(".jp-LauncherCard", has_text="Label Studio")
    with lab.expect_popup(timeout=START_MS) as opened:
        tile.click(timeout=START_MS)
    return opened.value


def expect_label_studio(page: Page) -> None:
    create = page.get_by_role("button", name="Create Project").first
    expect(create).to_be_visible(timeout=START_MS)


def expect_owner(page: Page, name: str) -> None:
    """The picture of the account, with two letters of the name, is named for the owner."""
    picture = page.get_by_test_id("userpic").locator("img").first
    expect(picture).to_have_attribute("alt", name.upper(), timeout=START_MS)


def expect_card(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", name=title)).to_be_visible(timeout=START_MS)


def start_again(page: Page) -> None:
    """Start Label Studio on a page that was open while the user's server stopped and started."""
    # The hub renews the login without asking, since the user is still logged in there.
    expect_card(page, "Label Studio is not running")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("dialog")).not_to_be_visible(timeout=START_MS)
