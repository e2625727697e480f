"""Jupyters whose Label Studio runs in a container of a given engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.containers import on
from support.desk import Desk
from support.engine import Engine
from support.jupyter import JupyterLab, LabelStudioClient


@pytest.fixture
def own_desk(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> Callable[..., Desk]:
    """Start a Jupyter for one test: `own_desk(engine, **settings)`."""

    def new(engine: Engine, **settings: Any) -> Desk:
        data_dir = tmp_path / "data"
        jupyter = jupyter_lab(**on(engine, data_dir, **settings))
        return Desk(jupyter, label_studio_client(jupyter), data_dir=data_dir)

    return new
