"""The response to a request for an asset: pure functions of the request and the asset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ...label_studio import paths
from ..proxy.compression import IDENTITY
from .cache import Asset

_ETAG = re.compile(r'(?:W/)?("[^"]*")')

FOR_EVER = "private, max-age=31536000, immutable"
# The browser asks each time whether its copy is current, which costs a hundred bytes.
VALIDATED = "no-cache"


class AssetResponse(NamedTuple):
    """A status, headers, and a body. For HEAD the body is empty and the headers are those of GET."""

    status: int
    headers: dict[str, str]
    body: bytes


def asset_path(method: str, target: str, headers: Mapping[str, str]) -> str | None:
    """Return the path of the requested asset, or None if only Label Studio can respond.

    `target` has no prefix. Requests for a part of an asset go to Label Studio. But if the part
    continues a response of the gateway's, the response is the complete asset.
    """
    path = target.partition("?")[0]
    if method not in {"GET", "HEAD"} or len(path) > 1000 or not paths.ASSET.fullmatch(path):
        return None
    if "Range" in headers and not headers.get("If-Range", "").startswith(('"', "W/")):
        return None
    return path


def response_for(
    method: str, target: str, headers: Mapping[str, str], asset: Asset
) -> AssetResponse:
    """Return the response to a request with these `headers`."""
    known = _known(headers.get("If-None-Match", ""), asset)
    fields = {
        "Cache-Control": FOR_EVER if is_immutable(target) else VALIDATED,
        "ETag": known or asset.etag,
        "X-Content-Type-Options": "nosniff",
    }
    if asset.compressible:
        fields["Vary"] = "Accept-Encoding"
    if known:
        return AssetResponse(304, fields, b"")
    fields["Content-Type"] = asset.media_type
    fields["Content-Length"] = str(len(asset.body))
    if asset.coding != IDENTITY:
        fields["Content-Encoding"] = asset.coding
    return AssetResponse(200, fields, b"" if method == "HEAD" else asset.body)


def is_immutable(target: str) -> bool:
    """Return True if the asset of another build has another URL."""
    path, _, query = target.partition("?")
    return bool(paths.HASHED_ASSET.fullmatch(path) or paths.BUILD_QUERY.fullmatch(query))


def _known(if_none_match: str, asset: Asset) -> str:
    """Return the validator of the browser's copy if it has the same content and coding, or "".

    The level does not matter: a better compressed copy is not worth a second download.
    """
    if if_none_match.strip() == "*":
        return asset.etag
    same = f'"{asset.content}-{asset.coding}'
    found = (match[1] for match in _ETAG.finditer(if_none_match))
    return next((etag for etag in found if re.fullmatch(re.escape(same) + r'\d+"', etag)), "")
