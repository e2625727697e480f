"""The labels of a project in a file of the notebook: after each change, and after what interrupts it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.container_studio import json_of
from support.jupyter import JupyterLab, LabelStudioClient
from support.kept import LABELS, Kept, result
from support.processes import wait_for
from support.small_disk import fill, small_disk


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    config = {"data_dir": str(new_data_dir()), "keep_labels": "labels.jsonl"}
    return module_jupyter_lab(config=config, umask=0o022)


@pytest.fixture
def hotdogs(
    jupyter: JupyterLab, studio: LabelStudioClient, request: pytest.FixtureRequest
) -> Iterator[Kept]:
    kept = Kept(studio, jupyter.root_dir / request.node.name[:40])
    yield kept
    studio.delete(f"api/projects/{kept.id}/")


def test_the_file_follows_each_change_of_an_annotation(
    hotdogs: Kept, studio: LabelStudioClient
) -> None:
    assert hotdogs.file == hotdogs.folder / "labels.jsonl"  # as the setting says
    wait_for(hotdogs.file.exists, what="a file without labels")
    assert hotdogs.file.read_bytes() == b""
    assert hotdogs.file.stat().st_mode & 0o777 == 0o644

    second = hotdogs.submit("b.png", LABELS[1])
    hotdogs.becomes(("b.png", LABELS[1]))
    assert LABELS[1].encode() in hotdogs.file.read_bytes()  # people read it, too
    (row,) = hotdogs.rows()
    assert hotdogs.as_in_a_dataframe() == [row]
    stored = studio.get(f"api/annotations/{second}/").json()
    assert row == {
        "file": "b.png",
        "label": LABELS[1],
        "annotator": studio.get("api/current-user/whoami").json()["email"],
        "created_at": stored["created_at"],
        "updated_at": stored["updated_at"],
        "lead_time": 1.5,
        "task_id": hotdogs.tasks["b.png"],
        "annotation_id": second,
    }
    line = hotdogs.file.read_bytes()

    hotdogs.file.chmod(0o664)
    first = hotdogs.submit("a.png", LABELS[0])
    hotdogs.becomes(("a.png", LABELS[0]), ("b.png", LABELS[1]))
    assert hotdogs.file.read_bytes().endswith(line)
    assert hotdogs.file.stat().st_mode & 0o777 == 0o664

    assert studio.patch(f"api/annotations/{first}/", json={"result": result(LABELS[1])}).ok
    hotdogs.becomes(("a.png", LABELS[1]), ("b.png", LABELS[1]))
    assert studio.patch(f"api/annotations/{first}/", json={"was_cancelled": True}).ok
    hotdogs.becomes(("b.png", LABELS[1]))
    assert studio.patch(f"api/annotations/{first}/", json={"was_cancelled": False}).ok
    hotdogs.becomes(("a.png", LABELS[1]), ("b.png", LABELS[1]))
    assert studio.delete(f"api/annotations/{first}/").status_code == 204
    hotdogs.becomes(("b.png", LABELS[1]))

    hotdogs.submit("c.png", LABELS[0])
    hotdogs.becomes(("b.png", LABELS[1]), ("c.png", LABELS[0]))
    hotdogs.file.unlink()
    answer = studio.post(
        "api/dm/actions",
        params={"id": "delete_tasks_annotations", "project": hotdogs.id},
        json={"selectedItems": {"all": False, "included": [hotdogs.tasks["b.png"]]}},
    )
    assert answer.ok, answer.text
    hotdogs.becomes(("c.png", LABELS[0]))
    answer = studio.post(
        "api/dm/actions",
        params={"id": "delete_tasks", "project": hotdogs.id},
        json={"selectedItems": {"all": True, "excluded": []}},
    )
    assert answer.ok, answer.text
    hotdogs.becomes()


def test_other_text_in_the_file_gives_way_to_the_labels(hotdogs: Kept) -> None:
    hotdogs.submit("a.png", LABELS[0])
    hotdogs.becomes(("a.png", LABELS[0]))
    hotdogs.file.write_text(hotdogs.file.read_text().replace("Hot", "Cold"))
    hotdogs.submit("b.png", LABELS[0])
    hotdogs.becomes(("a.png", LABELS[0]), ("b.png", LABELS[0]))


def test_another_interface_gives_other_columns(hotdogs: Kept, studio: LabelStudioClient) -> None:
    hotdogs.submit("a.png", LABELS[0])
    hotdogs.becomes(("a.png", LABELS[0]))
    config = studio.get(f"api/projects/{hotdogs.id}/").json()["label_config"]
    more = config.replace("</View>", '<TextArea name="note" toName="image"/></View>')
    assert studio.patch(f"api/projects/{hotdogs.id}/", json={"label_config": more}).ok
    wait_for(lambda: hotdogs.rows()[0].get("note", 0) is None, what="the column of the notes")


def test_a_stop_an_exit_and_a_kill_lose_nothing(
    hotdogs: Kept, jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    hotdogs.submit("a.png", LABELS[0])
    studio.post("_proxy/stop")
    hotdogs.becomes(("a.png", LABELS[0]))
    studio.wait_for_state("stopped")
    studio.wait_ready()

    hotdogs.submit("b.png", LABELS[0])
    end(jupyter, signal.SIGTERM)
    assert hotdogs.labels() == [("a.png", LABELS[0]), ("b.png", LABELS[0])]
    studio.wait_ready()

    hotdogs.submit("c.png", LABELS[0])
    end(jupyter, signal.SIGKILL)
    unfinished = hotdogs.folder / ".new-labels.jsonl-0123abcd"
    unfinished.write_text("{")
    studio.wait_ready()
    hotdogs.becomes(("a.png", LABELS[0]), ("b.png", LABELS[0]), ("c.png", LABELS[0]))
    assert not unfinished.exists()


def end(jupyter: JupyterLab, number: signal.Signals) -> None:
    pid = jupyter.gateway_pid
    os.kill(pid, number)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), what="the end of the gateway", timeout=60)


def test_a_database_with_unknown_tables_is_read_by_the_api(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
) -> None:
    folder = Path(__file__).parents[2] / "support" / "unknown_tables"
    jupyter = jupyter_lab(config={"data_dir": str(data_dir)}, env={"PYTHONPATH": str(folder)})
    studio = label_studio_client(jupyter)
    studio.wait_ready()
    kept = Kept(studio, jupyter.root_dir / "hotdogs", keep="labels.jsonl")
    kept.submit("b.png", LABELS[0])
    kept.submit("a.png", LABELS[1])
    kept.becomes(("a.png", LABELS[1]), ("b.png", LABELS[0]))
    assert kept.rows() == kept.as_in_a_dataframe()
    card = json_of(studio.get(f"_proxy/projects/{kept.id}?summary=1"))["project"]
    assert card["label_counts"] == dict.fromkeys(LABELS, 1)
    studio.post("_proxy/restart")
    studio.wait_ready()
    kept.submit("c.png", LABELS[0])
    kept.becomes(("a.png", LABELS[1]), ("b.png", LABELS[0]), ("c.png", LABELS[0]))


def test_a_full_disk_is_said_and_made_up_for(
    jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    with small_disk(jupyter.root_dir / "disk", megabytes=1) as disk:
        kept = Kept(studio, disk)
        kept.submit("a.png", LABELS[0])
        kept.becomes(("a.png", LABELS[0]))
        ballast = fill(disk)
        kept.submit("b.png", LABELS[0])
        wait_for(lambda: kept.problem, what="what keeps the labels out of the file")
        assert kept.problem == (
            f"The latest labels of 'disk' are not in {kept.file} yet. The disk is full. Free some "
            "space. Label Studio has them, and they are written as soon as that works."
        )
        assert studio.state()["notices"] == [kept.problem]
        assert kept.labels() == [("a.png", LABELS[0])]

        ballast.unlink()
        kept.becomes(("a.png", LABELS[0]), ("b.png", LABELS[0]))
        wait_for(lambda: not kept.problem, what="the end of the problem")
        assert studio.state()["notices"] == []
        assert [each.name for each in disk.glob(".new-*")] == []
        studio.delete(f"api/projects/{kept.id}/")


def test_a_folder_that_is_gone_is_said(hotdogs: Kept) -> None:
    away = hotdogs.folder.with_name("away")
    hotdogs.folder.rename(away)
    hotdogs.submit("a.png", LABELS[0])
    wait_for(lambda: hotdogs.problem, what="what keeps the labels out of the file")
    assert f"The folder {hotdogs.folder} does not exist." in hotdogs.problem
    assert not hotdogs.folder.exists()
    away.rename(hotdogs.folder)
    hotdogs.becomes(("a.png", LABELS[0]))


def test_the_file_is_chosen_by_project(hotdogs: Kept, studio: LabelStudioClient) -> None:
    hotdogs.submit("a.png", LABELS[0])
    hotdogs.becomes(("a.png", LABELS[0]))
    before = hotdogs.file
    hotdogs.label()
    assert hotdogs.file == before

    hotdogs.label(keep="../other.jsonl")
    assert hotdogs.file == hotdogs.folder.parent / "other.jsonl"
    hotdogs.becomes((f"{hotdogs.folder.name}/a.png", LABELS[0]))

    hotdogs.label(keep=False)
    assert hotdogs.answer["project"]["keep"] == ""


def test_a_file_that_cannot_be_the_projects_is_refused_before_anything_is_made(
    hotdogs: Kept, studio: LabelStudioClient
) -> None:
    hotdogs.submit("a.png", LABELS[0])
    hotdogs.becomes(("a.png", LABELS[0]))
    there = len(studio.get("_proxy/projects").json()["projects"])

    hotdogs.label(title="Second", keep="labels.jsonl")
    assert hotdogs.answer["error"]["what"] == (
        f"Another project keeps its labels in {hotdogs.file}."
    )
    hotdogs.label(title="Second", keep="sub/labels.jsonl")
    assert hotdogs.answer["error"]["what"] == f"There is no folder {hotdogs.folder / 'sub'}."
    (hotdogs.folder / "notes.jsonl").write_text("{}\n")
    hotdogs.label(title="Second", keep="notes.jsonl")
    assert hotdogs.answer["error"]["remedy"].startswith("Rename or remove the file")
    assert len(studio.get("_proxy/projects").json()["projects"]) == there

    first = hotdogs.id
    hotdogs.label(title="Second")  # the setting is no wish of this user
    assert hotdogs.answer["project"]["keep"] == ""
    *_, sentence = hotdogs.answer["notes"]
    assert sentence.startswith("The labels are not kept in a file. Another project keeps its")
    studio.delete(f"api/projects/{first}/")


def test_the_file_of_a_deleted_project_stays(hotdogs: Kept, studio: LabelStudioClient) -> None:
    hotdogs.submit("a.png", LABELS[0])
    hotdogs.becomes(("a.png", LABELS[0]))
    before = hotdogs.file.read_bytes()
    studio.delete(f"api/projects/{hotdogs.id}/")
    hotdogs.label(keep="labels.jsonl")
    assert "its content is not this project's" in hotdogs.answer["error"]["what"]
    assert hotdogs.file.read_bytes() == before
    shutil.rmtree(hotdogs.folder)
