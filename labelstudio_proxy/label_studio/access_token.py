"""Being let in by Label Studio: access tokens in its own format."""

from __future__ import annotations

import time
import uuid

import aiohttp
import jwt

from . import paths
from .upstream import Endpoint, answers

TOKEN_SECONDS = 60
# Label Studio reads a body to its end before it looks at who has sent it: that may take long.
BODY_TOKEN_SECONDS = 24 * 3600


def access_token(key: str, user_id: int, seconds: int = TOKEN_SECONDS) -> str:
    """An access token, good for `seconds`, as Label Studio's djangorestframework-simplejwt makes and checks them."""
    now = int(time.time())
    claims = {
        "token_type": "access",
        "iat": now,
        "exp": now + seconds,
        "jti": uuid.uuid4().hex,
        "user_id": str(user_id),
    }
    return jwt.encode(claims, key, algorithm="HS256")


async def lets_in(
    session: aiohttp.ClientSession, endpoint: Endpoint, key: str, user_id: int
) -> bool:
    """Whether Label Studio takes a token of the account that is signed with `key`."""
    headers = {"Authorization": f"Bearer {access_token(key, user_id)}"}
    return await answers(session, endpoint, paths.WHOAMI, headers)
