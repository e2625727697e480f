"""Which objects of a location in S3 become items."""

from __future__ import annotations

import pytest

from labelstudio_proxy.gateway.projects.s3 import Location
from labelstudio_proxy.gateway.projects.s3_source import source_of
from labelstudio_proxy.gateway.projects.sources import Context
from labelstudio_proxy.labelling.interface import Interface
from labelstudio_proxy.labelling.items import Item
from labelstudio_proxy.labelling.tasks import task_named
from labelstudio_proxy.problem import Problem

PLACE = Location.parse("s3://labels/hot dogs/")


OWN = (
    '<View><Text name="t" value="$url" valueType="url"/><Choices name="c" toName="t">'
    '<Choice value="Good"/></Choices></View>'
)


def context(task: str = "", own: str = "") -> Context:
    chosen = task_named(task) if task else None
    return Context("/", chosen, Interface.parse(own) if own else None, None)


def test_a_url_names_a_bucket_and_a_prefix() -> None:
    assert (PLACE.bucket, PLACE.prefix, PLACE.url) == ("labels", "hot dogs", "s3://labels/hot dogs")
    assert Location.parse("s3://labels").url == Location.parse("s3://labels/").url == "s3://labels"


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3:labels", "S3://labels"])
def test_a_url_without_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(Problem) as refused:
        Location.parse(url)
    assert repr(url) in refused.value.what


def test_objects_of_the_task_become_items_with_their_uris() -> None:
    keys = ["hot dogs/1 %#ü.PNG", "hot dogs/a?b.png", "hot dogs/readme", "hot dogs/x.jpg"]
    source = source_of(PLACE, keys, context())
    uris = ["s3://labels/hot dogs/1 %#ü.PNG", "s3://labels/hot dogs/x.jpg"]
    assert source.items == [Item({"image": uri}, {"file": uri}) for uri in uris]
    assert (source.title, source.task_name) == ("hot dogs", "image-classification")
    assert [note.split(": ")[1] for note in source.notes] == [
        "hot dogs/a?b.png.",
        "hot dogs/readme.",
    ]


def test_the_title_is_the_bucket_where_the_prefix_is_short() -> None:
    assert source_of(Location("labels", "a/b"), ["a/b/x.png"], context()).title == "labels"


def test_an_own_labelling_interface_names_the_key() -> None:
    source = source_of(PLACE, ["hot dogs/a.txt"], context(own=OWN))
    assert source.items[0].data == {"url": "s3://labels/hot dogs/a.txt"}
    assert source.task is None


@pytest.mark.parametrize(
    ("keys", "task", "says"),
    [
        (["hot dogs/a.png"], "audio-classification", "nothing for audio-classification"),
        (["hot dogs/a.txt"], "", "DataFrame"),
        (["hot dogs/a.csv"], "", "`config`"),
        (["hot dogs/model.pt"], "", "can be labelled"),
        (["hot dogs/a?.png"], "", "nothing for image-classification"),
    ],
)
def test_a_location_without_what_the_task_needs_is_refused(
    keys: list[str], task: str, says: str
) -> None:
    with pytest.raises(Problem) as refused:
        source_of(PLACE, keys, context(task))
    assert says in refused.value.as_sentence()
    assert PLACE.url in refused.value.as_sentence()
