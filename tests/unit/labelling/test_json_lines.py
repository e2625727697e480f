"""Labels as JSON lines."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pandas as pd

from labelstudio_proxy.labelling.interface import Interface
from labelstudio_proxy.labelling.json_lines import json_lines, relative
from labelstudio_proxy.labelling.rows import Labelled

CLASSES = Interface.parse(
    '<View><Image name="image" value="$image"/><Choices name="label" toName="image">'
    '<Choice value="cat"/></Choices></View>'
)
BOXES = Interface.parse(
    '<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image">'
    '<Label value="cat"/></RectangleLabels></View>'
)
PAIRS = Interface.parse(
    '<View><Image name="a" value="$a"/><Image name="b" value="$b"/>'
    '<Choices name="label" toName="a"><Choice value="cat"/></Choices></View>'
)


def labelled(number: int = 2, label: str = "cat", **more: Any) -> Labelled:
    result = [{"from_name": "label", "type": "choices", "value": {"choices": [label]}}]
    fields: dict[str, Any] = {"task_id": 1, "data": {}, "meta": {}, "annotation_id": number}
    return Labelled(**{**fields, "result": result, **more})


def lines_of(interface: Interface, *found: Labelled, folder: str = "/home/ada") -> list[bytes]:
    return [each.text for each in json_lines(found, interface, lambda url: url, folder)]


def test_a_line_has_all_columns_in_a_fixed_order() -> None:
    (line,) = lines_of(CLASSES, labelled(meta={"file": "/home/ada/cats/1.png"}, lead_time=1.5))
    assert line.decode() == (
        '{"file": "cats/1.png", "label": "cat", "annotator": null, "created_at": null, '
        '"updated_at": null, "lead_time": 1.5, "task_id": 1, "annotation_id": 2}\n'
    )


def test_all_regions_of_an_annotation_are_together() -> None:
    box = {"x": 10, "y": 20, "width": 30, "height": 40, "rectanglelabels": ["cat"]}
    entry = {"from_name": "box", "type": "rectanglelabels", "value": box}
    found = [
        *json_lines(
            [
                labelled(1, result=[entry | {"id": "a"}, entry | {"id": "b"}], updated_at="now"),
                labelled(2, result=[], updated_at="later"),
            ],
            BOXES,
            lambda url: None,
            "/",
        )
    ]
    assert [(each.annotation_id, each.updated_at) for each in found] == [(1, "now"), (2, "later")]
    assert [json.loads(line)["region_id"] for line in found[0].text.splitlines()] == ["a", "b"]
    assert json.loads(found[1].text)["label"] is None


def test_text_is_readable_and_any_name_is_possible() -> None:
    strange = os.fsdecode(b"\xff\n.png")
    (line,) = lines_of(CLASSES, labelled(label="Nöt 🌭", meta={"file": f"/home/ada/{strange}"}))
    assert "Nöt 🌭".encode() in line
    assert line.count(b"\n") == 1
    assert json.loads(line)["file"] == strange


def test_paths_below_the_folder_are_relative_to_it() -> None:
    assert relative("/home/ada/cats/1.png", "/home/ada") == "cats/1.png"
    assert relative("/home/adam/1.png", "/home/ada") == "/home/adam/1.png"
    assert relative("/home/1.png", "/") == "home/1.png"
    (line,) = lines_of(PAIRS, labelled(data={"a": "/home/ada/1.png", "b": "/elsewhere/2.png"}))
    assert {"a": "1.png", "b": "/elsewhere/2.png"}.items() <= json.loads(line).items()


def test_pandas_reads_it() -> None:
    text = b"".join(
        lines_of(
            CLASSES,
            labelled(1, meta={"file": "/home/ada/1.png"}, created_at="2026-11-29T16:56:46.5Z"),
            labelled(2, meta={"file": "/home/ada/2.png"}, created_at="2026-11-29T16:56:47.5Z"),
        )
    )
    frame = pd.read_json(io.BytesIO(text), lines=True)
    assert frame["file"].tolist() == ["1.png", "2.png"]
    assert str(frame["created_at"].dtype).endswith("UTC]")
