"""The labelling interface of each task."""

from __future__ import annotations

import colorsys
import re
import unicodedata
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from ..problem import Problem
from .series import Series
from .tasks import Task

# More labels than this get a search field, and scroll.
MANY = 30

_REGION_TAGS = {
    "object-detection": "RectangleLabels",
    "image-segmentation": "BrushLabels",
    "keypoint-detection": "KeyPointLabels",
    "token-classification": "Labels",
}
_OBJECT_TAGS = {
    "image": "Image",
    "text": "Text",
    "audio": "Audio",
    "video": "Video",
    "time-series": "TimeSeries",
}
_SEARCH = {
    "name": "filter",
    "toName": "label",
    "minlength": "1",
    "hotkey": "shift+f",
    "placeholder": "Search (Shift+F), then Enter",
    # The words stay, so that the chosen label stays in sight.
    "cleanup": "false",
}
_ONE_CHOICE = {
    "choice": "single",
    "showInline": "true",
    "required": "true",
    "requiredMessage": "Choose a label, or skip this item.",
}
# Label Studio puts data in the place of these, in labels, too.
_VARIABLE = re.compile(r"\$[\w[\].{}]", re.ASCII)
TRANSCRIPTION = "automatic-speech-recognition"


def interface_for(
    task: Task,
    labels: Sequence[str] | None,
    *,
    key: str | None = None,
    series: Series | None = None,
) -> str:
    """Return the XML of the labelling interface for `task`, or raise Problem.

    labels: what people choose from; None for speech recognition, which is free text.
    key:    of the task data; by default the task's.
    series: the shape of the tables with time series; needed for these.
    """
    view = ET.Element("View")
    if task.name == TRANSCRIPTION:
        if labels:
            raise Problem(
                f"{task.name} has no labels.",
                "People write down what they hear.",
                "Leave out `labels`, or use `task='audio-classification'`.",
            )
        _add_object(view, task, key)
        _add_transcription(view, task)
    else:
        names = checked_labels(task, labels)
        _add_labels(view, task, names)
        shown = _add_object(view, task, key, few=len(names) <= MANY)
        if task.medium == "time-series":
            _add_channels(shown, series)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def checked_labels(task: Task, labels: Sequence[str] | None) -> list[str]:
    """Return `labels` as a list, or raise Problem with the label that Label Studio cannot show."""
    if isinstance(labels, str):
        parts = [part.strip() for part in labels.split(",")]
        raise Problem(f"`labels` is one text, {labels!r}.", "", f"Write `labels={parts!r}`.")
    if labels is not None and not isinstance(labels, Iterable):
        raise Problem(f"`labels` is {labels!r}.", "", "Write a list of texts.")
    names = list(labels or ())
    if not names:
        raise Problem(
            f"{task.name} needs labels.", "", 'Write what people choose from: `labels=["…", "…"]`.'
        )
    seen = set()
    for name in names:
        if fault := _fault(name):
            raise Problem(f"The label {name!r} {fault[0]}.", "", fault[1])
        if name in seen:
            raise Problem(f"The label {name!r} is there twice.", "", "Remove one of them.")
        seen.add(name)
    return names


def _fault(name: object) -> tuple[str, str] | None:
    """Return what is wrong with a label and what to do about it, or None."""
    if not isinstance(name, str):
        return f"is no text but {type(name).__name__}", f"Write `{str(name)!r}`."
    if not name.strip():
        return "is empty", "Remove it, or give it a name."
    if name != name.strip():
        return "starts or ends with a space", f"Write `{name.strip()!r}`."
    # XML has no place for most control characters, and Label Studio turns line ends into spaces.
    bad = [
        c
        for c in name
        if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\ufffe\uffff"
    ]
    if bad:
        return f"has the character {bad[0]!r}", "Write it on one line, in letters."
    if _VARIABLE.search(name):
        return "has a `$`, where Label Studio expects a key of the data", "Write it without `$`."
    return None


def _add_object(view: ET.Element, task: Task, key: str | None, *, few: bool = True) -> ET.Element:
    """`few`: the labels above a picture take one or two lines, so that there is room for it."""
    value = f"${key or task.key}"
    tag = ET.SubElement(view, _OBJECT_TAGS[task.medium], {"name": task.key, "value": value})
    if task.medium == "image":
        tag.attrib |= {"zoom": "true", "maxHeight": f"calc(100vh - {240 if few else 370}px)"}
    return tag


def _add_labels(view: ET.Element, task: Task, names: list[str]) -> None:
    if len(names) > MANY:
        ET.SubElement(view, "Filter", _SEARCH)
        view = ET.SubElement(view, "View", {"style": "max-height: 12em; overflow-y: auto"})
    attributes = {"name": "label", "toName": task.key}
    if region_tag := _REGION_TAGS.get(task.name):
        control = ET.SubElement(view, region_tag, attributes)
        for number, name in enumerate(names):
            ET.SubElement(control, "Label", {"value": name, "background": _color(number)})
        return
    control = ET.SubElement(view, "Choices", attributes | _ONE_CHOICE)
    for name in names:
        ET.SubElement(control, "Choice", {"value": name})


def _add_transcription(view: ET.Element, task: Task) -> None:
    ET.SubElement(
        view,
        "TextArea",
        {
            "name": "label",
            "toName": task.key,
            "rows": "4",
            "editable": "true",
            "maxSubmissions": "1",
            "required": "true",
            "placeholder": "Write what you hear",
            "requiredMessage": "Write what you hear.",
        },
    )


def _add_channels(tag: ET.Element, series: Series | None) -> None:
    if series is None:
        raise Problem(
            "The columns of the time series are not known.",
            "",
            "Name files with a table, such as .csv, or write an own `config`.",
        )
    # A class is for the whole series, so all of it shows.
    tag.attrib |= {"valueType": "url", "sep": series.separator, "overviewWidth": "100%"}
    for number, (column, name) in enumerate(series.columns.items()):
        channel = {"column": column, "legend": name, "strokeColor": _color(number)}
        ET.SubElement(tag, "Channel", channel)


def _color(number: int) -> str:
    """Return the colour of the label `number`: neighbours are far apart, as the golden angle is."""
    hue, lightness = number * 0.618034 % 1, (0.45, 0.6, 0.35)[number // 10 % 3]
    return "#" + "".join(
        f"{round(part * 255):02x}" for part in colorsys.hls_to_rgb(hue, lightness, 0.75)
    )
