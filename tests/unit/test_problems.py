"""What every message of the package promises."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import labelstudio_proxy
from labelstudio_proxy.config.settings import LabelStudioProxy

PACKAGE = Path(labelstudio_proxy.__file__).parent
SETTING = "|".join(LabelStudioProxy.class_trait_names(config=True))
CHANGE = re.compile(
    rf"\b(?:set|change|correct|begin)(?: the setting)? `(?:{SETTING})`", re.IGNORECASE
)


def texts(tree: ast.AST) -> list[str]:
    """Return the texts of a module without its docstrings; `{}` for each inserted value."""
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant):
        return []
    if isinstance(tree, ast.Constant):
        return [str(tree.value)]
    if isinstance(tree, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in tree.values]
        return ["".join(map(str, parts))]
    return [text for child in ast.iter_child_nodes(tree) for text in texts(child)]


def test_advice_to_change_a_setting_says_that_jupyter_must_restart() -> None:
    """Jupyter reads the settings once, when it starts."""
    every = [text for path in PACKAGE.rglob("*.py") for text in texts(ast.parse(path.read_text()))]
    advice = [text for text in every if CHANGE.search(text)]
    assert len(advice) > 10
    assert [text for text in advice if not re.search("restart(ing)? Jupyter", text)] == []
