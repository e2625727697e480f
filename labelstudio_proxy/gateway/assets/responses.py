"""What is answered to a request for an asset: pure functions, for Jupyter's process and the gateway's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ...label_studio import paths
from ..proxy.compression import IDENTITY
from .cache import Asset

_ETAG = re.compile(r'(?:W/)?("[^"]*")')

FOR_EVER = "private, max-age=31536000, immutable"
# To be asked about each time, which costs a hundred bytes.
VALIDATED = "no-cache"


class AssetAnswer(NamedTuple):
    """A status, headers, and a body (empty for HEAD, whose Content-Length is that of GET)."""

    status: int
    headers: dict[str, str]
    body: bytes


def asset_path(method: str, target: str, headers: Mapping[str, str]) -> str | None:
    """The path of the asset that is asked for, if that can be answered without Label Studio.

    `target` is as requested, without the prefix. A part of an asset is Label Studio's to give,
    but where it is to continue an answer of ours, it gets all of it.
    """
    path = target.partition("?")[0]
    if method not in {"GET", "HEAD"} or len(path) > 1000 or not paths.ASSET.fullmatch(path):
        return None
    if "Range" in headers and not headers.get("If-Range", "").startswith(('"', "W/")):
        return None
    return path


def answer(method: str, target: str, headers: Mapping[str, str], asset: Asset) -> AssetAnswer:
    """The answer to a request of `method` for `target` that has `headers`."""
    known = _known(headers.get("If-None-Match", ""), asset)
    fields = {
        "Cache-Control": FOR_EVER if is_immutable(target) else VALIDATED,
        "ETag": known or asset.etag,
        "X-Content-Type-Options": "nosniff",
    }
    if asset.varies:
        fields["Vary"] = "Accept-Encoding"
    if known:
        return AssetAnswer(304, fields, b"")
    fields["Content-Type"] = asset.kind
    fields["Content-Length"] = str(len(asset.body))
    if asset.coding != IDENTITY:
        fields["Content-Encoding"] = asset.coding
    return AssetAnswer(200, fields, b"" if method == "HEAD" else asset.body)


def is_immutable(target: str) -> bool:
    """Whether another build's asset has another URL."""
    path, _, query = target.partition("?")
    return bool(paths.HASHED_ASSET.fullmatch(path) or paths.BUILD_QUERY.fullmatch(query))


def _known(if_none_match: str, asset: Asset) -> str:
    """The validator of what the client has, if that is as good: packed better or worse, it is."""
    if if_none_match.strip() == "*":
        return asset.etag
    same = f'"{asset.content}-{asset.coding}'
    found = (match[1] for match in _ETAG.finditer(if_none_match))
    return next((etag for etag in found if re.fullmatch(re.escape(same) + r'\d+"', etag)), "")
