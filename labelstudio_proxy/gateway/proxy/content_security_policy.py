"""The content security policies of everything that the gateway sends."""

from __future__ import annotations

import base64
import functools
import hashlib
import secrets

from ...label_studio import paths
from .prefix_map import map_script

# The gateway's own pages load the gateway's own files only.
_OWN_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
)
# A file that a user uploaded or linked to: a browser shows it, and runs no script of it in Jupyter's
# origin.
_DATA = (
    "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self' data:; "
    "style-src 'unsafe-inline'; frame-ancestors {ancestors}"
)
# Label Studio shows labelled HTML in frames and in its own pages, and removes only some of the scripts
# from it. This policy keeps the rest from running. Scripts need the nonce, or are loaded by a script
# that has it ('strict-dynamic'). No address is allowed: uploaded files have addresses of this origin.
# Label Studio's audio decoder compiles code ('unsafe-eval'). Data may come from any host (cloud storage).
_LABEL_STUDIO_PAGE = (
    "default-src 'self' data: blob:; script-src 'nonce-{nonce}' 'strict-dynamic' 'unsafe-eval'; "
    "script-src-attr 'unsafe-hashes' {handlers}; worker-src 'self' data: blob:; "
    "connect-src * data: blob:; img-src * data: blob:; media-src * data: blob:; "
    "style-src * 'unsafe-inline'; font-src * data:; object-src * data: blob:; "
    "frame-src * data: blob:; form-action 'self'; base-uri 'self'; frame-ancestors {ancestors}"
)


def own_page_policy(ancestors: str) -> str:
    """Return the policy of the gateway's own pages. `ancestors`: sources that may frame them."""
    return _OWN_PAGE.format(ancestors=ancestors)


def data_policy(ancestors: str) -> str:
    """Return the policy of files and other data of users. `ancestors`: sources that may frame them."""
    return _DATA.format(ancestors=ancestors)


def label_studio_page_policy(nonce: str, prefix: str, ancestors: str) -> str:
    """Return the policy of a page of Label Studio that `map_page` gave this nonce and prefix."""
    return _LABEL_STUDIO_PAGE.format(nonce=nonce, handlers=_hashes(prefix), ancestors=ancestors)


def new_nonce() -> str:
    """Return a secret for the scripts of one page; its letters need no escaping."""
    return secrets.token_urlsafe(18)


@functools.cache
def _hashes(prefix: str) -> str:
    # A nonce does not cover attributes. Labelled HTML may contain the same handlers, but no others.
    digests = (
        hashlib.sha256(map_script(handler.encode(), prefix)).digest()
        for handler in paths.TEMPLATE_HANDLERS
    )
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
