"""Fetch an asset from Label Studio: the complete asset, or none."""

from __future__ import annotations

import asyncio

import aiohttp
from yarl import URL

from ...label_studio.upstream import HOST, Endpoint, url_of
from ..proxy.compression import is_compressible
from ..proxy.headers import content_type
from ..proxy.prefix_map import CSS, HTML, map_body
from ..proxy.prefix_map import LARGEST_BYTES as LARGEST_MAPPED_BYTES
from .cache import LARGEST_BYTES, Asset, digest, is_style_sheet

# For a range, Django's development server sends the file's length. Without it, a response that is cut
# would look complete.
HEADERS = {"Host": HOST, "Accept": "*/*", "Range": "bytes=0-"}


async def fetch(
    session: aiohttp.ClientSession, endpoint: Endpoint, path: str, prefix: str
) -> Asset | None:
    """Return the asset at `path`, or None if it must not be kept. Maps style sheets to `prefix`."""
    url = URL(url_of(endpoint, path), encoded=True)
    try:
        async with session.get(url, headers=HEADERS, allow_redirects=False) as response:
            media_type = content_type(response.headers)
            # Pages are not assets. A style sheet needs the suffix: its key in the cache depends on it.
            if media_type == HTML or (media_type == CSS) != is_style_sheet(path):
                return None
            limit = LARGEST_MAPPED_BYTES if media_type == CSS else LARGEST_BYTES
            body = await _read(response, limit) if _is_complete(response) else None
            if body is None:
                return None
            if media_type == CSS:
                body = await map_body(body, CSS, prefix)
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
        return None
    return Asset(
        media_type=response.headers["Content-Type"],
        content=await asyncio.to_thread(digest, body),
        body=body,
        compressible=is_compressible(media_type, len(body)),
    )


def _is_complete(response: aiohttp.ClientResponse) -> bool:
    """Return True if this is the complete asset, the same for all users, of a known length."""
    headers = response.headers
    if "Content-Encoding" in headers or "no-store" in headers.get("Cache-Control", ""):
        return False
    length = headers.get("Content-Length", "")
    if response.status == 206:
        last = int(length) - 1 if length.isdecimal() else -1
        is_all = headers.get("Content-Range") == f"bytes 0-{last}/{length}"
        return is_all and "Content-Type" in headers
    chunked = "chunked" in headers.get("Transfer-Encoding", "")
    return response.status == 200 and "Content-Type" in headers and (bool(length) or chunked)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    if (response.content_length or 0) > limit:
        return None
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)
