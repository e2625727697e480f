"""Filter what passes between the browser and Label Studio: headers, and one query parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote_plus

from multidict import CIMultiDict

from ...label_studio.upstream import HOP_BY_HOP

# Jupyter's credentials, headers that name the browser's address, and headers that Label Studio would
# trust as coming from the gateway.
NOT_FORWARDED = HOP_BY_HOP | {
    "accept-encoding",  # the gateway compresses; Label Studio is on the same machine
    "authorization",
    "cookie",
    "cookie2",
    "expect",  # the gateway has answered it
    "forwarded",
    "host",
    "origin",
    "referer",
    "x-api-key",
    "x-csrftoken",
    "x-proxycontextpath",
    "x-real-ip",
    "x-scheme",
    "x-xsrftoken",
}
NOT_FORWARDED_PREFIXES = ("x-forwarded-", "x-jupyter", "x-labelstudio-proxy-", "sec-fetch-")
# Browsers would send Label Studio's cookies to every other program on the same host. Its report-only
# policy names hosts of other companies; `content_security_policy` replaces it.
NOT_RETURNED = HOP_BY_HOP | {
    "content-security-policy",
    "content-security-policy-report-only",
    "date",
    "server",
    "set-cookie",
    "set-cookie2",
    # Isolation from other windows: JupyterLab's frame is sandboxed, and a tab that opens from there
    # shows no page that asks for it.
    "cross-origin-embedder-policy",
    "cross-origin-embedder-policy-report-only",
    "cross-origin-opener-policy",
    "cross-origin-opener-policy-report-only",
    "cross-origin-resource-policy",
    "origin-agent-cluster",
    # Browsers apply these to the whole host, which is Jupyter's, or report to other hosts.
    "alt-svc",
    "clear-site-data",
    "nel",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "strict-transport-security",
}


def request_headers(
    received: Iterable[tuple[str, str]], authorization: str, host: str
) -> CIMultiDict[str]:
    """Return the headers for Label Studio: those of NOT_FORWARDED removed, the identity added."""
    received = list(received)
    dropped = NOT_FORWARDED | _named_by_connection(received)
    # aiohttp keeps only the last of several headers whose names differ in case.
    spelling: dict[str, str] = {}
    headers = CIMultiDict(
        (spelling.setdefault(name.lower(), name), value)
        for name, value in received
        if name.lower() not in dropped
        and not name.lower().replace("_", "-").startswith(NOT_FORWARDED_PREFIXES)
        # WSGI does not distinguish X_Y from X-Y, so this could replace another header.
        and "_" not in name
    )
    headers["Host"] = host
    headers["Authorization"] = authorization
    return headers


def response_headers(received: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    """Return the headers for the browser: those of NOT_RETURNED removed, `nosniff` added."""
    received = list(received)
    dropped = NOT_RETURNED | _named_by_connection(received)
    headers = CIMultiDict((name, value) for name, value in received if name.lower() not in dropped)
    headers["X-Content-Type-Options"] = "nosniff"
    return headers


def without_token(path: str) -> str:
    """Return the request target without Jupyter's `token` parameter; every other byte stays."""
    path, question, query = path.partition("?")
    kept = [
        part
        for part in query.split("&")
        if unquote_plus(part.partition("=")[0]).strip().lower() != "token"
    ]
    return path + (question + "&".join(kept) if kept and question else "")


def decoded(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return raw headers as text that aiohttp sends as the same bytes, or as the same letters.

    aiohttp sends UTF-8, and would lose Latin-1 (RFC 9110) without this.
    """
    return [(_text(name), _text(value)) for name, value in raw]


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _named_by_connection(headers: Iterable[tuple[str, str]]) -> set[str]:
    return {
        option.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for option in value.split(",")
    }


def content_type(headers: Mapping[str, str]) -> str:
    """Return the media type in lower case, without parameters."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()
