"""The gateway's own responses: JSON, pages and redirects, with the headers that each needs."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from .proxy.content_security_policy import own_page_policy
from .proxy.redirects import relative

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def json_response(data: Any, status: int = 200, *, retry_after: float = 0) -> web.Response:
    """Return `data` as JSON. `retry_after`: the seconds after which to ask again; 0: not said."""
    headers = HEADERS | ({"Retry-After": f"{retry_after:.0f}"} if retry_after else {})
    return web.json_response(data, status=status, headers=headers)


def page_response(html: str, status: int = 200, *, ancestors: str) -> web.Response:
    """Return a page of the gateway. `ancestors`: the sources that may frame it."""
    headers = HEADERS | {
        "Content-Security-Policy": own_page_policy(ancestors),
        "Referrer-Policy": "same-origin",
    }
    return web.Response(
        status=status, text=html, content_type="text/html", charset="utf-8", headers=headers
    )


def redirect_response(path: str, target: str) -> web.Response:
    """Return a redirect from `path` to `target`; both absolute, without the prefix."""
    return web.Response(status=302, headers=HEADERS | {"Location": relative(path, target)})
