"""What a card shows of one labelled item."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_proxy.gateway.projects.summary import shown
from labelstudio_proxy.labelling.interface import Interface
from labelstudio_proxy.labelling.rows import Labelled

PREFIX = "/user/ada/labelstudio/"
IMAGE, TEXT, AUDIO = (
    Interface.parse(
        f'<View><{tag} name="item" value="$item"/><Choices name="label" toName="item">'
        '<Choice value="a"/></Choices></View>'
    )
    for tag in ("Image", "Text", "Audio")
)
ENTRY = {"from_name": "label", "to_name": "item", "type": "choices", "value": {"choices": ["a"]}}


@pytest.mark.parametrize(
    ("interface", "value", "expected"),
    [
        (IMAGE, "/data/local-files/?d=a.png", {"image": f"{PREFIX}data/local-files/?d=a.png"}),
        (IMAGE, "https://x.example/a.png", {"image": "https://x.example/a.png"}),
        (IMAGE, "s3://b/a.png", {"image": f"{PREFIX}tasks/7/resolve/?fileuri=czM6Ly9iL2EucG5n"}),
        (TEXT, "long " * 50, {"text": ("long " * 50)[:80]}),
        (AUDIO, "/data/local-files/?d=a.wav", {"text": "a.wav", "image": ""}),
    ],
)
def test_an_item_is_shown_by_its_picture_or_text(
    interface: Interface, value: str, expected: dict[str, Any]
) -> None:
    task = Labelled(7, {"item": value}, {"file": "/x/a.wav"}, 1, result=[ENTRY])
    found = shown(task, interface, 3, PREFIX)
    assert found["labels"] == ["a"]
    assert found["url"] == f"{PREFIX}projects/3/data?task=7"
    assert expected.items() <= found.items()
