"""Which programs run in Label Studio's pages: those that the pages came with, and what these load.

Label Studio shows people's HTML in frames, and in its pages themselves, and takes out of it only some of
what can run. What it leaves has the page's policy, so that this one keeps it from running.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import secrets

from .prefix_map import map_script

# Scripts by a nonce, or loaded by one that had it ('strict-dynamic'): no address will do, since people's
# files have addresses of this origin, too. Label Studio's audio decoder compiles code ('unsafe-eval').
# Data may come from anywhere (cloud storage).
POLICY = (
    "default-src 'self' data: blob:; script-src 'nonce-{nonce}' 'strict-dynamic' 'unsafe-eval'; "
    "script-src-attr 'unsafe-hashes' {handlers}; worker-src 'self' data: blob:; "
    "connect-src * data: blob:; img-src * data: blob:; media-src * data: blob:; "
    "style-src * 'unsafe-inline'; font-src * data:; object-src * data: blob:; "
    "frame-src * data: blob:; form-action 'self'; base-uri 'self'; frame-ancestors {ancestors}"
)
# What is in attributes of Label Studio's templates. A nonce cannot allow these; people's HTML may say
# the same, to no effect but this.
HANDLERS = ("history.back()", "location.reload()", "window.location.href='/'", "smart_submit()")


def new_nonce() -> str:
    """For one page, and known to nobody else."""
    return secrets.token_urlsafe(18)


def page_policy(nonce: str, prefix: str, ancestors: str) -> str:
    """The Content-Security-Policy of a page that is mapped with this nonce and prefix."""
    return POLICY.format(nonce=nonce, handlers=_handlers(prefix), ancestors=ancestors)


@functools.cache
def _handlers(prefix: str) -> str:
    digests = (
        hashlib.sha256(map_script(handler.encode(), prefix)).digest() for handler in HANDLERS
    )
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
