"""Leaves secrets out of a text that people publish."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Tokens, keys and passwords as programs print them, and signatures of links.
SECRET = re.compile(
    r"(?i)\b(?P<name>[\w-]*(?:password|passwd|secret|token|api[_-]?key|credential|signature)[\w-]*"
    r"['\"]?\s*[=:]\s*|(?:bearer|token)\s+)(?P<value>['\"]?[^\s'\",;&]{4,})"
)
# A name alone can be a token.
URL_LOGIN = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://)[^\s/]+(?=@)")


def redacted(text: str, known: Iterable[str]) -> str:
    """Return the text without the `known` secrets, and without what looks like a secret."""
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= 4:  # a shorter value, such as `1` or `db`, would hide half of the text
            text = text.replace(secret, "(not shown)")
    text = URL_LOGIN.sub(r"\g<before>(not shown)", text)
    return SECRET.sub(r"\g<name>(not shown)", text)
