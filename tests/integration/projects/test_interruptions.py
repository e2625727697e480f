"""Interruptions of `lsp` in a real kernel: they say what to do, and leave nothing half-made."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import CellError, Kernel
from support.processes import command_line, pids_that_mention, wait_for
from support.stopping_api import stopping_api

from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.data_directory.project_records import ProjectRecords
from labelstudio_proxy.gateway.projects import s3
from labelstudio_proxy.gateway.projects.making import Wish, make
from labelstudio_proxy.gateway.projects.sources import Source
from labelstudio_proxy.labelling.tasks import task_named
from labelstudio_proxy.problem import Problem

ITEMS = 5_000  # several requests to Label Studio
LABELLED = 1_000
# The progress after the first request.
ADDING = r"width:[1-9][0-9.]*%.*Adding"
RUN_AGAIN = "Run it again: it continues where it stopped."
CHOICE = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["a"]}}


@pytest.fixture(scope="module")
def data_dir(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def jupyter(module_jupyter_lab: Callable[..., JupyterLab], data_dir: Path) -> JupyterLab:
    return module_jupyter_lab(config={"data_dir": str(data_dir)})


@dataclass
class Desk:
    """A notebook, and what can happen to it."""

    jupyter: JupyterLab
    studio: LabelStudioClient
    kernel: Kernel

    def kill_label_studio(self) -> None:
        for pid in pids_that_mention(self.jupyter.home):
            if "labelstudio_server.py serve" in command_line(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def kill_gateway(self) -> None:
        os.kill(self.jupyter.gateway_pid, signal.SIGKILL)

    def interrupt(self) -> None:
        self.kernel.interrupt()

    def interrupted(self, event: str, cell: str, progress: str) -> str:
        """Let an event happen once the cell shows this progress; return the error of the cell."""
        happened: list[str] = []

        def look(html: str) -> None:
            if not happened and re.search(progress, html):
                happened.append(event)
                getattr(self, event)()

        with pytest.raises(CellError) as caught:
            self.kernel.run(cell, look)
        assert happened
        expected = "KeyboardInterrupt" if event == "interrupt" else "Problem"
        assert caught.value.name == expected, str(caught.value)
        return caught.value.value


@pytest.fixture(scope="module")
def desk(jupyter: JupyterLab, studio: LabelStudioClient) -> Iterator[Desk]:
    with Kernel(jupyter) as kernel:
        kernel.run(
            "import labelstudio_proxy as lsp\n"
            "from labelstudio_proxy.client import progress\n"
            "progress.PATIENCE_SECONDS = progress.UPDATE_SECONDS = 0"
        )
        yield Desk(jupyter, studio, kernel)


def label(title: str) -> str:
    texts = f'[f"{title} {{n}}" for n in range({ITEMS})]'
    return f'project = lsp.label({texts}, labels=["a", "b"], title="{title}")'


@pytest.mark.parametrize("event", ["kill_label_studio", "kill_gateway"])
def test_a_project_is_made_whole_or_completed_by_the_next_call(desk: Desk, event: str) -> None:
    said = desk.interrupted(event, label(event), ADDING)

    assert said.endswith(RUN_AGAIN)
    desk.kernel.run(label(event))
    assert desk.kernel.json(
        f'[each.total for each in lsp.projects() if each.title == "{event}"]'
    ) == [ITEMS]
    assert desk.kernel.json('project.to_dataframe(unlabelled=True)["text"].nunique()') == ITEMS


def test_an_interrupted_call_removes_the_new_project(desk: Desk) -> None:
    desk.interrupted("interrupt", label("Removed"), ADDING)
    titles = 'print([each.title for each in lsp.projects() if each.title == "Removed"])'
    wait_for(lambda: desk.kernel.run(titles) == "[]\n", what="the removal")


@pytest.mark.parametrize("begun", ["a project", "a look into S3"])
def test_what_a_gateway_has_begun_that_was_killed_is_removed_by_the_next_call(
    desk: Desk, data_dir: Path, tmp_path: Path, begun: str
) -> None:
    """A gateway that was killed after its first request can neither record nor remove."""
    (tmp_path / "file").touch()
    unwritable = ProjectRecords(DataDirectory(tmp_path / "file"))
    source = Source({"kind": "list"}, "List", task_named("text-classification"), "text", [])

    async def begin() -> None:
        async with stopping_api(desk.jupyter.home, data_dir, left=1) as api:
            if begun == "a project":
                wish = Wish(title="Killed", labels=["a"])
                await make(api, unwritable, source, wish, None, [], lambda *_: None)
            else:
                await s3.check(api, s3.Location("bucket"), allowed=True)

    def projects() -> list[dict[str, str]]:
        found: list[dict[str, str]] = desk.studio.get("api/projects/").json()["results"]
        return found

    def titles() -> list[str]:
        return [each["title"] for each in projects()]

    before = titles()
    with pytest.raises((OSError, Problem)):
        asyncio.run(begin())
    assert len(titles()) == len(before) + 1

    desk.kernel.run(f'lsp.label(["{begun}"], labels=["a"], title="Killed")')
    desk.kernel.run(f'lsp.label(["{begun}", "more"], labels=["a"], title="Killed")')

    assert set(titles()) == {*before, "Killed"}
    assert [each["description"] for each in projects() if each["title"] == "Killed"] == [""]


def test_two_calls_at_once_make_one_project(desk: Desk) -> None:
    calls = f"""if True:
        from concurrent.futures import ThreadPoolExecutor
        texts = [f"Twice {{n}}" for n in range({ITEMS})]
        call = lambda _: lsp.label(texts, labels=["a"], title="Twice")
        with ThreadPoolExecutor() as threads:
            made = list(threads.map(call, range(2)))
    """
    desk.kernel.run(calls)
    assert desk.kernel.json("[each.total for each in made]") == [ITEMS, ITEMS]
    assert desk.kernel.json("len({each.id for each in made})") == 1


@pytest.mark.parametrize("event", ["kill_label_studio", "kill_gateway"])
def test_predictions_are_there_whole_or_not_at_all(desk: Desk, event: str) -> None:
    desk.kernel.run(label("Predictions"))
    number = desk.kernel.json("project.id")

    def predicted() -> int:
        desk.studio.wait_ready()
        path = f"api/projects/{number}/model-versions/"
        found = desk.studio.get(path, params={"extended": "true"})
        if not found.ok:  # Label Studio's database is locked
            return -1
        versions = found.json()["static"]
        return sum(each["count"] for each in versions if each["model_version"] == event)

    cell = (
        f'project.add_predictions({{f"Predictions {{n}}": "a" for n in range({ITEMS})}}, "{event}")'
    )
    said = desk.interrupted(event, cell, ADDING)

    assert said.endswith(RUN_AGAIN)
    if event != "kill_gateway":  # which nobody survives who could remove them
        wait_for(lambda: predicted() == 0, what="the removal")
    assert desk.kernel.json(cell) == ITEMS
    assert predicted() == ITEMS


def test_labels_that_did_not_all_arrive_are_no_frame(desk: Desk) -> None:
    texts = (
        'project = lsp.label([str(n) * 1_000 for n in range(1_000)], labels=["a"], title="Frame")'
    )
    desk.kernel.run(texts)
    rows = "f'projects/{project.id}/rows?unlabelled=1'"
    desk.kernel.run(f"messages = project._connection.messages('GET', {rows}); next(messages)")
    desk.kill_gateway()
    with pytest.raises(CellError, match="gateway stopped before this was done"):
        desk.kernel.run("list(messages)")
    assert desk.kernel.json("len(project.to_dataframe(unlabelled=True))") == 1_000


@pytest.mark.parametrize("event", ["kill_label_studio", "interrupt"])
def test_an_export_is_a_whole_folder_or_none(desk: Desk, event: str) -> None:
    desk.kernel.run('project = lsp.label(["first"], labels=["a"], title="Export")')
    number = desk.kernel.json("project.id")
    tasks = [
        {"data": {"text": str(n)}, "annotations": [{"result": [CHOICE]}]} for n in range(LABELLED)
    ]
    desk.studio.wait_ready()
    assert desk.studio.post(f"api/projects/{number}/import", json=tasks).ok
    before = set(desk.jupyter.root_dir.iterdir())
    cell = f'project.export("JSON", "export-{event}")'

    said = desk.interrupted(event, cell, "Label Studio writes the format")

    assert said.endswith(RUN_AGAIN) or event == "interrupt"
    folder = desk.jupyter.root_dir / f"export-{event}"
    wait_for(lambda: set(desk.jupyter.root_dir.iterdir()) == before, what="the removal")
    desk.kernel.run(cell)
    assert set(desk.jupyter.root_dir.iterdir()) == {*before, folder}
    assert [file.name for file in folder.iterdir()] == ["result.json"]
