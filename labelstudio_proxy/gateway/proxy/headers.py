"""Which headers pass between the browser and Label Studio, and which query parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote_plus

from multidict import CIMultiDict

# RFC 9110, section 7.6.1, and what came before it.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Jupyter's credentials, what tells where the browser is, and what would make Label Studio believe
# somebody else than the gateway.
NOT_FORWARDED = HOP_BY_HOP | {
    "accept-encoding",  # nothing is gained by packing for the way between two local processes
    "authorization",
    "cookie",
    "cookie2",
    "expect",  # the server has answered it
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
# Label Studio's cookies would be sent to every other program under the same host. Its report-only
# policy names hosts of other companies; `content_security_policy` replaces it.
NOT_RETURNED = HOP_BY_HOP | {
    "content-security-policy",
    "content-security-policy-report-only",
    "date",
    "server",
    "set-cookie",
    "set-cookie2",
}


def request_headers(
    received: Iterable[tuple[str, str]], authorization: str, host: str
) -> CIMultiDict[str]:
    """The headers for Label Studio: what was received, less what it must not see, plus identity."""
    received = list(received)
    dropped = NOT_FORWARDED | _named_by_connection(received)
    # aiohttp keeps the last of several that are spelt differently.
    spelling: dict[str, str] = {}
    headers = CIMultiDict(
        (spelling.setdefault(name.lower(), name), value)
        for name, value in received
        if name.lower() not in dropped
        and not name.lower().replace("_", "-").startswith(NOT_FORWARDED_PREFIXES)
        # WSGI takes X_Y for X-Y, so a header with an underscore could pass for another.
        and "_" not in name
    )
    headers["Host"] = host
    headers["Authorization"] = authorization
    return headers


def response_headers(received: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    """The headers for the browser: what Label Studio sent, less what is not for it."""
    received = list(received)
    dropped = NOT_RETURNED | _named_by_connection(received)
    headers = CIMultiDict((name, value) for name, value in received if name.lower() not in dropped)
    headers["X-Content-Type-Options"] = "nosniff"
    return headers


def without_token(path: str) -> str:
    """The request target without Jupyter's `token` parameter; every other byte stays."""
    path, question, query = path.partition("?")
    kept = [
        part
        for part in query.split("&")
        if unquote_plus(part.partition("=")[0]).strip().lower() != "token"
    ]
    return path + (question + "&".join(kept) if kept and question else "")


def decoded(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Headers as they came in, as text that goes out as the same bytes, or as the same letters.

    aiohttp sends UTF-8, and would lose what is not (Latin-1, by RFC 9110).
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
    """The media type alone, in lower case."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()
