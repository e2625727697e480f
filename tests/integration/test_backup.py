"""A backup that is made while people work, restored elsewhere, has all of their work."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from support import media
from support.http import Http
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import BareLabelStudio
from support.processes import clean_environment, wait_for

EMAIL, PASSWORD = "ada@example.org", "correct-horse-battery"
PICTURE = media.png(colour=(200, 1, 0))


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "labelstudio_proxy", *map(str, words)]


def run(*words: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as in a terminal."""
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run(
            command(*words),
            env=clean_environment(Path(home)) | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def made(answer: requests.Response) -> Any:
    assert answer.status_code in {200, 201}, f"{answer.url}: {answer.text[:2000]}"
    return answer.json()


def look(studio: Http) -> dict[str, Any]:
    """Return what matters of a Label Studio with one project and one task."""
    (project,) = made(studio.get("api/projects"))["results"]
    (task,) = made(studio.get(f"api/tasks?project={project['id']}&fields=all"))["tasks"]
    picture = studio.get(task["data"]["image"])
    return {
        "owner": made(studio.get("api/current-user/whoami"))["email"],
        "project": (project["id"], project["title"], project["label_config"]),
        "task": (task["id"], task["data"]),
        "annotations": {each["id"]: each["result"] for each in task["annotations"]},
        "picture": picture.content,
    }


def login(studio: BareLabelStudio) -> requests.cookies.RequestsCookieJar:
    """Return the cookies of a user who typed the password."""
    with requests.Session() as session:
        session.trust_env = False
        page = session.get(f"{studio.url}user/login/", timeout=60)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None
        form = {"email": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        answer = session.post(
            f"{studio.url}user/login/", data=form, timeout=60, allow_redirects=False
        )
        assert answer.status_code == 302, answer.text[:2000]
        return session.cookies


@contextlib.contextmanager
def jupyter_on(
    data_dir: Path, client: Callable[[JupyterLab], LabelStudioClient]
) -> Iterator[LabelStudioClient]:
    jupyter = JupyterLab(config={"data_dir": str(data_dir)})
    try:
        studio = client(jupyter)
        studio.wait_ready()
        yield studio
    finally:
        jupyter.stop()


class Annotator(threading.Thread):
    """A user who keeps annotating; `saved`: the ids that Label Studio acknowledged."""

    def __init__(self, studio: LabelStudioClient, task: int) -> None:
        super().__init__()
        self._path = f"api/tasks/{task}/annotations/"
        self._studio = studio
        self._over = threading.Event()
        self.saved: list[int] = []
        self.failed: list[str] = []

    def run(self) -> None:
        while not self._over.is_set():
            answer = self._studio.post(self._path, json={"result": [media.BOX]})
            if answer.status_code != 201:
                self.failed.append(answer.text[:500])
                return
            self.saved.append(answer.json()["id"])

    def end(self) -> None:
        self._over.set()
        self.join()


@dataclass
class Story:
    """What happened, for the tests to check."""

    folder: Path
    cookies: requests.cookies.RequestsCookieJar
    before: list[int] = field(default_factory=list)  # annotations acknowledged before the backup
    seen: dict[str, Any] = field(default_factory=dict)  # in the running Label Studio, at the end
    failed: list[str] = field(default_factory=list)
    refused: subprocess.CompletedProcess[str] | None = None
    restored: dict[str, Any] = field(default_factory=dict)
    by_cookie: str = ""

    @property
    def original(self) -> Path:
        return self.folder / "original"

    @property
    def running(self) -> Path:
        """The backup that was made while people annotated."""
        return self.folder / "running.zip"

    @property
    def elsewhere(self) -> Path:
        return self.folder / "elsewhere"


@pytest.fixture(scope="module")
def story(
    new_data_dir: Callable[[], Path],
    tmp_path_factory: pytest.TempPathFactory,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
) -> Story:
    folder = tmp_path_factory.mktemp("backup")
    new_data_dir().rename(folder / "original")
    bare = BareLabelStudio(
        folder / "original", email=EMAIL, env={"LABEL_STUDIO_PASSWORD": PASSWORD}
    )
    try:
        story = Story(folder, login(bare))
    finally:
        bare.stop()

    with jupyter_on(story.original, label_studio_client) as studio:
        project = made(
            studio.post("api/projects", json={"title": "Cells", "label_config": media.BOXES})
        )["id"]
        made(studio.post(f"api/projects/{project}/import", files={"a.png": ("a.png", PICTURE)}))
        (task,) = made(studio.get(f"api/tasks?project={project}&fields=all"))["tasks"]
        annotator = Annotator(studio, task["id"])
        annotator.start()
        try:
            wait_for(lambda: len(annotator.saved) >= 5 or annotator.failed, what="five annotations")
            story.before = list(annotator.saved)
            done = run("backup", "--data-dir", story.original, "--output", story.running)
            assert done.returncode == 0, done.stderr
            count = len(annotator.saved)
            wait_for(lambda: len(annotator.saved) > count or annotator.failed, what="another one")
        finally:
            annotator.end()
        story.failed = annotator.failed
        story.refused = run("restore", story.running, "--data-dir", story.original)
        story.seen = look(studio)

    done = run("restore", story.running, "--data-dir", story.elsewhere)
    assert done.returncode == 0, done.stderr
    with jupyter_on(story.elsewhere, label_studio_client) as studio:
        story.restored = look(studio)
    bare = BareLabelStudio(story.elsewhere)
    try:
        answer = requests.get(
            f"{bare.url}api/current-user/whoami", cookies=story.cookies, timeout=60
        )
        story.by_cookie = made(answer)["email"]
    finally:
        bare.stop()
    return story


@pytest.mark.parametrize("what", ["owner", "project", "task", "picture"])
def test_restored_data_are_the_same_in_another_directory(story: Story, what: str) -> None:
    assert story.restored[what] == story.seen[what]
    assert story.restored["owner"] == EMAIL
    assert story.restored["picture"] == PICTURE


def test_backup_has_every_annotation_acknowledged_before(story: Story) -> None:
    restored = story.restored["annotations"]
    assert set(story.before) <= set(restored)
    assert {key: story.seen["annotations"][key] for key in restored} == restored


def test_users_who_annotate_meanwhile_get_no_error(story: Story) -> None:
    assert story.failed == []


def test_secret_key_and_logins_stay_valid(story: Story) -> None:
    assert (story.elsewhere / ".env").read_bytes() == (story.original / ".env").read_bytes()
    assert story.by_cookie == EMAIL


def test_restore_into_a_directory_in_use_is_refused_and_changes_nothing(story: Story) -> None:
    assert story.refused is not None
    assert story.refused.returncode == 1
    assert f"{story.original} is in use" in story.refused.stderr
    assert "Traceback" not in story.refused.stderr
    assert story.seen["annotations"].keys() > set(story.before)
    assert not list(story.folder.glob("original.*"))


def test_stopped_label_studio_is_backed_up_and_restored_over_another_backup(
    story: Story,
    tmp_path: Path,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
) -> None:
    target = tmp_path / "data"
    shutil.copytree(story.original, target)
    done = run("backup", "--data-dir", target, "--output", tmp_path / "stopped.zip")
    assert done.returncode == 0, done.stderr
    done = run("restore", story.running, "--data-dir", target)
    assert done.returncode == 0, done.stderr
    (kept,) = tmp_path.glob("data.before-restore-*")
    assert str(kept) in done.stdout
    done = run("restore", tmp_path / "stopped.zip", "--data-dir", target)
    assert done.returncode == 0, done.stderr
    with jupyter_on(target, label_studio_client) as studio:
        assert look(studio) == story.seen
