"""Bodies of any length: a short one is mapped at once, a long one in a thread, a longer one not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from labelstudio_proxy.gateway.proxy.prefix_map import (
    CSS,
    HTML,
    LARGEST_BYTES,
    SHORT_BYTES,
    map_body,
    map_css,
    map_page,
    read_body,
)

PREFIX = "/user/alice/labelstudio/"
LINK = b"<a href='/projects'>x</a>\n"
RULE = b"a { b: url(/static/c.png) }\n"


@pytest.mark.parametrize("length", [1, SHORT_BYTES, SHORT_BYTES * 2])
async def test_the_length_makes_no_difference(length: int) -> None:
    page, style = LINK * (length // len(LINK) + 1), RULE * (length // len(RULE) + 1)
    mapped = await map_body(page, HTML, PREFIX, ("page.js",), "nonce")
    assert mapped == map_page(page, PREFIX, ("page.js",), "nonce")
    assert await map_body(style, CSS, PREFIX) == map_css(style, PREFIX)


async def chunks(length: int) -> AsyncIterator[bytes]:
    for start in range(0, length, 1 << 18):
        yield bytes(min(1 << 18, length - start))


async def test_a_body_up_to_the_limit_is_read_completely() -> None:
    assert await read_body(chunks(0)) == (b"", True)
    assert await read_body(chunks(LARGEST_BYTES)) == (bytes(LARGEST_BYTES), True)


async def test_a_longer_body_is_read_no_further() -> None:
    rest = chunks(10 * LARGEST_BYTES)
    begin, is_whole = await read_body(rest)
    assert not is_whole
    assert LARGEST_BYTES < len(begin) <= LARGEST_BYTES + (1 << 18)
    assert len(begin) + sum([len(chunk) async for chunk in rest]) == 10 * LARGEST_BYTES
