"""From a model's rows to Label Studio's predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from labelstudio_proxy.labelling.interface import Interface
from labelstudio_proxy.labelling.matching import KEY, Item, Items
from labelstudio_proxy.labelling.predictions import Columns, Prediction, predictions
from labelstudio_proxy.labelling.rows import Labelled, rows
from labelstudio_proxy.labelling.tasks import TASKS
from labelstudio_proxy.labelling.templates import interface_for
from labelstudio_proxy.problem import Problem

SIZE = (200, 100)


def interface(task: str, labels: Sequence[str] | None = ("Cat", "Dog")) -> Interface:
    return Interface.parse(interface_for(TASKS[task], labels))


CLASSES = interface("image-classification")
BOXES = interface("object-detection")


def file_item(number: int) -> Item:
    return Item(
        number,
        {"image": f"/data/local-files/?d=pictures/{number}.png"},
        {"file": f"/home/ada/pictures/{number}.png"},
    )


def text_item(number: int, text: str) -> Item:
    return Item(number, {"text": text}, {"column": "text"})


def made(
    given: Sequence[Mapping[str, Any]],
    of: Interface,
    items: Sequence[Item] = (file_item(1), file_item(2)),
    columns: Columns = Columns(),  # noqa: B008 - immutable
) -> list[Prediction]:
    return predictions(given, Items(items, of), of, columns, size_of=lambda item: SIZE)


def value(x: float, y: float, width: float, height: float, rotation: float = 0) -> dict[str, Any]:
    return {"x": x, "y": y, "width": width, "height": height, "rotation": rotation}


def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(Problem) as caught:
        made(*arguments, **options)
    return caught.value.as_sentence()


def test_a_label_for_each_item() -> None:
    first, second = made(
        [{"task_id": 1, "label": "Cat", "score": 0.9}, {"task_id": 2, "label": ["Dog"]}], CLASSES
    )

    assert (first.task, first.score) == (1, 0.9)
    assert first.result == [
        {
            "id": "1-0",
            "from_name": "label",
            "to_name": "image",
            "type": "choices",
            "value": {"choices": ["Cat"]},
        }
    ]
    assert (second.task, second.score) == (2, None)


def test_several_rows_of_an_item_are_one_prediction() -> None:
    box = {"x_min": 20, "y_min": 10, "x_max": 120.0, "y_max": 60}
    (prediction,) = made(
        [
            {"task_id": 1, **box, "label": "Cat", "score": 0.5},
            {"task_id": 1, **box, "label": "Dog", "score": 1},
        ],
        BOXES,
    )

    assert prediction.score == 0.75
    assert [each["score"] for each in prediction.result] == [0.5, 1.0]
    assert prediction.result[0]["value"] == {
        **value(10.0, 10.0, 50.0, 50.0),
        "rectanglelabels": ["Cat"],
    }
    assert prediction.result[0]["original_width"] == 200
    assert len({each["id"] for each in prediction.result}) == 2


def test_an_item_without_objects_gets_an_empty_prediction() -> None:
    empty = dict.fromkeys(("x_min", "y_min", "x_max", "y_max", "label"))

    (prediction,) = made([{"task_id": 1, **empty}], BOXES)

    assert prediction.result == []


def test_boxes_are_cut_at_the_edge() -> None:
    (prediction,) = made(
        [{"task_id": 1, "label": "Cat", "x_min": -3, "y_min": 0, "x_max": 200.5, "y_max": 50}],
        BOXES,
    )

    box = prediction.result[0]["value"]
    assert (box["x"], box["width"]) == (0.0, 100.0)


REGIONS: list[tuple[str, Item, dict[str, Any]]] = [
    (
        "object-detection",
        file_item(1),
        value(12.5, 25.0, 10.0, 20.0),
    ),
    (
        "object-detection",
        file_item(1),
        value(50.0, 50.0, 10.0, 20.0, 30.0),
    ),
    ("keypoint-detection", file_item(1), {"x": 12.5, "y": 25.0, "width": 0.5}),
    ("image-segmentation", file_item(1), {"format": "rle", "rle": [0, 0, 0, 1, 57]}),
    ("token-classification", text_item(1, "Ada 🐈 Lovelace"), {"start": 4, "end": 5, "text": "🐈"}),
]


@pytest.mark.parametrize(("task", "item", "place"), REGIONS)
def test_rows_of_annotations_give_the_same_regions(
    task: str, item: Item, place: dict[str, Any]
) -> None:
    own = interface(task)
    (control,) = own.controls
    entry: dict[str, Any] = {
        "id": "1-0",
        "from_name": "label",
        "to_name": control.to_name,
        "type": control.tag.lower(),
        "value": {**place, control.tag.lower(): ["Dog"]},
    }
    if control.to_name == "image":
        entry |= {"original_width": 200, "original_height": 100, "image_rotation": 0}
    labelled = Labelled(1, dict(item.data), dict(item.meta), 7, result=[entry])

    (prediction,) = made(list(rows([labelled], own)), own, [item])

    (found,) = prediction.result
    exact = {**entry, "value": None}, {**found, "value": None}
    assert exact[0] == exact[1]
    assert found["value"].keys() == entry["value"].keys()
    for name, expected in entry["value"].items():
        assert found["value"][name] == (
            pytest.approx(expected, abs=1e-3) if isinstance(expected, float) else expected
        )


def test_polygons_are_drawn_by_their_points() -> None:
    own = Interface.parse(
        '<View><Image name="i" value="$image"/><RectangleLabels name="box" toName="i">'
        '<Label value="Cat"/></RectangleLabels><PolygonLabels name="outline" toName="i">'
        '<Label value="Cat"/></PolygonLabels></View>'
    )
    points = [[0, 0], [200, 0], [100, 50]]
    box = {"x_min": 0, "y_min": 0, "x_max": 200, "y_max": 50}

    (prediction,) = made([{"task_id": 1, **box, "points": points, "label": "Cat"}], own)

    (entry,) = prediction.result
    assert entry["from_name"] == "outline"
    assert entry["value"]["points"] == [[0.0, 0.0], [100.0, 0.0], [50.0, 50.0]]


def test_spans_of_sound_and_transcripts() -> None:
    sound = Item(1, {"audio": "/data/upload/1/a.wav"}, {})
    marked = Interface.parse(
        '<View><Labels name="label" toName="audio"><Label value="Cat"/></Labels>'
        '<Audio name="audio" value="$audio"/></View>'
    )
    (span,) = made([{"task_id": 1, "start": 0.5, "end": 2, "label": "Cat"}], marked, [sound])
    assert span.result[0]["value"] == {"start": 0.5, "end": 2.0, "channel": 0, "labels": ["Cat"]}

    heard = interface("automatic-speech-recognition", None)
    (spoken,) = made([{"task_id": 1, "text": "good morning"}], heard, [sound])
    assert spoken.result[0]["value"] == {"text": ["good morning"]}
    (silent,) = made([{"task_id": 1, "text": ""}], heard, [sound])
    assert silent.result == []


def test_several_choices_nested_ones_and_other_controls() -> None:
    own = Interface.parse(
        '<View><Image name="image" value="$image"/><Choices name="label" toName="image" '
        'choice="multiple"><Choice value="Cat"/><Choice value="Dog"/></Choices>'
        '<Taxonomy name="kind" toName="image"><Choice value="Animal"><Choice value="Pet"/></Choice>'
        '</Taxonomy><Rating name="stars" toName="image"/></View>'
    )

    (prediction,) = made(
        [{"task_id": 1, "label": ["Cat", "Dog"], "kind": "Animal > Pet", "stars": 4.0}], own
    )

    assert [each["value"] for each in prediction.result] == [
        {"choices": ["Cat", "Dog"]},
        {"taxonomy": [["Animal", "Pet"]]},
        {"rating": 4},
    ]


def test_numbers_can_be_labels() -> None:
    digits = interface("image-classification", [str(each) for each in range(10)])

    first, second = made([{"task_id": 1, "label": 7}, {"task_id": 2, "label": 3.0}], digits)

    assert first.result[0]["value"] == {"choices": ["7"]}
    assert second.result[0]["value"] == {"choices": ["3"]}


def test_other_columns_can_hold_labels_and_scores() -> None:
    row = {"task_id": 1, "class": "Cat", "confidence": 0.25}

    (prediction,) = made([row], CLASSES, columns=Columns("class", "confidence"))

    assert prediction.score == 0.25


GOOD = {"task_id": 1, "label": "Cat"}
BOX = {"x_min": 20, "y_min": 10, "x_max": 120, "y_max": 60}


@pytest.mark.parametrize(
    ("given", "of", "words"),
    [
        ([], CLASSES, "There are no predictions."),
        ([GOOD, {"label": "Cat"}], CLASSES, "Row 1 does not say which item it is for."),
        ([GOOD, GOOD | {"task_id": 9}], CLASSES, "Row 1 is for the task 9, which the project"),
        ([{"label": "Cat", "file": "/x.png"}], CLASSES, "Row 0 is for '/x.png', which the project"),
        ([GOOD, GOOD], CLASSES, "Rows 0 and 1 are for the same item. It is for '/home/ada/"),
        ([GOOD | {"label": "cat"}], CLASSES, "the label 'cat', which the project does not have."),
        ([GOOD | {"label": "cat"}], CLASSES, "Did you mean 'Cat'?"),
        ([GOOD | {"label": "Bird"}], CLASSES, "Its labels are 'Cat', 'Dog'."),
        ([GOOD | {"label": None}], CLASSES, "Row 0 has no label."),
        ([GOOD | {"label": ["Cat", "Dog"]}], CLASSES, "Row 0 has 2 labels: 'Cat', 'Dog'."),
        ([{"task_id": 1, "class": "Cat"}], CLASSES, "Row 0 has no column 'label'. Its columns are"),
        ([GOOD | {"score": None}], CLASSES, "Row 0 has the score NaN."),
        ([GOOD | {"score": 1.5}], CLASSES, "Row 0 has the score 1.5."),
        ([GOOD | {"score": "high"}], CLASSES, "Row 0 has the score 'high'."),
        ([GOOD | {"score": True}], CLASSES, "Row 0 has the score True."),
        ([GOOD], BOXES, "Row 0 has no value for `x_min`, `y_min`, `x_max`, `y_max`."),
        ([GOOD | BOX | {"y_max": None}], BOXES, "Row 0 has no value for `y_max`."),
        ([GOOD | BOX | {"x_max": 10}], BOXES, "Row 0 has no box: x from 20 to 10"),
        ([GOOD | BOX | {"x_min": "left"}], BOXES, "`x_min` 'left', which is no number"),
        ([GOOD | BOX | {"x_min": 300, "x_max": 400}], BOXES, "a box outside of its picture"),
        ([GOOD | BOX | {"label": None}], BOXES, "Row 0 has no label."),
        ([GOOD | dict.fromkeys(BOX, 0.25)], BOXES, "The boxes are smaller than a pixel."),
    ],
)
def test_a_wrong_row_is_named(given: list[dict[str, Any]], of: Interface, words: str) -> None:
    assert words in refused(given, of)


def test_unknown_sizes_and_columns_are_named() -> None:
    with pytest.raises(Problem, match="a picture whose size is not known"):
        predictions([GOOD | BOX], Items([file_item(1)], BOXES), BOXES)
    (prediction,) = predictions(
        [GOOD | BOX | {"width": 200, "height": 100}], Items([file_item(1)], BOXES), BOXES
    )
    assert prediction.result[0]["value"]["width"] == 50.0

    assert "no column 'certainty'" in refused([GOOD], CLASSES, columns=Columns(score="certainty"))
    assert "200 x 100" in refused(
        [GOOD | {"mask": {"rle": "AAAA", "width": 10, "height": 10}}],
        interface("image-segmentation"),
    )
    assert "its text has the characters 0 to 3" in refused(
        [{"task_id": 1, "label": "Cat", "start": 1, "end": 4}],
        interface("token-classification"),
        [text_item(1, "Ada")],
    )
    assert "500 labels" not in refused(
        [GOOD | {"label": "x"}],
        interface("image-classification", [f"label {each}" for each in range(500)]),
    )


def test_an_interface_without_a_place_for_rows_is_refused() -> None:
    pairs = Interface.parse(
        '<View><Pairwise name="better" toName="a,b"/><Text name="a" value="$a"/>'
        '<Text name="b" value="$b"/></View>'
    )

    assert "Its labelling interface has <Pairwise>" in refused([GOOD], pairs)


def test_labels_of_the_data_and_unnamed_rows() -> None:
    (prediction,) = made([{KEY: "/home/ada/pictures/2.png", "label": "Dog"}], CLASSES)

    assert prediction.task == 2
