"""What may run in a page: what has its nonce, and what Label Studio's templates have in attributes."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from labelstudio_proxy.gateway.proxy.content_security_policy import new_nonce, page_policy
from labelstudio_proxy.gateway.proxy.prefix_map import map_page

CAPTURED = Path(__file__).parent / "captured"
PREFIX = "/user/o'brien/labelstudio/"


def directives(policy: str) -> dict[str, list[str]]:
    return {each.split()[0]: each.split()[1:] for each in policy.split(";")}


def test_nothing_is_allowed_by_what_foreign_html_can_say() -> None:
    allowed = directives(page_policy("n", PREFIX, "'self'"))
    assert allowed["script-src"] == ["'nonce-n'", "'strict-dynamic'", "'unsafe-eval'"]
    assert allowed["default-src"] == ["'self'", "data:", "blob:"]
    assert "script-src-elem" not in allowed
    assert all(
        each == "'unsafe-hashes'" or each.startswith("'sha256-")
        for each in allowed["script-src-attr"]
    )
    assert allowed["frame-ancestors"] == ["'self'"]


def test_a_nonce_is_not_to_be_guessed_and_needs_no_escaping() -> None:
    nonces = {new_nonce() for _ in range(100)}
    assert len(nonces) == 100
    assert all(re.fullmatch(r"[\w-]{24}", nonce) for nonce in nonces)


@pytest.mark.parametrize("prefix", ["/", "/labelstudio/", PREFIX])
@pytest.mark.parametrize("name", ["404.html", "account.html"])
def test_handlers_of_label_studios_pages_are_allowed(name: str, prefix: str) -> None:
    page = map_page((CAPTURED / name).read_bytes(), prefix)
    handlers = re.findall(rb'(?i) on[a-z]+="([^"]*)"', page)
    assert len(handlers) == 2
    policy = page_policy("n", prefix, "'self'")
    for handler in handlers:
        digest = base64.b64encode(hashlib.sha256(handler).digest()).decode()
        assert f"'sha256-{digest}'" in policy
