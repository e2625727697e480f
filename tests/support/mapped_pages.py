"""Pages of Label Studio, and what the tests of their mapping look at."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from hypothesis import HealthCheck, settings

from labelstudio_proxy.gateway.proxy.prefix_map import map_page
from labelstudio_proxy.gateway.static_files import versioned

PREFIX = "/user/alice/labelstudio/"
BASE = PREFIX[:-1].encode()
SCRIPT = versioned("prefix.js")
TAG = f'<script src="{PREFIX}_proxy/static/{SCRIPT}" data-prefix="{PREFIX}"></script>'.encode()
CAPTURED = Path(__file__).parents[1] / "unit" / "gateway" / "proxy" / "captured"
PAGES = sorted(CAPTURED.glob("*.html"))
STYLE_SHEETS = sorted(CAPTURED.glob("*.css"))
# User names as JupyterHub escapes them, and characters that would end a string, a value or a tag.
PREFIXES = [
    PREFIX,
    "/user/a%40b.c/labelstudio/",
    "/user/o'brien/labelstudio/",
    "/user/<img src=x onerror=alert(1)>/",
    "/user/\"onload=\"alert(1)\"/",
    "/user/</script><script>alert(1)</script>/",
    "/user/`${alert(1)}`/",
    "/user/\\) ; url(/x/",
    "/user/é 日本 😀/labelstudio/",
    "/user/a&amp;b&lt/",
]  # fmt: skip

# The time of an example depends on the load of the machine only.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mapped(html: str, prefix: str = PREFIX) -> str:
    """Return the mapped page without `prefix.js`, which has separate tests."""
    result = map_page(html.encode(), prefix)
    assert result.count(TAG) == 1 or prefix != PREFIX
    return result.replace(TAG, b"").decode()


class Scan(HTMLParser):
    """The tags and attributes that the standard library's parser finds in a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
