"""A task with a text and a choice, open in the browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from .jupyter import LabelStudioClient, Server
from .processes import wait_for

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="choice" toName="text">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)


def new_task(studio: LabelStudioClient) -> int:
    project = studio.post("api/projects", json={"title": "Texts", "label_config": CONFIG}).json()
    address = f"api/projects/{project['id']}/import"
    assert studio.post(address, json=[{"text": "miaow"}]).status_code == 201
    tasks = studio.get("api/tasks", params={"project": project["id"]}).json()["tasks"]
    number: int = tasks[0]["id"]
    return number


def open_task(page: Page, server: Server, studio: LabelStudioClient, task: int) -> Page:
    project = studio.get(f"api/tasks/{task}").json()["project"]
    page.goto(f"{server.origin}{server.prefix}projects/{project}/data?task={task}")
    expect(page.get_by_text("miaow").last).to_be_visible(timeout=30_000)
    return page


def choices(studio: LabelStudioClient, task: int) -> list[str]:
    """What the annotations of the task chose."""
    annotations = studio.get(f"api/tasks/{task}").json()["annotations"]
    return [choice for each in annotations for choice in each["result"][0]["value"]["choices"]]


def choose(page: Page, server: Server, studio: LabelStudioClient) -> int:
    """Open a new task and choose an answer, without saving it; return the task."""
    task = new_task(studio)
    open_task(page, server, studio, task)
    page.get_by_text(re.compile("^cat")).last.click()
    return task


def submit(page: Page, studio: LabelStudioClient, task: int) -> None:
    page.get_by_role("button", name="Submit").click()
    wait_for(lambda: choices(studio, task) == ["cat"], what="the annotation", timeout=30)
