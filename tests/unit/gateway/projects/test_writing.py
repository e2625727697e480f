"""Where requests may write files."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.gateway.projects.writing import rule_of
from labelstudio_proxy.problem import Problem

TOKEN = "secret"


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    (tmp_path / "notebooks" / "pets").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "notebooks" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "notebooks" / "in").symlink_to(tmp_path / "notebooks" / "pets")
    return tmp_path / "notebooks"


@pytest.mark.parametrize("name", ["a.jsonl", "pets/a.jsonl", "in/a.jsonl"])
def test_a_browser_writes_below_jupyters_root(shown: Path, name: str) -> None:
    check = rule_of({}, TOKEN, shown)
    check(shown / name)


@pytest.mark.parametrize(
    "name",
    [
        ".ssh/a",
        "pets/.a",
        ".",
        "..",
        "../elsewhere/a",
        "out/a",
        "/etc/a",
        "../notebooks2/a",
        "\0/a",
    ],
)
@pytest.mark.parametrize("authorization", ["", "token this-user", "token ", "token sécret\udcff"])
def test_a_browser_writes_nothing_else(shown: Path, name: str, authorization: str) -> None:
    check = rule_of({"Authorization": authorization}, TOKEN, shown)
    with pytest.raises(Problem, match="cannot be written from here"):
        check(shown / name)


def test_a_program_of_this_user_writes_anywhere(shown: Path) -> None:
    check = rule_of({"Authorization": f"token {TOKEN}"}, TOKEN, shown)
    check(Path("/etc/a"))


def test_without_files_a_browser_writes_nothing() -> None:
    with pytest.raises(Problem):
        rule_of({}, TOKEN, None)(Path("/a"))
