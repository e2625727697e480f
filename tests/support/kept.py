"""A project whose labels are kept in a file."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from . import media
from .jupyter import LabelStudioClient
from .processes import wait_for

PICTURE = media.png(8, 8, (200, 90, 0))
LABELS = ["Hot dog", "Nöt <hot> dog"]


class Kept:
    """A project over a folder with pictures, and the file that keeps its labels."""

    def __init__(self, studio: LabelStudioClient, folder: Path, **wish: Any) -> None:
        self.studio = studio
        self.folder = folder
        if not folder.exists():
            folder.mkdir()
        for name in ("a.png", "b.png", "c.png"):
            (folder / name).write_bytes(PICTURE)
        self.label(**wish)
        tasks = studio.get("api/tasks", params={"project": self.id}).json()["tasks"]
        self.tasks = {Path(each["meta"]["file"]).name: each["id"] for each in tasks}

    def label(self, **wish: Any) -> None:
        """Do what `lsp.label` does."""
        answer = self.studio.post(
            "_proxy/projects",
            json={
                "source": {"kind": "path", "path": str(self.folder), "recursive": True},
                "base": str(self.folder.parent),
                "labels": LABELS,
                "keep": None,
                **wish,
            },
        )
        assert answer.ok, answer.text
        self.answer = json.loads(answer.text.splitlines()[-1])
        if "project" in self.answer:
            self.id = self.answer["project"]["id"]
            self.file = Path(self.answer["project"]["keep"])

    @property
    def problem(self) -> str:
        answer = self.studio.get(f"_proxy/projects/{self.id}")
        assert answer.ok, answer.text
        said: str = answer.json()["project"]["keep_problem"]
        return said

    def submit(self, name: str, label: str) -> int:
        path = f"api/tasks/{self.tasks[name]}/annotations/"
        answer = self.studio.post(path, json={"result": result(label), "lead_time": 1.5})
        assert answer.status_code == 201, answer.text
        number: int = answer.json()["id"]
        return number

    def rows(self) -> list[dict[str, Any]]:
        with contextlib.suppress(FileNotFoundError):
            return [json.loads(line) for line in self.file.read_bytes().splitlines()]
        return []

    def as_in_a_dataframe(self) -> list[dict[str, Any]]:
        """Return the rows that `to_dataframe` gets, with paths relative to the file."""
        answer = self.studio.get(f"_proxy/projects/{self.id}/rows")
        assert answer.ok, answer.text
        tables = [json.loads(line) for line in answer.text.splitlines()]
        rows = [
            dict(zip(table["columns"], row, strict=True))
            for table in tables
            for row in table.get("rows", ())
        ]
        return [row | {"file": str(Path(row["file"]).relative_to(self.folder))} for row in rows]

    def labels(self) -> list[tuple[str, str]]:
        return [(row["file"], row["label"]) for row in self.rows()]

    def becomes(self, *wanted: tuple[str, str]) -> None:
        wait_for(
            lambda: self.labels() == [*wanted],
            what=lambda: f"{wanted} in the file, which has {self.labels()} {self.problem}",
            timeout=60,
        )


def result(label: str) -> list[dict[str, Any]]:
    value = {"choices": [label]}
    return [{"from_name": "label", "to_name": "image", "type": "choices", "value": value}]
