"""Which item a row is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelstudio_proxy.labelling.interface import Interface
from labelstudio_proxy.labelling.matching import KEY, Item, Items
from labelstudio_proxy.labelling.tasks import TASKS
from labelstudio_proxy.labelling.templates import interface_for
from labelstudio_proxy.problem import Problem

PICTURES = Interface.parse(interface_for(TASKS["image-classification"], ["a"]))
TEXTS = Interface.parse(interface_for(TASKS["text-classification"], ["a"]))
SPANS = Interface.parse(interface_for(TASKS["token-classification"], ["a"]))


def numbers(items: Items, row: dict[str, Any]) -> list[int]:
    return [each.task_id for each in items.find(row, 0)]


def test_files_are_found_by_any_spelling(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    names = ["a.png", "b 100%#?.png", "ü🐈.png"]
    items = Items(
        [
            Item(number, {"image": f"/data/local-files/?d={number}"}, {"file": str(folder / name)})
            for number, name in enumerate(names)
        ],
        PICTURES,
        folders=[str(tmp_path), str(folder)],
    )

    for number, name in enumerate(names):
        for spelling in (
            *(str(folder / name), f"pictures/{name}", f"./pictures/../pictures//{name}", name),
            *(str(tmp_path / "link" / name), f"link/{name}"),
        ):
            assert numbers(items, {"file": spelling}) == [number], spelling
            assert numbers(items, {KEY: spelling}) == [number], spelling
    with pytest.raises(Problem, match=r"c\.png"):
        items.find({"file": "c.png"}, 0)
    with pytest.raises(Problem, match="x00"):
        items.find({"file": "\0"}, 0)


def test_files_without_a_record_are_found_by_their_url() -> None:
    items = Items(
        [Item(5, {"image": "/data/local-files/?d=a.png"}, {}), Item(6, {"image": "s3://b/c"}, {})],
        PICTURES,
        path_of=lambda url: "/home/a.png" if url.endswith("a.png") else None,
    )

    assert numbers(items, {"file": "/home/a.png"}) == [5]
    assert numbers(items, {"image": "s3://b/c"}) == [6]


def test_rows_of_a_table_are_found_by_content_and_then_by_index() -> None:
    items = Items(
        [
            Item(1, {"text": "same", "topic": "x"}, {"index": 10, "column": "body"}),
            Item(2, {"text": "same", "topic": "x"}, {"index": 11, "column": "body"}),
            Item(3, {"text": "other", "topic": "x"}, {"index": ["a", 1], "column": "body"}),
        ],
        TEXTS,
    )

    assert numbers(items, {"body": "other", KEY: 10}) == [3]
    assert numbers(items, {"text": "other", KEY: 10}) == [3]  # a new table counts from 0
    assert numbers(items, {"text": "same", KEY: 11}) == [2]
    assert numbers(items, {"text": "same"}) == [1, 2]
    assert numbers(items, {KEY: 10, "label": "a"}) == [1]
    assert numbers(items, {KEY: ["a", 1]}) == [3]
    assert numbers(items, {KEY: "other"}) == [3]
    with pytest.raises(Problem, match="Row 4 is for 12, which"):
        items.find({KEY: 12}, 4)
    with pytest.raises(Problem, match="Row 4 is for 'new', which"):
        items.find({"text": "new", KEY: 10}, 4)


def test_the_text_of_a_span_is_not_the_text_of_the_item() -> None:
    items = Items(
        [
            Item(1, {"text": "Ada Lovelace"}, {"column": "text"}),
            Item(2, {"text": "Ada"}, {"column": "text"}),
        ],
        SPANS,
    )

    assert numbers(items, {"text_source": "Ada Lovelace", "text": "Ada", "start": 0}) == [1]
    assert numbers(items, {"task_id": 1, "text": "Ada"}) == [1]
    assert numbers(items, {"text": "Ada Lovelace", "start": 0}) == [1]


@pytest.mark.parametrize("number", [9, "x", 1.5, [1]])
def test_a_wrong_task_is_named(number: Any) -> None:
    items = Items([Item(1, {"text": "a"}, {})], TEXTS)

    with pytest.raises(Problem, match="Row 2 is for the task"):
        items.find({"task_id": number}, 2)
