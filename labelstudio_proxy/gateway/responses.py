"""Answers of the gateway's own."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from .proxy.redirects import relative


def json_answer(
    data: Any, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """`data` as JSON, never kept."""
    return web.json_response(
        data, status=status, headers={"Cache-Control": "no-store", **(headers or {})}
    )


def redirect(path: str, target: str) -> web.Response:
    """To `target` (absolute, without the prefix) from `path`."""
    return web.Response(
        status=302,
        headers={"Location": relative(path, target), "Cache-Control": "no-store"},
    )
