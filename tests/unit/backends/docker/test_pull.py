"""The progress of a pull, without an engine."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_proxy.backends.docker.pull import PullProgress, size

EVENTS: list[dict[str, Any]] = [
    {"status": "Pulling from label-studio", "id": "1.23.2"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "a"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "b"},
    {"status": "Already exists", "progressDetail": {}, "id": "c"},
    {"status": "Downloading", "progressDetail": {"current": 1000, "total": 4000}, "id": "a"},
    {"status": "Downloading", "progressDetail": {"current": 2000, "total": 6000}, "id": "b"},
]


def test_progress_counts_layers_bytes_and_rate() -> None:
    progress = PullProgress()
    for second, event in enumerate(EVENTS):
        progress.take(event, float(second))
    assert (progress.done, progress.total) == (3000, 10_000)
    assert progress.text() == "1 of 3 layers · 3 kB of 10 kB · 750 B/s"
    for name in "ab":
        progress.take({"status": "Download complete", "id": name}, 6.0)
    progress.take({"status": "Extracting", "progressDetail": {"current": 1}, "id": "a"}, 7.0)
    assert (progress.done, progress.total) == (10_000, 10_000)
    assert progress.text() == "3 of 3 layers · 10 kB of 10 kB · unpacking"
    progress.take({"status": "Status: Downloaded newer image"}, 8.0)
    assert progress.text().startswith("3 of 3 layers")


def test_progress_before_the_first_event() -> None:
    assert PullProgress().text() == "asking the registry"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "2 kB"), (1.2e7, "12 MB"), (1.25e9, "1.2 GB")],
)
def test_a_size_is_short(number: float, text: str) -> None:
    assert size(number) == text
