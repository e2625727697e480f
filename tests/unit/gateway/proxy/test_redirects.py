from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_proxy.gateway.proxy.redirects import map_location, relative

PREFIX = "https://hub.example/user/a%40b.c/labelstudio"


@pytest.mark.parametrize("path", ["/", "/projects", "/projects/", "/projects/1/data?x=/a/b"])
@pytest.mark.parametrize("target", ["/", "/projects/", "/a:b", "/projects/2/?a=b#c"])
def test_a_relative_location_is_right_from_every_path(path: str, target: str) -> None:
    assert urljoin(PREFIX + path, relative(path, target)) == PREFIX + target


@pytest.mark.parametrize(
    ("path", "location", "target"),
    [
        ("/user/account", "/projects/1", "/projects/1"),
        ("/user/account", "http://localhost/projects/1", "/projects/1"),
        ("/user/account", "http://127.0.0.1:8080/projects/1?a=b", "/projects/1?a=b"),
        ("/user/account", "http://localhost", "/"),
        ("/user/account", "//localhost/x", "/x"),
        ("/", "/projects/", "/projects/"),
        ("/projects", "/projects/", "/projects/"),
        ("/projects/1/data?tab=2", "/projects/2/data?tab=3#x", "/projects/2/data?tab=3#x"),
        ("/projects/1/data", "http://localhost/?next=/a/", "/?next=/a/"),
        ("/projects/1/data", "http://localhost?next=/a/", "/?next=/a/"),
        ("/projects/1/data", "settings", "/projects/1/settings"),
        ("/projects/1/data", "?tab=2", "/projects/1/data?tab=2"),
        ("/a%2Fb/c", "/projects/", "/projects/"),
        ("/", "/x:y/", "/x:y/"),
        ("/projects/", "/data/caf%C3%A9%2F.png?a=%2F+", "/data/caf%C3%A9%2F.png?a=%2F+"),
    ],
)
def test_label_studios_own_addresses_are_mapped(path: str, location: str, target: str) -> None:
    mapped = map_location(path, location)
    assert mapped is not None
    assert not urlsplit(mapped).netloc
    assert not mapped.startswith("/")
    assert urljoin(PREFIX + path, mapped) == PREFIX + target


@pytest.mark.parametrize("path", ["/", "/projects/1/data", "/api/projects/1/", "/data/upload/1/a"])
@pytest.mark.parametrize(
    "location",
    [
        *("//evil.example/", "///evil.example/", "////evil.example/", "\t//evil.example"),
        *(
            "https://evil.example/",
            "HTTPS://evil.example/",
            "https:evil.example",
            " //evil.example",
        ),
        *("https:/evil.example", "http:///evil.example", "https:///evil.example"),
        *("\\\\evil.example", "/\\evil.example", "\\/evil.example", "/\\/evil.example"),
        *(
            "/\t/evil.example",
            "http://localhost\\@evil.example/",
            "http://localhost/\\evil.example/",
        ),
        *("http://localhost@evil.example/", "http://localhost:80@evil.example/"),
        *("http://localhost.evil.example/", "http://localhost//evil.example/"),
        *("http://127.0.0.1.evil.example/", "http://[evil.example/", "http://localhost:port/"),
        *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "ftp://localhost/"),
        *(".//evil.example/", "..//evil.example/", "/..//evil.example/", "/.//evil.example/"),
        *("/%09/evil.example/", "/%5cevil.example", "/x\r\nSet-Cookie: a=b", "/x\rA: b"),
        *("/x\nA: b", "/x\0", "/\xe9"),
    ],
)
def test_no_redirect_leaves_the_origin(path: str, location: str) -> None:
    mapped = map_location(path, location)
    if mapped is not None:
        # no character that a browser drops or takes for a slash: so urljoin reads it as it does
        assert not set("\\\t\r\n\0 ") & set(mapped)
        assert not mapped.startswith("/")
        there = urlsplit(urljoin(PREFIX + path, mapped))
        assert (there.scheme, there.netloc) == ("https", "hub.example")


def test_signed_links_to_cloud_storage_are_the_exception() -> None:
    signed = "https://bucket.s3.amazonaws.com/cat.png?X-Amz-Signature=1"
    assert map_location("/tasks/1/resolve/?fileuri=x", signed) == signed
    assert map_location("/projects/1/presign/", signed) == signed
    assert map_location("/projects/1/data", signed) is None
    local = "http://127.0.0.1:9000/bucket/cat.png?X-Amz-Signature=1"  # MinIO on this machine
    assert map_location("/tasks/1/resolve/", local) == local
    assert map_location("/tasks/1/resolve/", "http://localhost/user/login/") is not None
    for location in ("javascript:alert(1)", "file:///etc/passwd", "//evil.example"):
        assert map_location("/tasks/1/resolve/", location) is None


@given(st.text())
def test_no_location_leaves_the_origin(location: str) -> None:
    mapped = map_location("/projects/1", location)
    if mapped is not None:
        there = urlsplit(urljoin(f"{PREFIX}/projects/1", mapped))
        assert (there.scheme, there.netloc) == ("https", "hub.example")
