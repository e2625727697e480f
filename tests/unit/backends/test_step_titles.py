"""The steps of a start, as the start page lists them."""

from __future__ import annotations

import re

import pytest

from labelstudio_proxy.backends.base import Backend
from labelstudio_proxy.backends.docker.backend import DockerBackend
from labelstudio_proxy.backends.process.backend import ProcessBackend

MACHINERY = re.compile(
    r"engine|gateway|health|migrat|poll|probe|process|re(quest|sponse)|serve|socket|answer|wait",
    re.IGNORECASE,
)


@pytest.mark.parametrize("backend", [DockerBackend, ProcessBackend])
def test_steps_are_named_by_what_a_person_waits_for(backend: type[Backend]) -> None:
    titles = [title for _, title in backend.steps]
    assert [title for title in titles if MACHINERY.search(title)] == []
