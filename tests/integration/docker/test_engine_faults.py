"""Engines that cannot be used at first: explained, then used without a restart of Jupyter.

tests/unit/backends/docker/test_unusable_engines.py has all kinds of them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

from support.container_faults import running_again, works
from support.containers import container_of, containers_of
from support.desk import Desk
from support.engine import Engine
from support.jupyter import JupyterLab, LabelStudioClient

CLICK_SECONDS = 5.0  # from a click to the explanation


def test_no_socket_at_the_first_click(own_desk: Callable[..., Desk], docker_engine: Engine) -> None:
    """The first start of this Jupyter also imports Docker's SDK."""
    with running_again(docker_engine):
        desk = own_desk(docker_engine)
        docker_engine.stop()
        began = time.monotonic()
        desk.click()
        snapshot = desk.settle(CLICK_SECONDS)
        assert time.monotonic() - began < CLICK_SECONDS
        error = desk.tells(snapshot, "No container engine is running.", "does not exist")
        assert "systemctl start docker" in error["remedy"]
        assert "DOCKER_HOST" in error["why"]
        docker_engine.start()
        works(desk)


def test_an_engine_that_hangs(docker_engine: Engine, own_desk: Callable[..., Desk]) -> None:
    with running_again(docker_engine):
        desk = own_desk(docker_engine)
        docker_engine.freeze()
        desk.click()
        error = desk.tells(desk.settle(CLICK_SECONDS), "The container engine does not respond.")
        assert docker_engine.address in error["why"]
        assert "systemctl restart" in error["remedy"]
        docker_engine.thaw()
        works(desk)
    desk.studio.post("_proxy/stop")
    desk.studio.wait_for_state("stopped")
    assert not containers_of(docker_engine, desk.data_dir)


def test_the_current_docker_context_names_the_engine(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    docker_engine: Engine,
    tmp_path: Path,
) -> None:
    jupyter = jupyter_lab(config={"backend": "docker", "data_dir": str(tmp_path / "data")})
    config = jupyter.home / ".docker"
    meta = config / "contexts" / "meta" / hashlib.sha256(b"work").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    endpoint = {"Host": docker_engine.address, "SkipTLSVerify": False}
    meta.write_text(json.dumps({"Name": "work", "Endpoints": {"docker": endpoint}}))
    (config / "config.json").write_text(json.dumps({"currentContext": "work"}))
    label_studio_client(jupyter).wait_ready()
    assert container_of(docker_engine, tmp_path / "data").status == "running"
