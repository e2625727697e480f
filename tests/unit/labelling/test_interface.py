"""Labelling interfaces, read."""

from __future__ import annotations

import pytest

from labelstudio_proxy.labelling.interface import Control, Interface, missing_keys
from labelstudio_proxy.problem import Problem

CLASSES = """
<View>
  <Header value="What is it?"/>
  <View style="display: flex"><Image name="image" value="$image"/></View>
  <Choices name="label" toName="image" choice="multiple">
    <View><Choice value="Hot dog"/></View><Choice value="Other" alias="other" html="&lt;b&gt;"/>
  </Choices>
</View>
"""


def test_choices_have_the_values_of_the_results() -> None:
    interface = Interface.parse(CLASSES)

    assert interface.controls == (
        Control("label", "image", "Choices", ("Hot dog", "other"), multiple=True),
    )
    assert interface.objects == {"image": ("Image", "image")}


@pytest.mark.parametrize(
    "tag",
    [
        *("Labels", "RectangleLabels", "PolygonLabels", "KeyPointLabels", "EllipseLabels"),
        *("BrushLabels", "HyperTextLabels", "ParagraphLabels", "TimeSeriesLabels"),
        *("TimelineLabels", "VectorLabels", "BitmaskLabels"),
    ],
)
def test_labels_of_regions_are_read(tag: str) -> None:
    for spelling in (tag, tag.lower()):
        (control,) = Interface.parse(
            f'<View><{spelling} name="l" toName="o"><Label value="A"/><Label value="B"/></{spelling}>'
            '<Text name="o" value="$text"/></View>'
        ).controls

        assert (control.tag, control.labels, control.multiple) == (tag, ("A", "B"), False)


@pytest.mark.parametrize(
    "tag", ["Rating", "Number", "TextArea", "DateTime", "Rectangle", "VideoRectangle"]
)
def test_other_controls_offer_no_values(tag: str) -> None:
    (control,) = Interface.parse(
        f'<View><{tag} name="l" toName="o" perRegion="true"/><Text name="o" value="$t"/></View>'
    ).controls

    assert (control.tag, control.labels, control.per_region) == (tag, (), True)


def test_nested_choices_are_paths() -> None:
    (control,) = Interface.parse(
        '<View><Text name="text" value="$text"/><Taxonomy name="kind" toName="text">'
        '<Choice value="Animal"><Choice value="Cat"/><Choice value="Dog" alias="d"/></Choice>'
        '<Choice value="Plant"/></Taxonomy></View>'
    ).controls

    assert control.labels == ("Animal", "Animal > Cat", "Animal > d", "Plant")
    assert control.multiple


def test_a_comparison_labels_two_objects() -> None:
    interface = Interface.parse(
        '<View><Pairwise name="better" toName="a,b"/><Text name="a" value="$one"/>'
        '<Text name="b" value="$two"/></View>'
    )

    assert interface.controls == (Control("better", "a,b", "Pairwise"),)
    assert interface.objects == {"a": ("Text", "one"), "b": ("Text", "two")}


def test_a_ranker_orders_a_list() -> None:
    interface = Interface.parse(
        '<View><List name="results" value="$items"/><Ranker name="rank" toName="results"/></View>'
    )

    assert interface.objects == {"results": ("List", "items")}
    assert interface.controls[0].multiple


def test_relations_are_no_control() -> None:
    interface = Interface.parse(
        '<View><Relations><Relation value="of"/></Relations><Labels name="l" toName="t">'
        '<Label value="A"/></Labels><Text name="t" value="$text"/></View>'
    )

    assert [control.labels for control in interface.controls] == [("A",)]


def test_a_chat_is_both() -> None:
    interface = Interface.parse('<View><Chat name="chat" value="$chat"/></View>')

    assert interface.controls == (Control("chat", "chat", "Chat"),)
    assert interface.objects == {"chat": ("Chat", "chat")}


def test_labels_may_come_from_the_data() -> None:
    interface = Interface.parse(
        '<View><Choices name="l" toName="i" value="$labels"/><Header value="$title"/>'
        '<Image name="i" valueList="$pages"/></View>'
    )

    assert interface.controls[0].labels == ()
    assert interface.objects == {"i": ("Image", "pages")}
    assert interface.keys == ("labels", "title", "pages")


def test_keys_may_lead_into_the_data() -> None:
    interface = Interface.parse(
        '<View><Repeater on="$pages" indexFlag="{{i}}"><Image name="i" value="$pages[{{i}}].url"/>'
        '</Repeater><Text name="t" value="$a.b"/><Text name="u" value="by $who"/>'
        '<Text name="v" value="Hello"/><Choices name="l" toName="i"><Choice value="A"/></Choices>'
        "</View>"
    )

    assert interface.objects["t"] == ("Text", "a.b")
    assert interface.objects["u"] == ("Text", "who")
    assert interface.objects["v"] == ("Text", "")
    assert missing_keys(interface, {"a": {"b": "text"}}) == ["pages", "who"]


def test_a_declaration_is_removed() -> None:
    assert (
        Interface.parse(f'<?xml version="1.0" encoding="utf-16"?>{CLASSES}').xml == CLASSES.strip()
    )


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("", "empty"),
        ("config.xml", "Line 1, column 1"),
        ("<View>\n  <Text a='1 & 2'/></View>", "Line 2, column 15"),
        ("<View><Text></View>", "mismatched tag"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><View/>', "DOCTYPE"),
        ("<View>\ud800</View>", "surrogate"),
    ],
)
def test_what_does_not_parse_is_refused_with_the_place(xml: str, said: str) -> None:
    with pytest.raises(Problem) as error:
        Interface.parse(xml)

    assert said in error.value.why


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ('<View><Choices name="l" toName="i"/></View>', "no tag that shows"),
        ('<View><Image name="i" value="$image"/></View>', "no tag that labels"),
        (
            '<View><Image name="i" value="$image"/><Rating name="l" toName="image"/></View>',
            "`<Rating name=\"l\">` labels 'image'",
        ),
        (
            '<View><Image name="i" value="$image"/><Rating name="i" toName="i"/></View>',
            "2 tags of the labelling interface have the name 'i'",
        ),
    ],
)
def test_what_fits_together_badly_is_refused_with_the_name(xml: str, said: str) -> None:
    with pytest.raises(Problem) as error:
        Interface.parse(xml)

    assert said in error.value.what
