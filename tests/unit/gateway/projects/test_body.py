"""The JSON object in a request: what is not as the handlers expect is a Problem that names the field."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_proxy.config.notebook_files import NotebookFiles
from labelstudio_proxy.gateway.projects.body import checked
from labelstudio_proxy.gateway.projects.outputs import Output
from labelstudio_proxy.gateway.projects.sources import Context, read_source
from labelstudio_proxy.labelling.tasks import TASKS
from labelstudio_proxy.problem import Problem

TABLE = {"kind": "table", "columns": ["a"], "index": [0], "rows": [["x"]], "index_names": [None]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON object"),
        (b"\xff", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "no JSON object"),
        (b'{"a": ' * 100_000, "no JSON object"),
        (b'{"title": NaN}', "no JSON object"),
        (b'{"title": ' + b"9" * 10_000 + b"}", "no JSON object"),
        (b'{"title": 7}', "`title` is 7."),
        (b'{"base": "a\\u0000b"}', "`base` is 'a\\x00b'."),
        (b'{"config": "\\ud800"}', "`config`"),
        (b'{"labels": {"a": 1}}', "`labels`"),
        (b'{"labels": ["a", 1]}', "`labels`"),
        (b'{"keep": 1}', "`keep` is 1."),
        (b'{"source": "pets"}', "`source` is 'pets'."),
        (b'{"source": {"kind": []}}', "`source.kind` is []."),
        (b'{"source": {"kind": "path"}}', "`source.path` is None."),
        (b'{"source": {"kind": "path", "path": "a", "recursive": "no"}}', "`source.recursive`"),
        (b'{"source": {"kind": "list", "values": "abc"}}', "`source.values`"),
        (b'{"source": {"kind": "table", "columns": ["a"]}}', "`source.index` is None."),
        (json.dumps({"source": TABLE | {"rows": [[]]}}).encode(), "not rectangular"),
        (json.dumps({"source": TABLE | {"index": []}}).encode(), "not rectangular"),
        (json.dumps({"source": TABLE | {"columns": ["a", "a"]}}).encode(), "the same name"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, words: str) -> None:
    with pytest.raises(Problem) as caught:
        checked(data)
    assert words in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
KINDS = st.sampled_from(["path", "list", "table"])
FIELDS = {
    "path": VALUES | st.sampled_from(["/", "../..", "a" * 5000, "*", "[", "/nowhere/**", "a\0b"]),
    "recursive": VALUES | st.booleans(),
    "values": VALUES | st.lists(st.sampled_from(["a.png", "\0.png", "a" * 300 + ".png", ".."])),
    "columns": VALUES | st.just(["a"]),
    "column": VALUES | st.sampled_from(["a", "b"]),
    "index": VALUES | st.just([[1]]) | st.just([None]),
    "rows": VALUES | st.lists(st.lists(VALUES, min_size=1, max_size=1), min_size=1, max_size=1),
    "index_names": VALUES | st.just([None]),
}
SOURCES = st.fixed_dictionaries({"kind": KINDS | VALUES}, optional=FIELDS)


@given(source=SOURCES | VALUES, base=VALUES | st.just("/"), task=st.sampled_from([None, *TASKS]))
def test_any_source_is_read_or_explained(
    tmp_path_factory: Any, source: Any, base: Any, task: Any
) -> None:
    files = NotebookFiles(tmp_path_factory.getbasetemp(), tmp_path_factory.getbasetemp())
    with contextlib.suppress(Problem):
        body = checked(json.dumps({"source": source, "base": base}).encode())
        context = Context(
            base=str(body.get("base") or files.shown),
            task=TASKS[task] if task else None,
            own=None,
            files=files,
        )
        found = read_source(body.get("source"), context)
        json.dumps([found.identity, [[each.data, each.meta] for each in found.items]])


@given(
    st.dictionaries(
        st.sampled_from(["model_version", "rows", "column", "score", "base"]),
        VALUES | st.lists(st.dictionaries(st.sampled_from(["label", "file", "task_id"]), VALUES)),
    )
)
def test_any_output_is_read_or_explained(body: dict[str, Any]) -> None:
    with contextlib.suppress(Problem):
        Output.of(checked(json.dumps(body).encode()), "/")
