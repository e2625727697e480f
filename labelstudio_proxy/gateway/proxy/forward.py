"""One request on its way to Label Studio and back: streamed, byte for byte, but for pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from ...label_studio import paths
from ...label_studio.upstream import HOST, Endpoint, url_of
from ..identity import Identity
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
from .headers import (
    content_type,
    decoded,
    request_headers,
    response_headers,
    without_token,
)
from .mapping_process import KINDS, MappingFailed, begin, map_beside, mapped
from .redirects import mapped_location
from .request_body import body_of


class Refused(Exception):
    """Label Studio wants a page's reader to log in: it does not take the owner's identity."""


@dataclass(frozen=True)
class Upstream:
    """A Label Studio that is ready, and as whom it is asked."""

    session: aiohttp.ClientSession
    endpoint: Endpoint
    identity: Identity


async def forward(
    request: web.BaseRequest,
    path: str,
    upstream: Upstream,
    *,
    prefix: str,
    ancestors: str,
    scripts: Sequence[str],
    failed: Callable[[], Awaitable[None]],
) -> web.StreamResponse:
    """Send `request` on, as a request for `path` (encoded, with its query), and its answer back.

    `failed` is called where Label Studio says that it has failed; it may raise Problem, which is told
    then in the place of what Label Studio says. `scripts`: more of the gateway's own for a page.
    Raises Refused, Stalled, and aiohttp.ClientError where Label Studio cannot be reached.
    """
    path = without_token(path)
    async with body_of(request) as body:
        authorization = upstream.identity.authorization(has_body=body.data is not None)
        headers = request_headers(decoded(request.raw_headers), authorization, HOST)
        if body.length is not None:
            headers["Content-Length"] = str(body.length)
        async with upstream.session.request(
            request.method,
            URL(url_of(upstream.endpoint, path), encoded=True),
            headers=headers,
            data=body.data,
            allow_redirects=False,
        ) as answer:
            if answer.status >= 500:
                await failed()
            return await _answer(request, path, answer, prefix, ancestors, scripts)


async def _answer(
    request: web.BaseRequest,
    path: str,
    answer: aiohttp.ClientResponse,
    prefix: str,
    ancestors: str,
    scripts: Sequence[str],
) -> web.StreamResponse:
    plain_path = unquote(path.partition("?")[0])
    headers = response_headers(decoded(answer.raw_headers))
    is_data = paths.DATA.search(plain_path) is not None
    kind = content_type(headers)
    if "Location" in headers:
        location = mapped_location(path, headers["Location"])
        if location is None:
            return web.Response(status=502, text="Label Studio redirects to another site.\n")
        if not is_data and paths.LOGIN.fullmatch(urlsplit(headers["Location"]).path):
            raise Refused
        headers["Location"] = location
    nonce = new_nonce()
    if is_data:
        headers["Content-Security-Policy"] = data_policy(ancestors)
    elif kind == "text/html" and answer.status != 304:  # of the page that the browser has
        headers["Content-Security-Policy"] = label_studio_page_policy(nonce, prefix, ancestors)
    has_body = request.method != "HEAD" and answer.status not in {204, 304}
    is_mapped = not is_data and kind in KINDS
    if is_mapped:
        # Of what is not mapped yet.
        headers.popall("Content-Length", None)
    accepted = ", ".join(request.headers.getall("Accept-Encoding", ()))
    # What people upload or take home passes with its length, and in parts.
    is_file = is_data and not paths.API.match(plain_path)
    coding = None if is_file else response_coding(request.headers, accepted, answer.status, headers)
    chunks = _chunks(answer)
    async with AsyncExitStack() as closing:
        if is_mapped and has_body:
            start, is_all = await begin(chunks)
            if is_all:
                page = mapped(start, kind, prefix, scripts, nonce)
                return _small_page(answer, headers, page, coding)
            chunks = map_beside(start, chunks, kind, prefix, scripts, nonce)
            await closing.enter_async_context(aclosing(chunks))
        if coding is not None:
            set_coding(headers, coding)
            if coding != IDENTITY:
                chunks = compress_chunks(chunks, coding)
                await closing.enter_async_context(aclosing(chunks))
        elif answer.status == 304:
            _answer_in_kind(request, headers)
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        await response.prepare(request)
        try:
            if has_body:
                async for chunk in chunks:
                    await response.write(chunk)
            await response.write_eof()
        except (aiohttp.ClientError, MappingFailed):
            # Half an answer must not look like a whole one.
            if request.transport is not None:
                request.transport.abort()
    return response


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    while chunk := await answer.content.readany():
        yield chunk


def _small_page(
    answer: aiohttp.ClientResponse, headers: CIMultiDict[str], page: bytes, coding: str | None
) -> web.Response:
    if coding is not None and is_compressible(content_type(headers), len(page)):
        set_coding(headers, coding)
        if coding != IDENTITY:
            page = compress(page, coding, FAST[coding])
    return web.Response(status=answer.status, reason=answer.reason, headers=headers, body=page)


def _answer_in_kind(request: web.BaseRequest, headers: CIMultiDict[str]) -> None:
    """Name what the browser has as it was named for it, when it was packed."""
    etag = headers.get("ETag", "")
    if etag and weak(etag) in request.headers.get("If-None-Match", ""):
        headers["ETag"] = weak(etag)
