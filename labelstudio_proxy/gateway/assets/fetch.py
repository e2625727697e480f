"""An asset on its way from Label Studio: all of it, or nothing."""

from __future__ import annotations

import asyncio

import aiohttp
from yarl import URL

from ...label_studio.upstream import HOST, Endpoint, url_of
from ..proxy.compression import is_compressible
from ..proxy.headers import content_type
from ..proxy.mapping_process import MappingFailed, map_whole
from .cache import LARGEST_BYTES, Asset, digest, is_style_sheet

# With a range, Django's development server says how long the file is; without one, an answer that
# was cut looks like a whole one.
HEADERS = {"Host": HOST, "Accept": "*/*", "Range": "bytes=0-"}


async def fetch(
    session: aiohttp.ClientSession, endpoint: Endpoint, path: str, prefix: str
) -> Asset | None:
    """The asset at `path`, a style sheet as it must be under `prefix`; None: it is not to be kept."""
    url = URL(url_of(endpoint, path), encoded=True)
    try:
        async with session.get(url, headers=HEADERS, allow_redirects=False) as response:
            kind = content_type(response.headers)
            # Pages are none, and of a style sheet the name has to tell that it is one.
            if kind == "text/html" or (kind == "text/css") != is_style_sheet(path):
                return None
            body = await _read(response) if _is_whole(response) else None
            if body is None:
                return None
            if kind == "text/css":
                body = await map_whole(body, kind, prefix)
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, MappingFailed):
        return None
    return Asset(
        kind=response.headers["Content-Type"],
        content=await asyncio.to_thread(digest, body),
        body=body,
        varies=is_compressible(kind, len(body)),
    )


def _is_whole(response: aiohttp.ClientResponse) -> bool:
    """Whether this is the whole asset, as everybody gets it, with an end that can be told."""
    headers = response.headers
    if "Content-Encoding" in headers or "no-store" in headers.get("Cache-Control", ""):
        return False
    length = headers.get("Content-Length", "")
    if response.status == 206:
        last = int(length) - 1 if length.isdecimal() else -1
        whole = headers.get("Content-Range") == f"bytes 0-{last}/{length}"
        return whole and "Content-Type" in headers
    chunked = "chunked" in headers.get("Transfer-Encoding", "")
    return response.status == 200 and "Content-Type" in headers and (bool(length) or chunked)


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    if (response.content_length or 0) > LARGEST_BYTES:
        return None
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_BYTES:
            return None
    return bytes(body)
