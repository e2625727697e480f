"""A task with a text and a choice, open in the browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from .jupyter import LabelStudioClient, Server

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
