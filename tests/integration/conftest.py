"""The one start that takes five minutes goes on beside the other tests, and is looked at last."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.gateway import script
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import EXECUTABLE

SLOW_SECONDS = 300
SLOW = "slow_jupyter"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: SLOW in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def slow_jupyter(
    new_data_dir: Callable[[], Path],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[JupyterLab]:
    """A Jupyter whose Label Studio needs five minutes before it does anything."""
    executable = script(
        tmp_path_factory.mktemp("slow") / "label-studio",
        f"sleep {SLOW_SECONDS}",
        f'exec {shlex.quote(str(EXECUTABLE))} "$@"',
    )
    jupyter = JupyterLab(
        base_url="/user/alice/",
        config={"data_dir": str(new_data_dir()), "label_studio": str(executable)},
    )
    try:
        label_studio_client(jupyter).start()
        yield jupyter
    finally:
        jupyter.stop()


@pytest.fixture(scope="session", autouse=True)
def slow_jupyter_starts_early(request: pytest.FixtureRequest) -> None:
    """Start it with the session, if a test of the session wants it."""
    if any(SLOW in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue(SLOW)
