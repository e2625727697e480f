"""Many simultaneous requests to one SQLite file."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.jupyter import JupyterLab, LabelStudioClient

CONFIG = '<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="A"/></Choices></View>'
RESULT = [{"from_name": "c", "to_name": "t", "type": "choices", "value": {"choices": ["A"]}}]
TABS = 8
TIMES = 12


def test_tabs_that_write_at_once_wait_for_each_other(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
) -> None:
    jupyter = jupyter_lab(config={"data_dir": str(data_dir)})
    client = label_studio_client(jupyter)
    client.wait_ready()

    def tab(number: int) -> list[int]:
        """Work in a tab without a pause; return the status of every response."""
        mine = LabelStudioClient(jupyter)
        project = mine.post(
            "api/projects/", json={"title": f"Tab {number}", "label_config": CONFIG}
        )
        found = [project.status_code]
        where = f"api/projects/{project.json().get('id')}"
        for _ in range(TIMES):
            tasks = [{"text": "x" * 1000}] * 20
            found.append(mine.post(f"{where}/import", json=tasks).status_code)
            listed = mine.get(f"api/tasks?project={project.json().get('id')}&page_size=1")
            found.append(listed.status_code)
            task = listed.json()["tasks"][0]["id"]
            annotation = {"result": RESULT}
            found.append(mine.post(f"api/tasks/{task}/annotations/", json=annotation).status_code)
            found.append(mine.patch(where, json={"title": f"Tab {number}"}).status_code)
        mine.close()
        return found

    with ThreadPoolExecutor(TABS) as pool:
        statuses = [status for found in pool.map(tab, range(TABS)) for status in found]
    assert len(statuses) == TABS * (1 + 4 * TIMES)
    assert {status for status in statuses if status >= 400} == set()
