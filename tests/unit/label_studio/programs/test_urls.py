"""Which page a path without its last slash means, with Django's own resolver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

# Label Studio brings it; `make test-fast` does not install Label Studio.
pytest.importorskip("django")

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.test.utils import override_settings
from django.urls import path

from labelstudio_proxy.label_studio.programs.labelstudio_urls import add_slash

if not settings.configured:
    settings.configure()


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("api/tasks/", page),
    path("api/tasks/<int:number>", page),
    path("both", page),
    path("both/", page),
]


@pytest.fixture(autouse=True)
def pages() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("/api/tasks", "/api/tasks/"),
        ("/api/tasks/", "/api/tasks/"),
        ("/api/tasks/7", "/api/tasks/7"),
        ("/both", "/both"),
        ("/missing", "/missing"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_a_missing_slash_is_added(method: str, asked: str, found: str) -> None:
    seen: list[HttpRequest] = []

    def respond(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    add_slash(respond)(RequestFactory().generic(method, f"{asked}?page=2"))
    assert (seen[0].path, seen[0].path_info) == (found, found)
    assert seen[0].GET["page"] == "2"
