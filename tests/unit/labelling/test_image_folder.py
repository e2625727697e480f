"""A folder for each label."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_proxy.labelling.image_folder import (
    Entry,
    entries,
    file_name,
    fits,
    folder_names,
)
from labelstudio_proxy.labelling.interface import Interface
from labelstudio_proxy.labelling.rows import Labelled

CONFIG = (
    '<View><Image name="image" value="$photo"/><Choices name="label" toName="image" '
    'choice="multiple"><Choice value="Cat"/><Choice value="Dog"/></Choices></View>'
)
INTERFACE = Interface.parse(CONFIG)


def labelled(task: int, *choices: str, at: str = "", **more: Any) -> Labelled:
    entry = {"from_name": "label", "type": "choices", "value": {"choices": list(choices)}}
    return Labelled(
        *(task, {"photo": f"/{task}.png"}, {"file": f"/home/{task}.png"}, task),
        updated_at=at,
        result=[entry] if choices else [],
        **more,
    )


def test_the_last_annotation_of_an_item_counts() -> None:
    found = list(
        entries(
            [
                labelled(1, "Cat", at="2"),
                labelled(1, "Dog", at="1"),
                labelled(2, "Dog", at="1"),
                labelled(2, "Cat", at="2", skipped=True),
                labelled(3, "Cat", skipped=True),
                labelled(4),
                labelled(5, "Cat", "Dog"),
            ],
            INTERFACE,
        )
    )

    assert found == [
        Entry(1, "/1.png", "/home/1.png", ("Cat",)),
        Entry(2, "/2.png", "/home/2.png", ("Dog",)),
        Entry(5, "/5.png", "/home/5.png", ("Cat", "Dog")),
    ]


def test_labels_that_are_no_names_of_folders() -> None:
    long = "ü" * 200
    names = folder_names(["Cat", "a/b", "a_b", "..", ".", ".hidden", long, f"{long}x", "CON", " "])

    assert list(names.values())[:6] == ["Cat", "a_b", "a_b-2", "_..", "_.", "_.hidden"]
    assert len(set(names.values())) == len(names)
    for name in names.values():
        assert "/" not in name
        assert 0 < len(name.encode()) <= 255


def test_files_with_one_name_are_numbered() -> None:
    taken: set[str] = set()
    long = "n" * 251 + ".png"
    found = [
        file_name(source, folder, taken)
        for source, folder in (
            *(("/a/1.png", "Cat"), ("/b/1.png", "Cat"), ("/b/1.png", "Dog"), ("/c/1.png", "Cat")),
            *((f"/a/{long}", "Cat"), (f"/b/{long}", "Cat")),
        )
    ]

    assert found[:4] == ["Cat/1.png", "Cat/1-2.png", "Dog/1.png", "Cat/1-3.png"]
    assert len(set(found)) == 6
    assert all(name.endswith(".png") and len(name) <= 259 for name in found)


def test_the_name_of_an_object_leads_nowhere_else() -> None:
    assert file_name("s3://bucket/a/..", "Cat", set()) == "Cat/_.."
    assert file_name("s3://bucket/a\0b.png", "Cat", set()) == "Cat/a_b.png"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (CONFIG, True),
        (CONFIG.replace("Image", "Text"), False),
        (CONFIG.replace("Choices", "RectangleLabels").replace("Choice ", "Label "), False),
        (CONFIG.replace('toName="image"', 'toName="image" perRegion="true"'), False),
    ],
)
def test_it_is_for_choices_of_files(config: str, expected: bool) -> None:
    assert fits(Interface.parse(config)) is expected
