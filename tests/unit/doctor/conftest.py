"""A user without any files, a data directory, and the settings of a check."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import clean_environment

from labelstudio_proxy.config.settings import LabelStudioProxy
from labelstudio_proxy.doctor.situation import Situation


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user without any files, and without the machine's own variables."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in clean_environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    # short: the path of a socket has some 100 characters at most
    with tempfile.TemporaryDirectory(prefix="doctor-", dir="/tmp") as short:
        for name, folder in {"CONFIG": tmp_path, "DATA": tmp_path, "RUNTIME": Path(short)}.items():
            (folder / name).mkdir(mode=0o700)
            monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(folder / name))
        yield


@pytest.fixture
def runtime() -> Path:
    """Jupyter's runtime folder."""
    return Path(os.environ["JUPYTER_RUNTIME_DIR"])


@pytest.fixture
def about(data_dir: Path) -> Callable[..., Situation]:
    """Return the situation of these settings, by default with a good data directory."""
    data_dir.chmod(0o700)

    def situation(**settings: Any) -> Situation:
        return Situation(LabelStudioProxy(**{"data_dir": str(data_dir), **settings}))

    return situation
