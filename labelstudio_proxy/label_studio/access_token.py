"""Access tokens in Label Studio's own format: JSON web tokens, signed with HMAC and SHA-256.

The standard library signs them. PyJWT would load `cryptography`, 9 MB in each user's gateway.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
import uuid
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import aiohttp

from . import paths
from .upstream import Endpoint, responds

TOKEN_SECONDS = 60
# Label Studio checks the token after it has read the whole body, which may take long.
BODY_TOKEN_SECONDS = 24 * 3600
# What Label Studio gives its users: legacy tokens, and personal access tokens (JSON web tokens).
OWN_TOKEN = re.compile(r"[0-9a-f]{40}|eyJ[\w-]+\.[\w-]+\.[\w-]+")


def access_token(key: str, user_id: int, seconds: int = TOKEN_SECONDS) -> str:
    """Return an access token that is valid for `seconds`.

    The claims are those that djangorestframework-simplejwt requires, which Label Studio uses. Without
    `iat`: Label Studio would reject the token if its clock is behind.
    """
    claims = {
        "token_type": "access",
        "exp": int(time.time()) + seconds,
        "jti": uuid.uuid4().hex,
        "user_id": str(user_id),
    }
    content = b".".join(_encode(part) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    signature = hmac.digest(key.encode(), content, "sha256")
    return (content + b"." + _base64url(signature)).decode()


def clock_lead(headers: Mapping[str, str]) -> float:
    """Return by how many seconds Label Studio's clock is ahead of ours, from a response's headers.

    It is 0 if they do not tell.
    """
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp() - time.time()
    except (KeyError, TypeError, ValueError):
        return 0.0


async def is_token_accepted(
    session: aiohttp.ClientSession, endpoint: Endpoint, key: str, user_id: int
) -> bool:
    """Return True if Label Studio accepts a token of this account that is signed with `key`."""
    headers = {"Authorization": f"Bearer {access_token(key, user_id)}"}
    return await responds(session, endpoint, paths.WHOAMI, headers)


def explain_refused_token(authorization: str, wanted: str = "Jupyter's token") -> str:
    """Return why a program gets no access, and which token it needs.

    `authorization`: the header that it sent; `wanted`: the token that would be accepted.
    """
    token = authorization.partition(" ")[2].strip()
    if OWN_TOKEN.fullmatch(token):
        return (
            "This is one of Label Studio's own tokens, which does not work here. Send "
            f"{wanted} instead, as `Authorization: token <token>`."
        )
    what = "This token was not accepted." if token else "This request has no token."
    return (
        f"{what} Send {wanted}, as `Authorization: token <token>`. Label Studio's own tokens do not "
        "work here."
    )


def _encode(part: Mapping[str, object]) -> bytes:
    return _base64url(json.dumps(part, separators=(",", ":")).encode())


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
