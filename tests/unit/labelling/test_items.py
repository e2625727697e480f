"""What there is to label, as Label Studio imports it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labelstudio_proxy.labelling import items
from labelstudio_proxy.labelling.items import Item, Table
from labelstudio_proxy.labelling.tasks import task_named
from labelstudio_proxy.problem import Problem

TEXTS = task_named("text-classification")
IMAGES = task_named("image-classification")


def test_files_are_named_by_a_url_and_their_path() -> None:
    assert items.of_files(["/home/u/a b/50%#&+?'é.jpg"], "image", "/home/u/") == [
        Item(
            {"image": "/data/local-files/?d=a%20b/50%25%23%26%2B%3F%27%C3%A9.jpg"},
            {"file": "/home/u/a b/50%#&+?'é.jpg"},
        )
    ]


def test_a_file_outside_of_the_root_is_refused() -> None:
    with pytest.raises(Problem, match=r"`/home/user/a.jpg` is outside of `/home/u`"):
        items.file_url("/home/user/a.jpg", "/home/u")


def test_texts_of_files_are_read(tmp_path: Path) -> None:
    contents = {
        "a.txt": "Grüße\r\n🌭".encode(),
        "bom.txt": b"\xef\xbb\xbfhi",
        "empty.txt": b" \n",
        "latin.txt": b"Gr\xfc\xdfe",
        "zero.txt": b"a\0b",
        "long.txt": "ä".encode() * 600_000,
    }
    paths = [str(tmp_path / name) for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        Path(path).write_bytes(content)

    found, left_out = items.of_texts([*paths, str(tmp_path / "gone.txt")], "text")

    assert [item.data["text"] for item in found] == ["Grüße\r\n🌭", "hi"]
    assert found[0].meta == {"file": paths[0]}
    assert {reason: each.count for reason, each in left_out.items()} == {
        items.EMPTY: 1,
        items.NO_TEXT: 2,
        items.TOO_LONG: 1,
        "not readable": 1,
    }


def test_rows_keep_their_other_columns_and_their_index() -> None:
    table = Table(["review", "stars"], ["a", 7], [["Good", 5], ["Bad", None]])

    assert items.of_table(table, "review", "review") == [
        Item({"review": "Good", "stars": 5}, {"index": "a"}),
        Item({"review": "Bad", "stars": None}, {"index": 7}),
    ]


def test_a_renamed_column_is_noted() -> None:
    table = Table(["my text"], [0], [["Good"]])

    assert items.of_table(table, "my text", "text") == [
        Item({"text": "Good"}, {"index": 0, "column": "my text"})
    ]


def test_rows_with_files_have_urls() -> None:
    table = Table(["file", "n"], [0, 1], [["/u/b/../a.jpg", 1], ["/u/no-picture.jpg", 2]])

    assert items.of_table(table, "file", "image", {"/u/a.jpg": "/data/a"}) == [
        Item({"image": "/data/a", "n": 1}, {"index": 0, "column": "file", "file": "/u/a.jpg"})
    ]


@pytest.mark.parametrize(
    ("columns", "column", "expected"),
    [
        (["review", "stars"], "review", "review"),
        (["my review"], "my review", "text"),
        (["my review", "text"], "my review", "text_"),
        (["$", "text", "text_"], "$", "text__"),
        (["Überschrift"], "Überschrift", "text"),
    ],
)
def test_the_key_is_a_name_that_label_studio_finds(
    columns: list[str], column: str, expected: str
) -> None:
    assert items.key_of(columns, column, TEXTS) == expected


def test_files_have_the_key_of_the_task() -> None:
    assert items.key_of(["file"], "file", IMAGES) == "image"


@pytest.mark.parametrize(
    ("columns", "task", "expected"),
    [
        (["text"], TEXTS, "text"),
        (["id", "text", "title"], TEXTS, "text"),
        (["number", "review"], TEXTS, "review"),
        (["title", "path"], IMAGES, "path"),
    ],
)
def test_the_column_is_guessed(columns: list[str], task: Any, expected: str) -> None:
    row = [1 if name == "number" else "x" for name in columns]

    assert items.column_of(Table(columns, [0], [row]), task, None) == expected


@pytest.mark.parametrize(
    ("columns", "row", "wanted", "said"),
    [
        (["review"], ["x"], "reviews", "Use 'review'"),
        (["a", "b"], ["x", "y"], None, "`column='a'`"),
        (["a"], [1], None, "no column with texts"),
        ([], [], None, "no column with texts"),
        (["a"], [None], "a", "The row 'r7' has no value in 'a'"),
        (["a"], [float("nan")], "a", "The row 'r7' has no value in 'a'"),
        (["a"], [""], "a", "The row 'r7' has no value in 'a'"),
        (["a"], [5], "a", "The row 'r7' has 5 in 'a'"),
    ],
)
def test_what_is_no_column_of_texts_is_refused(
    columns: list[str], row: list[Any], wanted: str | None, said: str
) -> None:
    with pytest.raises(Problem) as error:
        items.column_of(Table(columns, ["r7"], [row]), TEXTS, wanted)

    assert said in error.value.as_sentence()


def test_an_index_with_a_value_twice_is_refused() -> None:
    with pytest.raises(Problem, match="Two rows of the table have the index 3"):
        items.of_table(Table(["text"], [3, 4, 3], [["a"], ["b"], ["c"]]), "text", "text")


def test_an_index_may_have_several_levels() -> None:
    index = json.loads('[["a", 1], ["a", 2]]')

    found = items.of_table(Table(["text"], index, [["x"], ["y"]]), "text", "text")

    assert [item.meta["index"] for item in found] == [["a", 1], ["a", 2]]
