"""Which items of a source are new."""

from __future__ import annotations

from labelstudio_proxy.gateway.projects.reading import new_items
from labelstudio_proxy.labelling.items import Item
from labelstudio_proxy.labelling.rows import Labelled


def test_a_file_is_known_by_its_path_whatever_its_url() -> None:
    there = [Labelled(1, {"image": "/data/local-files/?d=old/1.png"}, {"file": "/home/u/1.png"})]
    same = Item({"image": "/data/local-files/?d=1.png"}, {"file": "/home/u/1.png"})
    other = Item({"image": "/data/local-files/?d=2.png"}, {"file": "/home/u/2.png"})
    assert new_items(there, [same, other], "image") == [other]


def test_a_row_is_known_by_its_index_and_text() -> None:
    there = [Labelled(1, {"text": "x", "stars": 1}, {"index": 7})]
    same = Item({"text": "x", "stars": 2}, {"index": 7})
    moved, changed = Item({"text": "x"}, {"index": 8}), Item({"text": "y"}, {"index": 7})
    assert new_items(there, [same, moved, changed], "text") == [moved, changed]


def test_equal_texts_of_a_list_count() -> None:
    there = [Labelled(1, {"text": "x"}, {})]
    twice = [Item({"text": "x"}, {}), Item({"text": "x"}, {})]
    assert new_items(there, twice, "text") == twice[1:]


def test_a_task_with_two_annotations_counts_once() -> None:
    there = [Labelled(1, {"text": "x"}, {}, annotation) for annotation in (1, 2)]
    twice = [Item({"text": "x"}, {}), Item({"text": "x"}, {})]
    assert len(new_items(there, twice, "text")) == 1
