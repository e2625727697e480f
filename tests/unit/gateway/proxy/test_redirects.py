from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_proxy.gateway.proxy.redirects import map_location, relative

PREFIX = "https://hub.example/user/a%40b.c/labelstudio"


@pytest.mark.parametrize("path", ["/", "/projects", "/projects/", "/projects/1/data?x=/a/b"])
@pytest.mark.parametrize("target", ["/", "/projects/", "/a:b", "/projects/2/?a=b#c"])
def test_a_relative_location_leads_where_it_should_from_everywhere(path: str, target: str) -> None:
    assert urljoin(PREFIX + path, relative(path, target)) == PREFIX + target


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/projects/1", "/projects/1"),
        ("http://localhost/projects/1", "/projects/1"),
        ("http://127.0.0.1:8080/projects/1?a=b", "/projects/1?a=b"),
        ("http://localhost", "/"),
        ("//localhost/x", "/x"),
    ],
)
def test_label_studios_own_addresses_are_mapped(location: str, target: str) -> None:
    mapped = map_location("/user/account", location)
    assert mapped is not None
    assert urljoin(f"{PREFIX}/user/account", mapped) == PREFIX + target


@pytest.mark.parametrize(
    "location",
    [
        *("//evil.example/", "https://evil.example/", "https:evil.example", "\\\\evil.example"),
        *("/\\evil.example", "javascript:alert(1)", "data:text/html,x", "/a\r\nSet-Cookie: x=1"),
        *(
            " //evil.example",
            "\t//evil.example",
            "http://localhost@evil.example/",
            "ftp://localhost/",
        ),
        *("http://localhost.evil.example/", "https:///evil.example"),
    ],
)
def test_no_redirect_leaves_the_origin(location: str) -> None:
    mapped = map_location("/projects/1/data", location)
    if mapped is not None:
        there = urlsplit(urljoin(f"{PREFIX}/projects/1/data", mapped))
        assert (there.scheme, there.netloc) == ("https", "hub.example")
    else:
        assert mapped is None


def test_signed_links_to_cloud_storage_are_the_exception() -> None:
    signed = "https://bucket.s3.amazonaws.com/cat.png?X-Amz-Signature=1"
    assert map_location("/tasks/1/resolve/?fileuri=x", signed) == signed
    assert map_location("/projects/1/presign/", signed) == signed
    assert map_location("/projects/1/data", signed) is None
    assert map_location("/tasks/1/resolve/", "javascript:alert(1)") is None


@given(st.text())
def test_whatever_label_studio_says_the_browser_stays(location: str) -> None:
    mapped = map_location("/projects/1", location)
    if mapped is not None:
        there = urlsplit(urljoin(f"{PREFIX}/projects/1", mapped))
        assert (there.scheme, there.netloc) == ("https", "hub.example")
