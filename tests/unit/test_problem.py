"""What every Problem of the package tells people to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelstudio_proxy
from labelstudio_proxy.problem import Problem

PACKAGE = Path(labelstudio_proxy.__file__).parent
# Commands and notebooks have no buttons.
WITHOUT_BUTTONS = {"cli", "client", "labelling", "programs", "projects"}
SOURCES = [path for path in PACKAGE.rglob("*.py") if path.parent.name not in WITHOUT_BUTTONS]
KINDS = re.compile(r"Problem|EngineProblem|EngineMissing|InUse|Explained|NoRestart|Paused|in_use")
NEXT_STEP = re.compile(
    r"try again|restart Jupyter|Restart Label Studio|Take (over|it back)|save again"
    r"|press \{\}|appears here|from JupyterLab|\{.*\}$",
    re.IGNORECASE,
)
SETTING = re.compile(r"[Ss]et(ting)? `|`(data_dir|files_root|image|owner_email)`|DOCKER_HOST")


def text_of(node: ast.expr) -> str:
    """Return a text in the source, with `{}` for each value in it; empty for another expression."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return "{}"
    if isinstance(node, ast.BinOp):
        return (text_of(node.left) or "{}") + (text_of(node.right) or "{}")
    return ""


def remedies(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            parts = node.args if KINDS.fullmatch(node.func.id) else []
        elif isinstance(node, ast.Tuple) and path.stem in {
            *("exit_reasons", "engine_refusals", "pull_problems"),
        }:
            parts = node.elts  # of `Faults`
        else:
            continue
        if len(parts) >= 3 and (remedy := text_of(parts[2])):
            yield parts[2].lineno, remedy


REMEDIES = [
    pytest.param(remedy, id=f"{path.relative_to(PACKAGE)}:{line}")
    for path in SOURCES
    for line, remedy in remedies(path)
]


def test_the_remedies_are_found() -> None:
    assert len(REMEDIES) > 70


@pytest.mark.parametrize("remedy", REMEDIES)
def test_a_remedy_names_the_next_step(remedy: str) -> None:
    """The page highlights the button that the remedy names."""
    assert NEXT_STEP.search(remedy)


@pytest.mark.parametrize("remedy", REMEDIES)
def test_a_changed_setting_needs_a_restart_of_jupyter(remedy: str) -> None:
    """The gateway has its settings from the Jupyter that started it."""
    for sentence in re.split(r"(?<=[.!;]) ", remedy):
        if "try again" in sentence.lower():
            assert not SETTING.search(sentence)


def test_a_sentence_of_another_program_gets_its_full_stop() -> None:
    problem = Problem("It failed.", "The engine said: refused", "Try again.")
    assert problem.as_sentence() == "It failed. The engine said: refused. Try again."
