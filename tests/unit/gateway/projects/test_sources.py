"""What a list or a table may have."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_proxy.gateway.projects.s3 import Location
from labelstudio_proxy.gateway.projects.sources import Context, Source, read_source
from labelstudio_proxy.labelling.items import Item
from labelstudio_proxy.problem import Problem

URIS = ["s3://labels/hot dogs/2.png", "s3://labels/hot dogs/1 ü.png", "s3://more/x//y/z.png"]


def read(source: dict[str, Any]) -> Source:
    return read_source(source, Context("/", None, None, None))


def test_a_list_of_objects_in_s3_keeps_its_order() -> None:
    source = read({"kind": "list", "values": [*URIS, URIS[0], "s3://more/notes"]})
    assert source.items == [Item({"image": uri}, {"file": uri}) for uri in URIS]
    assert source.task_name == "image-classification"
    assert source.locations == [Location("labels", "hot dogs"), Location("more", "x//y")]
    assert [note.split(": ")[1] for note in source.notes] == ["s3://more/notes."]


def test_a_table_of_objects_in_s3_keeps_its_other_columns() -> None:
    rows = [[uri, number] for number, uri in enumerate([*URIS, "s3://more/notes"])]
    names = {"columns": ["picture", "n"], "index_names": [None]}
    source = read({"kind": "table", **names, "index": ["a", "b", "c", "d"], "rows": rows})
    assert [item.data for item in source.items] == [
        {"image": uri, "n": number} for number, uri in enumerate(URIS)
    ]
    assert source.items[1].meta == {"index": "b", "column": "picture", "file": URIS[1]}
    assert source.locations[0] == Location("labels", "hot dogs")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([URIS[0], "a.png"], "s3://labels/hot dogs/2.png and 'a.png'"),
        (["s3://labels/a.txt"], "DataFrame"),
        (["s3://labels", "s3://labels/notes"], "None of the objects in the source"),
        (["s3:///a.png"], "'s3:///a.png' names no location"),
    ],
)
def test_what_is_no_list_of_objects_is_refused(values: list[str], says: str) -> None:
    with pytest.raises(Problem) as refused:
        read({"kind": "list", "values": values})
    assert says in refused.value.as_sentence()
