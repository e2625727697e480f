"""Label Studio's URLs stand in one module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelstudio_proxy
from labelstudio_proxy.label_studio import paths

PACKAGE = Path(labelstudio_proxy.__file__).parent
URL = re.compile(
    rf"(?<![\w.-])/({'|'.join(map(re.escape, paths._FIRST_SEGMENTS))})(/|$)"
    r"|local-files/|file-upload|heidi-tips|whoami|(?<![\w.-])/(health|logout|version)\b"
)
# The places inside a container and its image, which are no URLs, and a route of the gateway.
NO_URL = re.compile(r"/label-studio/data|^(/\(\\d\+\))?/export$")


def literals(module: Path) -> Iterator[str]:
    """Yield the texts of a module but for its docstrings."""
    tree = ast.parse(module.read_text("utf-8"))
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
        ):
            yield node.value


def test_no_other_module_spells_a_url_of_label_studio() -> None:
    """What Label Studio's next version changes is changed in one place."""
    found = [
        (str(module.relative_to(PACKAGE)), text)
        for module in PACKAGE.rglob("*.py")
        if module != Path(paths.__file__) and "programs" not in module.parts
        for text in literals(module)
        if URL.search(NO_URL.sub("", text))
    ]
    assert found == []


def test_a_local_file_is_named_in_the_query() -> None:
    """A file's name may hold what has a meaning in a query."""
    assert paths.local_file("a b&c/é.png") == "/data/local-files/?d=a%20b%26c/%C3%A9.png"


@pytest.mark.parametrize(
    "prefix",
    [
        *("/", "/x/", "/services/labels/", "/user/alice/", "/user/a%40b.c/", "/user/projects/"),
        *("/user/alice/second-server/", "/user/alice/data/", "/user/alice/labelstudio/"),
        *("/hub/user/alice/", "/data/user/alice/", "/projects/labelstudio/"),
    ],
)
def test_every_prefix_that_a_hub_or_jupyter_gives_is_possible(prefix: str) -> None:
    assert not paths.hides_pages(prefix)


@pytest.mark.parametrize("prefix", ["/projects/", "/api/v1/", "/user/", "/data/labelstudio/x/"])
def test_a_prefix_of_label_studios_own_paths_is_not(prefix: str) -> None:
    assert paths.hides_pages(prefix)
