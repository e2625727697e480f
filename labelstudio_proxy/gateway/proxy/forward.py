"""Send one request to Label Studio, and its response back: streamed, byte for byte, except pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from ...label_studio import paths
from ...label_studio.access_token import clock_lead
from ...label_studio.upstream import HOST, Endpoint, url_of
from ...request_kind import RequestKind
from ..identity import Identity, clock_problem
from .compression import (
    FAST,
    IDENTITY,
    compress,
    compress_chunks,
    is_compressible,
    response_coding,
    set_coding,
    weak,
)
from .content_security_policy import data_policy, label_studio_page_policy, new_nonce
from .headers import content_type, decoded, request_headers, response_headers, without_token
from .prefix_map import HTML, MAPPED_TYPES, is_document, map_body, read_body
from .redirects import map_location
from .request_body import Body, body_of

logger = logging.getLogger(__name__)


class Refused(Exception):
    """Label Studio does not accept the owner's identity."""

    def __init__(self, clock_lead: float) -> None:
        """`clock_lead`: by how many seconds Label Studio's clock is ahead of ours."""
        super().__init__(clock_lead)
        self.clock_lead = clock_lead


@dataclass(frozen=True)
class Upstream:
    """A Label Studio that is ready, and the identity of the requests to it."""

    session: aiohttp.ClientSession
    endpoint: Endpoint
    identity: Identity
    temporary: Path  # a folder for large bodies, on the disk of the data directory


async def forward(
    request: web.BaseRequest,
    target: str,
    kind: RequestKind,
    upstream: Upstream,
    *,
    prefix: str,
    ancestors: str,
    scripts: Sequence[str],
    failed: Callable[[], Awaitable[None]],
) -> web.StreamResponse:
    """Send `request` to Label Studio as one for `target`; return its response.

    `target`: encoded, with its query, without the prefix.

    `ancestors`: sources that may frame the response. `scripts`: the gateway's own files that pages
    get. Calls `failed` if Label Studio responds with a 5xx status; it may raise Problem.
    Raises Refused, Stalled, Problem if the disk is full, and aiohttp.ClientError if Label Studio
    cannot be reached.
    """
    target = without_token(target)
    async with body_of(request, upstream.temporary) as body:
        received = await _send(request, target, upstream, body)
        if _is_refused(received) and kind.is_safe and body.data is None:
            # The token has expired on the way: the machine was suspended, or Label Studio was busy.
            received.release()
            received = await _send(request, target, upstream, body)
        async with received:
            if received.status >= 500:
                await failed()
            return await _send_back(request, target, kind, received, prefix, ancestors, scripts)


async def _send(
    request: web.BaseRequest, target: str, upstream: Upstream, body: Body
) -> aiohttp.ClientResponse:
    authorization = upstream.identity.authorization(has_body=body.data is not None)
    headers = request_headers(decoded(request.raw_headers), authorization, HOST)
    if body.length is not None:
        headers["Content-Length"] = str(body.length)
    return await upstream.session.request(
        request.method,
        URL(url_of(upstream.endpoint, target), encoded=True),
        headers=headers,
        data=body.data,
        allow_redirects=False,
    )


def _is_refused(received: aiohttp.ClientResponse) -> bool:
    return received.status == 401 or _leads_to_login(received)


def _leads_to_login(received: aiohttp.ClientResponse) -> bool:
    path = urlsplit(received.headers.get("Location", "")).path
    return paths.LOGIN.fullmatch(path) is not None


async def _send_back(
    request: web.BaseRequest,
    target: str,
    kind: RequestKind,
    received: aiohttp.ClientResponse,
    prefix: str,
    ancestors: str,
    scripts: Sequence[str],
) -> web.StreamResponse:
    is_data = paths.DATA.search(kind.path) is not None
    if _is_refused(received):
        lead = clock_lead(received.headers)
        if (_leads_to_login(received) and not is_data) or clock_problem(lead):
            raise Refused(lead)
    headers = response_headers(decoded(received.raw_headers))
    media_type = content_type(headers)
    if "Location" in headers:
        location = map_location(target, headers["Location"])
        if location is None:
            return web.Response(status=502, text="Label Studio redirects to another site.\n")
        headers["Location"] = location
    has_body = request.method != "HEAD" and received.status not in {204, 304}
    is_data = is_data or received.status == 206  # a part of a page is no page
    is_mapped = not is_data and media_type in MAPPED_TYPES
    body, is_whole = b"", True
    if is_mapped and has_body:
        body, is_whole = await read_body(_chunks(received))
        if media_type == HTML and not is_document(body):
            is_data, is_mapped = True, False
    nonce = new_nonce()
    if is_data:
        headers["Content-Security-Policy"] = data_policy(ancestors)
    elif media_type == HTML and received.status != 304:  # a cached page has another nonce
        headers["Content-Security-Policy"] = label_studio_page_policy(nonce, prefix, ancestors)
    if is_mapped:
        headers.popall("Content-Length", None)  # mapping changes it
    coding = _coding(request, kind, received.status, headers)
    if is_mapped and has_body:
        if is_whole:
            page = await map_body(body, media_type, prefix, scripts, nonce)
            return await _page(received, headers, page, coding)
        logger.warning("A page of Label Studio is too long to map: links in it may not work")
    chunks = _chunks(received, body)
    async with AsyncExitStack() as closing:
        if coding is not None:
            set_coding(headers, coding)
            if coding != IDENTITY:
                chunks = compress_chunks(chunks, coding)
                await closing.enter_async_context(aclosing(chunks))
        elif received.status == 304:
            _keep_weak_validator(request, headers)
        response = web.StreamResponse(
            status=received.status, reason=received.reason, headers=headers
        )
        await response.prepare(request)
        try:
            if has_body:
                async for chunk in chunks:
                    await response.write(chunk)
            await response.write_eof()
        except aiohttp.ClientError:
            # The client must not mistake a part for the complete response.
            if request.transport is not None:
                request.transport.abort()
    return response


def _coding(
    request: web.BaseRequest, kind: RequestKind, status: int, headers: CIMultiDict[str]
) -> str | None:
    if paths.DATA.search(kind.path) and not paths.API.match(kind.path):
        return None  # files keep their length, and can be requested in parts
    accepted = ", ".join(request.headers.getall("Accept-Encoding", ()))
    return response_coding(kind.sender, accepted, status, headers)


async def _chunks(
    received: aiohttp.ClientResponse, first: bytes = b""
) -> AsyncGenerator[bytes, None]:
    if first:
        yield first
    while chunk := await received.content.readany():
        yield chunk


async def _page(
    received: aiohttp.ClientResponse, headers: CIMultiDict[str], page: bytes, coding: str | None
) -> web.Response:
    if coding is not None and is_compressible(content_type(headers), len(page)):
        set_coding(headers, coding)
        page = await asyncio.to_thread(compress, page, coding, FAST.get(coding, 0))
    return web.Response(status=received.status, reason=received.reason, headers=headers, body=page)


def _keep_weak_validator(request: web.BaseRequest, headers: CIMultiDict[str]) -> None:
    """Use the validator that the browser knows, if the response was compressed for it."""
    etag = headers.get("ETag", "")
    if etag and weak(etag) in request.headers.get("If-None-Match", ""):
        headers["ETag"] = weak(etag)
