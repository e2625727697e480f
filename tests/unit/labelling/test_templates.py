"""The labelling interface of each task."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_proxy.labelling.interface import Interface
from labelstudio_proxy.labelling.series import Series
from labelstudio_proxy.labelling.tasks import TASKS, task_named
from labelstudio_proxy.labelling.templates import MANY, interface_for
from labelstudio_proxy.problem import Problem

IMAGES = task_named("image-classification")
SERIES = Series(";", {"x": "x", '"y ""1"", <m>"': 'y "1", <m>'})
SPEECH = task_named("automatic-speech-recognition")
# Labels that need care in XML, in lists, in style sheets and on screen.
NASTY = (
    *(
        "a, b",
        'say "hi"',
        "it's",
        "<b>&amp;</b>",
        "🌭",
        "a  b",
        "50 %",
        "#1",
        "ä/ö",
        "[0]",
        "true",
        "1",
    ),
    *("1.5", "null", "{{x}}", "a > b", "👩‍🚀", "شكرا", "$"),
)


@pytest.mark.parametrize("name", [name for name in TASKS if name != SPEECH.name])
@pytest.mark.parametrize("labels", [["Yes"], list(NASTY), [f"label {n}" for n in range(500)]])
def test_every_task_offers_its_labels(name: str, labels: list[str]) -> None:
    task = task_named(name)

    interface = Interface.parse(interface_for(task, labels, series=SERIES))

    (control,) = interface.controls
    assert control.labels == tuple(labels)
    assert control.name == "label"
    assert control.tag.endswith("Labels") == task.regions
    assert [key for _, key in interface.objects.values()] == [task.key]


def test_speech_is_written_down() -> None:
    interface = Interface.parse(interface_for(SPEECH, None))

    assert [control.tag for control in interface.controls] == ["TextArea"]


def test_many_labels_can_be_searched() -> None:
    labels = [f"label {n}" for n in range(MANY + 1)]

    for task in (IMAGES, task_named("object-detection")):
        assert "<Filter" in interface_for(task, labels)
        assert "<Filter" not in interface_for(task, labels[1:])


def test_labels_have_different_colours() -> None:
    xml = interface_for(task_named("object-detection"), [f"label {n}" for n in range(20)])

    assert len({part[:7] for part in xml.split('background="')[1:]}) == 20


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, "needs labels"),
        ([], "needs labels"),
        ("cat, dog", "labels=['cat', 'dog']"),
        (5, "`labels` is 5"),
        ({"cat": 1, "dog": 1, "cat ": 1}, "'cat ' starts or ends with a space"),
        (["cat", 1], "1 is no text but int"),
        (["cat", None], "None is no text"),
        (["cat", ""], "'' is empty"),
        (["cat", " \t"], "is empty"),
        (["cat", "dog", "cat"], "'cat' is there twice"),
        (["cat", "a\nb"], r"has the character '\n'"),
        (["cat", "a\x00b"], r"has the character '\x00'"),
        (["cat", "over $100"], "'over $100' has a `$`"),
        (["cat", "\ud800"], r"has the character '\ud800'"),
    ],
)
def test_bad_labels_are_refused_by_name(labels: Any, said: str) -> None:
    with pytest.raises(Problem) as error:
        interface_for(IMAGES, labels)

    assert said in error.value.as_sentence()


def test_labels_for_speech_are_refused() -> None:
    with pytest.raises(Problem, match="has no labels"):
        interface_for(SPEECH, ["yes"])


def test_the_key_of_the_data_can_be_another() -> None:
    interface = Interface.parse(
        interface_for(task_named("text-classification"), ["A"], key="review")
    )

    assert interface.objects == {"text": ("Text", "review")}


def test_time_series_need_columns() -> None:
    with pytest.raises(Problem, match="columns of the time series"):
        interface_for(task_named("time-series-classification"), ["yes"])
