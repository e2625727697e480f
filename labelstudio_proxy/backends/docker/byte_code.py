"""Keeps the byte code of Label Studio's images, which have none, from one container to the next.

Without it, each start compiles Label Studio again, which takes three times as long as the rest.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from platformdirs import user_cache_path

from ...problem import Problem
from .container_spec import BYTE_CODE
from .jupyter_container import JupyterContainer

KEPT = 2  # folders; each has some 60 MB


def source(jupyter: JupyterContainer, image: str, user: str) -> str:
    """Return the folder for the image (an id) as the engine sees it, an empty string if it cannot."""
    found = folder(image, user)
    if found is None:
        return ""
    with contextlib.suppress(Problem):
        return jupyter.binds(found, BYTE_CODE, "", read_only=False)[0].source
    return ""


def folder(image: str, user: str) -> Path | None:
    """Return the folder for the image, made for `user` (uid:gid), or None if there can be none.

    Removes the folders of images that were used longest ago. Blocks.
    """
    place = user_cache_path("labelstudio-proxy") / "byte-code"
    uid, gid = (int(number) for number in user.split(":"))
    found = place / f"{image.rpartition(':')[2][:16]}-{uid}"  # nobody else can read it
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.getuid() == 0:
            os.chown(found, uid, gid)
        os.utime(found)
        others = sorted(place.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    except OSError:
        return None
    for old in others[KEPT:]:
        with contextlib.suppress(OSError):
            shutil.rmtree(old)
    return found
