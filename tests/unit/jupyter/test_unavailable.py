"""The page that Jupyter shows in place of the gateway's pages."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from labelstudio_proxy.jupyter.unavailable import GatewayUnavailable, page_policy
from labelstudio_proxy.problem import Problem

PREFIX = "/user/a%40b.c/labelstudio/"
PROBLEM = Problem("It is <broken>.", "A & B.", "Run `rm <x>`.")


@pytest.mark.parametrize("passing", [False, True])
def test_page_says_what_happened_and_what_to_do(passing: bool) -> None:
    page = GatewayUnavailable(PROBLEM, passing=passing).page(PREFIX)
    for shown in ("<h1>It is &lt;broken&gt;</h1>", "A &amp; B.", "<code>rm &lt;x&gt;</code>"):
        assert shown in page
    assert ('http-equiv="refresh"' in page) is passing
    assert ("Try again" in page) is not passing


def test_page_loads_nothing_and_its_policy_allows_only_its_own_style_and_script() -> None:
    page = GatewayUnavailable(PROBLEM).page(PREFIX)
    assert not re.search(r'(?:src|href)="(?!data:|")|url\(', page)
    for name in ("style", "script"):
        (inline,) = re.findall(f"<{name}[^>]*>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in page_policy()
    assert "default-src 'none'" in page_policy()
