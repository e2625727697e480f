"""The content security policies: what may run in each kind of response, and who may frame it."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from labelstudio_proxy.gateway.proxy.content_security_policy import (
    data_policy,
    label_studio_page_policy,
    new_nonce,
    own_page_policy,
)
from labelstudio_proxy.gateway.proxy.prefix_map import map_page

CAPTURED = Path(__file__).parent / "captured"
PREFIX = "/user/o'brien/labelstudio/"
ANCESTORS = "'self' https://hub.example"


def directives(policy: str) -> dict[str, list[str]]:
    return {each.split()[0]: each.split()[1:] for each in policy.split(";")}


def test_own_pages_run_the_gateways_own_files_only() -> None:
    allowed = directives(own_page_policy(ANCESTORS))
    assert allowed["default-src"] == ["'none'"]
    assert allowed["script-src"] == allowed["style-src"] == allowed["connect-src"] == ["'self'"]
    assert allowed["frame-ancestors"] == ANCESTORS.split()


def test_data_is_sandboxed_without_scripts() -> None:
    allowed = directives(data_policy(ANCESTORS))
    assert allowed["sandbox"] == []
    assert allowed["default-src"] == ["'none'"]
    assert not any(name.startswith("script") for name in allowed)
    assert allowed["frame-ancestors"] == ANCESTORS.split()


def test_labelled_html_cannot_name_a_script_that_runs() -> None:
    allowed = directives(label_studio_page_policy("n", PREFIX, ANCESTORS))
    assert allowed["script-src"] == ["'nonce-n'", "'strict-dynamic'", "'unsafe-eval'"]
    assert allowed["default-src"] == ["'self'", "data:", "blob:"]
    assert "script-src-elem" not in allowed
    assert all(
        each == "'unsafe-hashes'" or each.startswith("'sha256-")
        for each in allowed["script-src-attr"]
    )
    assert allowed["frame-ancestors"] == ANCESTORS.split()


def test_a_nonce_is_random_and_needs_no_escaping() -> None:
    nonces = {new_nonce() for _ in range(100)}
    assert len(nonces) == 100
    assert all(re.fullmatch(r"[\w-]{24}", nonce) for nonce in nonces)


@pytest.mark.parametrize("prefix", ["/", "/labelstudio/", PREFIX])
@pytest.mark.parametrize("name", ["404.html", "account.html"])
def test_handlers_in_label_studios_templates_are_allowed(name: str, prefix: str) -> None:
    page = map_page((CAPTURED / name).read_bytes(), prefix)
    handlers = re.findall(rb'(?i) on[a-z]+="([^"]*)"', page)
    assert len(handlers) == 2
    policy = label_studio_page_policy("n", prefix, "'self'")
    for handler in handlers:
        digest = base64.b64encode(hashlib.sha256(handler).digest()).decode()
        assert f"'sha256-{digest}'" in policy
