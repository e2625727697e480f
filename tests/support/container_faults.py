"""What the tests of broken containers and engines share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .container_studio import json_of
from .container_studio import titles as titles_of
from .desk import Desk
from .engine import Engine
from .processes import wait_for

NOTICE_SECONDS = 10.0  # until a page shows that Label Studio ended
RESTART_SECONDS = 15.0


def reports(desk: Desk, *words: str) -> dict[str, str]:
    """Wait until the page shows an error with these words, and return the error."""
    wait_for(
        lambda: desk.studio.state()["state"] == "failed",
        what=lambda: f"a failure: {desk.studio.state()}",
        timeout=NOTICE_SECONDS,
    )
    return desk.tells(desk.studio.state(), *words)


@contextlib.contextmanager
def restarts(desk: Desk, *words: str) -> Iterator[None]:
    """Check that Label Studio crashes inside, with these words in its log, and is restarted."""
    before = desk.studio.state()
    yield
    wait_for(
        lambda: (
            desk.studio.state()["restarts"] > before["restarts"]
            and desk.studio.state()["state"] == "ready"
        ),
        what=lambda: f"the next start: {desk.studio.state()}",
        timeout=RESTART_SECONDS,
    )
    after = desk.studio.state()
    printed = [line for _, line in after["log"] if line.startswith("labelstudio-proxy: ")]
    assert any(all(each in line for each in words) for line in printed), printed
    assert after["restart_reasons"]["ended"] == before["restart_reasons"].get("ended", 0) + 1


def works(desk: Desk) -> None:
    """Check that Label Studio is ready, if need be after *Try again*."""
    snapshot = desk.try_again()
    assert snapshot["state"] == "ready", snapshot
    assert snapshot["error"] is None
    titles(desk)


def titles(desk: Desk) -> set[str]:
    """The titles of all projects."""
    return titles_of(desk.studio)


def make_project(desk: Desk, title: str) -> None:
    json_of(desk.studio.post("api/projects", json={"title": title}))


@contextlib.contextmanager
def running_again(engine: Engine) -> Iterator[None]:
    """Start the engine again after whatever happens to it inside."""
    try:
        yield
    finally:
        engine.thaw()
        if engine.process is None:
            engine.start()


def keeps_running_lines(desk: Desk) -> int:
    """How often Jupyter's log says that Label Studio runs although its engine does not respond."""
    return desk.jupyter.log.read_text().count("Label Studio keeps running.")
