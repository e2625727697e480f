"""What a list or a table may have."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_proxy.gateway.projects.sources import Context, read_source
from labelstudio_proxy.problem import Problem

URI = "s3://labels/hot dogs/1.png"
TABLE = {"kind": "table", "columns": ["file"], "index": [0], "rows": [[URI]], "index_names": [None]}


@pytest.mark.parametrize("source", [{"kind": "list", "values": [URI]}, TABLE])
def test_single_objects_in_s3_are_refused(source: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refused:
        read_source(source, Context("/", None, None, None))
    assert URI in refused.value.what
    assert "'s3://labels/hot dogs'" in refused.value.remedy
