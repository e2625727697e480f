"""Compiles an installation of Label Studio in advance: some installers leave this to the first start."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping

from ...label_studio.programs import SERVER
from ...problem import Problem
from .installation import Installation

SHOWN_LINES = 3


async def compile_installation(installation: Installation, environment: Mapping[str, str]) -> None:
    """Import what Label Studio imports, so that its byte code is on disk where this user may write.

    `environment`: Label Studio's. Its data directory and the home folder are not used: root may do
    this while an image is built, for the user whose home it is. Raises Problem if Label Studio cannot
    be imported.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = ("LABEL_STUDIO_BASE_DATA_DIR", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
        own = dict.fromkeys(names, folder)
        process = await asyncio.create_subprocess_exec(
            *(*installation.command, str(SERVER), "compile"),
            env={**installation.variables, **environment, **own},
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            printed, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode:
        lines = printed.decode(errors="replace").strip().splitlines()
        raise Problem(
            f"Label Studio {installation.version} does not start with {installation.python}.",
            "\n".join(lines[-SHOWN_LINES:]),
            "Install it again, then try again.",
        )
