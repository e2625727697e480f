"""Labelling interfaces: Label Studio's XML, read. `templates` writes the ones for our tasks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from ..problem import Problem

# Between the names of a nested choice.
NESTED = " > "

# Label Studio accepts any case; results carry the name in lower case.
_CONTROLS = {
    tag.lower(): tag
    for tag in (
        *("Bitmask", "BitmaskLabels", "Brush", "BrushLabels", "Choices", "DateTime", "Ellipse"),
        *("EllipseLabels", "HyperTextLabels", "KeyPoint", "KeyPointLabels", "Labels", "MagicWand"),
        *("Number", "Pairwise", "ParagraphLabels", "Polygon", "PolygonLabels", "Ranker", "Rating"),
        *("Rectangle", "RectangleLabels", "Taxonomy", "TextArea", "TimelineLabels"),
        *("TimeSeriesLabels", "Vector", "VectorLabels", "VideoRectangle"),
    )
}
_OBJECTS = {
    tag.lower(): tag
    for tag in (
        *("Audio", "Chat", "HyperText", "Image", "List", "Paragraphs", "Pdf", "Table", "Text"),
        *("TimeSeries", "Video"),
    )
}
# These have a name and a value, and nothing to label.
_NEITHER = ("header", "label", "choice", "filter", "shortcut", "channel")
# These show something and hold its labels, too.
_BOTH = ("chat", "reactcode")
_DECLARATION = re.compile(r"<\?xml[^>]*\?>")
# What Label Studio replaces by data: the whole of a value, and inside other text.
_DATA = re.compile(r"\$[\w[\].{}]+", re.ASCII)
_VARIABLE = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Control:
    """A tag that people label with.

    to_name:    the objects that it labels, with commas between their names.
    tag:        such as "Choices", "RectangleLabels" or "TextArea".
    labels:     the values that it offers as they appear in results, a nested one with its parents
                ("Animal > Cat"); () for free text, ratings, and labels that come from the data.
    multiple:   True if one item can have several of its values.
    per_region: True if it describes a region and not the whole item.
    """

    name: str
    to_name: str
    tag: str
    labels: tuple[str, ...] = ()
    multiple: bool = False
    per_region: bool = False


@dataclass(frozen=True)
class Interface:
    """A labelling interface.

    controls: in the order of the XML.
    objects:  the name of the object's tag -> (its tag, such as "Image"; its key of the task data).
              The key is "" for fixed content.
    keys:     the keys of the task data that the interface shows, labels from the data included.
    """

    xml: str
    controls: tuple[Control, ...]
    objects: Mapping[str, tuple[str, str]]
    keys: tuple[str, ...] = ()

    @classmethod
    def parse(cls, xml: str) -> Interface:
        """Return the interface that `xml` describes, or raise Problem."""
        # Label Studio does not accept a declaration.
        xml = _DECLARATION.sub("", xml.strip(), count=1).lstrip()
        root = _tree(xml)
        _check_names(root)
        controls, objects = tuple(_controls(root)), dict(_objects(root))
        for kind, found in (("shows", objects), ("labels", controls)):
            if not found:
                raise Problem(
                    f"The labelling interface has no tag that {kind} anything.",
                    "",
                    'It needs one like `<Image name="image" value="$image"/>` and one like '
                    '`<Choices name="label" toName="image">`.',
                )
        for control in controls:
            _check_target(control, objects)
        return cls(xml, controls, objects, tuple(dict.fromkeys(_keys(root))))


def missing_keys(interface: Interface, data: Mapping[str, Any]) -> list[str]:
    """Return the keys that `interface` shows and the task data do not have."""
    return [key for key in interface.keys if key not in data]


def _tree(xml: str) -> ET.Element:
    if not xml:
        raise _unreadable("It is empty.")
    if "<!DOCTYPE" in xml:
        raise _unreadable("It has a `<!DOCTYPE …>`, which Label Studio does not accept.")
    try:
        return ET.fromstring(xml)  # noqa: S314 (the user's own, without a DTD)
    except ET.ParseError as error:
        line, column = error.position
        reason = str(error).partition(": line")[0]
        raise _unreadable(
            f"Line {line}, column {column + 1}: {reason}. Inside values, `&` is written `&amp;`, "
            "`<` is `&lt;` and a quotation mark is `&quot;`."
        ) from None
    except UnicodeEncodeError:
        raise _unreadable("It has half of a surrogate pair, which is no character.") from None


def _unreadable(why: str) -> Problem:
    return Problem("The labelling interface is no valid XML.", why, "Correct `config`.")


def _controls(root: ET.Element) -> Iterator[Control]:
    for tag in root.iter():
        kind, name, target = tag.tag.lower(), tag.get("name"), tag.get("toName")
        if kind in _BOTH:
            target = name
        if name and target and kind not in _NEITHER:
            yield _control(tag, name, target)


def _control(tag: ET.Element, name: str, target: str) -> Control:
    kind = _CONTROLS.get(tag.tag.lower(), tag.tag)
    return Control(
        name,
        target,
        kind,
        tuple(dict.fromkeys(_labels(tag, ()))),
        _multiple(kind, tag),
        tag.get("perRegion") == "true",
    )


def _labels(tag: ET.Element, parents: tuple[str, ...]) -> Iterator[str]:
    for child in tag:
        if child.tag.lower() not in ("label", "choice"):
            yield from _labels(child, parents)
            continue
        value = child.get("alias") or child.get("value")
        if value and not _DATA.fullmatch(child.get("value", "")):
            yield NESTED.join((*parents, value))
            yield from _labels(child, (*parents, value))


def _multiple(kind: str, tag: ET.Element) -> bool:
    if kind == "Taxonomy":
        return tag.get("maxUsages") != "1"
    if kind == "TextArea":
        return tag.get("maxSubmissions") != "1"
    return kind == "Ranker" or (tag.get("choice") or "").startswith("multiple")


def _objects(root: ET.Element) -> Iterator[tuple[str, tuple[str, str]]]:
    for tag in root.iter():
        kind, name = tag.tag.lower(), tag.get("name")
        value = tag.get("value") or tag.get("valueList") or ""
        only_shows = value and not tag.get("toName") and kind not in _NEITHER
        if name and (only_shows or kind in _BOTH):
            yield name, (_OBJECTS.get(kind, tag.tag), _key(value))


def _key(value: str) -> str:
    if value.startswith("$"):
        return value[1:]
    found = _VARIABLE.search(value)
    return found[1] if found else ""


def _keys(root: ET.Element) -> Iterator[str]:
    for tag in root.iter():
        for attribute in ("value", "valueList", "on"):
            value = tag.get(attribute, "")
            if value.startswith("$") and len(value) > 1:
                # the first step of `$a.b` and `$a[0].b`
                yield re.split(r"[.\[]", value[1:], maxsplit=1)[0]
            elif tag.get("name") and not tag.get("toName"):
                yield from _VARIABLE.findall(value)


def _check_names(root: ET.Element) -> None:
    names = [name for tag in root.iter() if (name := tag.get("name"))]
    for name, count in Counter(names).items():
        if count > 1:
            raise Problem(
                f"{count} tags of the labelling interface have the name {name!r}.",
                "",
                "Give each tag a different name.",
            )


def _check_target(control: Control, objects: Mapping[str, object]) -> None:
    for name in control.to_name.split(","):
        if name not in objects:
            raise Problem(
                f'`<{control.tag} name="{control.name}">` labels {name!r}, which the labelling '
                "interface does not have.",
                "",
                f"Set `toName` to {' or '.join(map(repr, objects))}.",
            )
