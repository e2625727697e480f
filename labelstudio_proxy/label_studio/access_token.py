"""Access tokens in Label Studio's own format."""

from __future__ import annotations

import time
import uuid

import aiohttp
import jwt

from . import paths
from .upstream import Endpoint, responds

TOKEN_SECONDS = 60
# Label Studio checks the token after it has read the whole body, which may take long.
BODY_TOKEN_SECONDS = 24 * 3600


def access_token(key: str, user_id: int, seconds: int = TOKEN_SECONDS) -> str:
    """Return an access token that is valid for `seconds`.

    The claims are those of djangorestframework-simplejwt, which Label Studio uses.
    """
    now = int(time.time())
    claims = {
        "token_type": "access",
        "iat": now,
        "exp": now + seconds,
        "jti": uuid.uuid4().hex,
        "user_id": str(user_id),
    }
    return jwt.encode(claims, key, algorithm="HS256")


async def is_token_accepted(
    session: aiohttp.ClientSession, endpoint: Endpoint, key: str, user_id: int
) -> bool:
    """Return True if Label Studio accepts a token of this account that is signed with `key`."""
    headers = {"Authorization": f"Bearer {access_token(key, user_id)}"}
    return await responds(session, endpoint, paths.WHOAMI, headers)
