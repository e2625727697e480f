"""The e-mail address of the owner's account, from the name of the Jupyter user."""

from __future__ import annotations

import re

# What Django accepts, without the characters that mean something to a shell.
_ATOM = r"[A-Za-z0-9_+-]+"
_ADDRESS = re.compile(
    rf"{_ATOM}(\.{_ATOM})*@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{{2,}}"
)
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")


def email_of(user: str) -> str:
    """Return the user's name if it is an e-mail address, else `<name>@localhost`.

    Label Studio's login page accepts only ASCII. Other letters become Punycode (RFC 3492), so that
    two names in the same script have two addresses: `xn--jrgen-kva` for `jürgen`.
    """
    if _ADDRESS.fullmatch(user):
        return user
    name = _UNSAFE.sub(lambda found: "-" if found[0].isascii() else found[0], user.split("@")[0])
    name = re.sub(r"\.+", ".", name).strip(".-")
    if not name.isascii():
        name = f"xn--{name.encode('punycode').decode()}"
    return f"{name or 'jupyter'}@localhost"
