"""From annotations to rows."""

from __future__ import annotations

from typing import Any

from labelstudio_proxy.labelling.interface import Interface
from labelstudio_proxy.labelling.rows import Labelled, Row, count_labels, rows, tables

CLASSES = Interface.parse(
    '<View><Image name="image" value="$image"/><Choices name="label" toName="image">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)
BOXES = Interface.parse(
    '<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image">'
    '<Label value="cat"/></RectangleLabels><Choices name="scene" toName="image">'
    '<Choice value="in"/></Choices><TextArea name="note" toName="image" perRegion="true"/></View>'
)
SPANS = Interface.parse(
    '<View><Text name="text" value="$text"/><Labels name="label" toName="text">'
    '<Label value="PER"/></Labels></View>'
)


def entry(name: str, kind: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"from_name": name, "to_name": "x", "type": kind, "value": value} | more


def chosen(*names: str, control: str = "label") -> dict[str, Any]:
    return entry(control, "choices", {"choices": list(names)})


def box(identifier: str = "a", *labels: str, **more: Any) -> dict[str, Any]:
    place = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
    size = {"id": identifier, "original_width": 200, "original_height": 100}
    return entry("box", "rectanglelabels", place | {"rectanglelabels": [*labels]}, **size) | more


def labelled(*result: dict[str, Any], **more: Any) -> Labelled:
    fields: dict[str, Any] = {"task_id": 1, "data": {}, "meta": {}, "annotation_id": 2} | more
    return Labelled(result=result, **fields)


def rows_of(interface: Interface, *found: Labelled) -> list[Row]:
    return list(rows(found, interface))


def test_a_classified_item_is_a_row() -> None:
    each = labelled(
        chosen("cat"),
        meta={"file": "/home/ada/1.png"},
        data={"image": "/data/local-files/?d=1.png"},
        annotator="ada@localhost",
        created_at="2026-11-29T16:56:46.000000Z",
        lead_time=1.5,
    )

    assert list(rows([each], CLASSES, {"/data/local-files/?d=1.png": "/elsewhere"}.get)) == [
        {
            "file": "/home/ada/1.png",
            "label": "cat",
            "annotator": "ada@localhost",
            "created_at": "2026-11-29T16:56:46.000000Z",
            "updated_at": None,
            "lead_time": 1.5,
            "task_id": 1,
            "annotation_id": 2,
            "skipped": False,
        }
    ]


def test_each_annotator_has_a_row() -> None:
    found = rows_of(CLASSES, labelled(chosen("cat")), labelled(chosen("dog"), annotation_id=3))

    assert [(row["annotation_id"], row["label"]) for row in found] == [(2, "cat"), (3, "dog")]


def test_an_item_without_a_label_is_a_row_without_a_label() -> None:
    skipped = labelled(chosen("cat"), skipped=True)

    for interface in (CLASSES, BOXES):
        found = rows_of(interface, labelled(), skipped, labelled(annotation_id=None))
        assert [row["label"] for row in found] == [None, None, None]
        assert [row["skipped"] for row in found] == [False, True, False]


def test_several_choices_are_a_list_even_if_there_is_one() -> None:
    several = Interface.parse(CLASSES.xml.replace("toName", 'choice="multiple" toName'))

    found = rows_of(several, labelled(chosen("cat")), labelled(chosen("cat", "dog")), labelled())

    assert [row["label"] for row in found] == [["cat"], ["cat", "dog"], None]


def test_nested_choices_have_the_names_of_the_interface() -> None:
    tree = Interface.parse(
        '<View><Text name="text" value="$text"/><Taxonomy name="kind" toName="text">'
        '<Choice value="Animal"><Choice value="Cat"/></Choice></Taxonomy></View>'
    )

    (row,) = rows_of(tree, labelled(entry("kind", "taxonomy", {"taxonomy": [["Animal", "Cat"]]})))

    assert row["label"] == ["Animal > Cat"]
    assert "Animal > Cat" in tree.controls[0].labels


def test_a_transcription_is_the_label() -> None:
    speech = Interface.parse(
        '<View><Audio name="audio" value="$audio"/><TextArea name="label" toName="audio"/></View>'
    )
    one = entry("label", "textarea", {"text": ["hello"]})
    two = entry("label", "textarea", {"text": ["hello", "world"]})

    found = rows_of(speech, labelled(one), labelled(two))

    assert [row["label"] for row in found] == ["hello", ["hello", "world"]]
    assert not count_labels([[one], [two]], speech)


def test_several_controls_have_a_column_each() -> None:
    mixed = Interface.parse(
        '<View><Text name="text" value="$text"/><Rating name="quality" toName="text"/>'
        '<Number name="label" toName="text"/><DateTime name="task_id" toName="text"/></View>'
    )
    result = [
        entry("quality", "rating", {"rating": 4}),
        entry("label", "number", {"number": 2.5}),
        entry("task_id", "datetime", {"datetime": "2026"}),
    ]

    (row,) = rows_of(mixed, labelled(*result))

    assert (row["label"], row["quality"], row["task_id_control"]) == (2.5, 4, "2026")
    assert row["task_id"] == 1


def test_each_region_is_a_row_with_what_is_said_of_the_item_and_of_it() -> None:
    note = box("b", type="textarea", from_name="note")
    note["value"] = note["value"] | {"text": ["blurred"]}
    result = [box("a", "cat"), note, box("b", "cat"), chosen("in", control="scene")]

    found = rows_of(BOXES, labelled(*result))

    assert [(row["region_id"], row["label"], row["box"]) for row in found] == [
        ("a", "cat", "cat"),
        ("b", "cat", "cat"),
    ]
    assert [row["scene"] for row in found] == ["in", "in"]
    assert [row["note"] for row in found] == [None, "blurred"]
    assert [row["x_min"] for row in found] == [20, 20]


def test_what_is_said_of_an_item_without_regions_is_kept() -> None:
    (row,) = rows_of(BOXES, labelled(chosen("in", control="scene")))

    assert (row["label"], row["scene"]) == (None, "in")


def test_a_label_and_its_shape_may_be_two_results() -> None:
    pair = Interface.parse(
        '<View><Image name="image" value="$image"/><Rectangle name="box" toName="image"/>'
        '<Labels name="label" toName="image"><Label value="cat"/></Labels></View>'
    )
    place = {"x": 10, "y": 20, "width": 30, "height": 40}
    size = {"id": "a", "original_width": 200, "original_height": 100}
    result = [
        entry("box", "rectangle", place, **size),
        entry("label", "labels", place | {"labels": ["cat"]}, **size),
    ]

    (row,) = rows_of(pair, labelled(*result))

    assert (row["label"], row["x_min"], row["y_max"]) == ("cat", 20, 60)
    assert "box" not in row


def test_a_choice_can_name_a_shape() -> None:
    shapes = Interface.parse(
        '<View><Image name="image" value="$image"/><Rectangle name="box" toName="image"/>'
        '<Choices name="kind" toName="image" perRegion="true"><Choice value="cat"/></Choices></View>'
    )
    place = box("a")["value"]
    result = [
        entry("box", "rectangle", place, id="a"),
        entry("kind", "choices", place | {"choices": ["cat"]}, id="a"),
    ]

    (row,) = rows_of(shapes, labelled(*result))

    assert row["label"] == "cat"


def test_regions_without_an_id_are_different_regions() -> None:
    first, second = box("a", "cat"), box("b", "cat")
    del first["id"], second["id"]

    assert [row["region_id"] for row in rows_of(BOXES, labelled(first, second))] == [None, None]


def test_results_without_a_value_are_ignored() -> None:
    (row,) = rows_of(CLASSES, labelled({"id": "a"}, {"value": {}}, chosen("cat")))

    assert row["label"] == "cat"


def test_relations_are_with_the_region_that_they_start_at() -> None:
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "bi"}
    result = [box("a", "cat"), box("b", "cat"), relation | {"labels": ["near"]}]

    first, second = rows_of(BOXES, labelled(*result))

    assert first["relations"] == [{"to": "b", "direction": "bi", "labels": ["near"]}]
    assert "relations" not in second


def test_spans_keep_their_offsets_and_the_column_of_the_source_gets_another_name() -> None:
    span = entry(
        "label", "labels", {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}, id="a"
    )

    (row,) = rows_of(SPANS, labelled(span, data={"text": "Ada wrote", "year": 1843}))

    assert (row["start"], row["end"], row["text"], row["label"]) == (0, 3, "Ada", "PER")
    assert (row["text_source"], row["year"]) == ("Ada wrote", 1843)


def test_the_other_columns_of_a_table_stay() -> None:
    each = labelled(chosen("cat"), data={"text": "miaow", "label": "dog"}, meta={"index": [1, "b"]})
    words = Interface.parse(CLASSES.xml.replace("Image", "Text").replace("$image", "$text"))

    (row,) = rows_of(words, each)

    assert list(row)[:3] == ["index", "text", "label_source"]
    assert (row["label_source"], row["label"], row["index"]) == ("dog", "cat", [1, "b"])


def test_a_column_that_label_studio_cannot_name_has_its_name_again() -> None:
    words = Interface.parse(CLASSES.xml.replace("Image", "Text").replace("$image", "$text"))
    each = labelled(chosen("cat"), data={"text": "miaow", "n": 1}, meta={"column": "my text"})

    (row,) = rows_of(words, each)

    assert list(row)[:2] == ["my text", "n"]


def test_the_text_of_a_file_stays_beside_its_path() -> None:
    words = Interface.parse(CLASSES.xml.replace("Image", "Text").replace("$image", "$text"))

    (row,) = rows_of(words, labelled(data={"text": "miaow"}, meta={"file": "/home/ada/1.txt"}))

    assert (row["file"], row["text"]) == ("/home/ada/1.txt", "miaow")


def test_a_file_without_a_record_is_found_by_its_url() -> None:
    each = labelled(chosen("cat"), data={"image": "/data/upload/1/a.png"})

    (row,) = rows([each], CLASSES, {"/data/upload/1/a.png": "/media/upload/1/a.png"}.get)

    assert row["file"] == "/media/upload/1/a.png"
    assert rows_of(CLASSES, each)[0]["image"] == "/data/upload/1/a.png"


def test_each_of_several_files_of_an_item_is_a_path() -> None:
    pair = Interface.parse(
        '<View><Image name="a" value="$left"/><Image name="b" value="$right"/>'
        '<Pairwise name="better" toName="a,b"/></View>'
    )
    result = entry("better", "pairwise", {"selected": "left"})
    each = labelled(result, data={"left": "/data/1", "right": "https://example.org/2"})

    (row,) = rows([each], pair, {"/data/1": "/home/ada/1.png"}.get)

    assert (row["left"], row["right"]) == ("/home/ada/1.png", "https://example.org/2")
    assert row["label"] == "left"
    assert "file" not in row


def test_a_project_without_labels_has_the_columns() -> None:
    (empty,) = tables([], CLASSES, like={"file": "/home/ada/1.png", "label": None})

    assert empty.rows == []
    assert empty.columns == [
        *("file", "label", "annotator", "created_at", "updated_at", "lead_time", "task_id"),
        "annotation_id",
    ]
    assert not list(tables([], CLASSES))


def test_tables_have_the_columns_of_their_rows() -> None:
    result = [box("a", "cat"), {"type": "relation", "from_id": "a", "to_id": "a"}]
    found = rows([labelled(box("a", "cat")), labelled(*result)], BOXES)

    first, second = tables(found, BOXES, unlabelled=True, size=1)

    assert first.columns == [
        *("label", "x_min", "y_min", "x_max", "y_max", "rotation", "points", "box", "scene"),
        *("note", "annotator", "created_at", "updated_at", "lead_time", "task_id"),
        *("annotation_id", "region_id", "skipped"),
    ]
    assert second.columns == [*first.columns, "relations"]
    assert [len(row) for row in second.rows] == [len(second.columns)]


def test_labels_are_counted_as_the_rows_have_them() -> None:
    several = Interface.parse(CLASSES.xml.replace("toName", 'choice="multiple" toName'))
    results = [[chosen("cat", "dog")], [chosen("cat")], []]

    assert count_labels(results, several) == {"cat": 2, "dog": 1}
    assert count_labels([[box("a", "cat"), box("b", "cat")]], BOXES) == {"cat": 2}
