"""Compiles an installation of Label Studio in advance: some installers leave this to the first start."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping

from ...label_studio.environment import only_in
from ...label_studio.programs import SERVER
from ...problem import Problem
from .installation import Installation

SHOWN_LINES = 3


async def compile_installation(installation: Installation, environment: Mapping[str, str]) -> None:
    """Import what Label Studio imports, so that its byte code is on disk where this user may write.

    `environment`: Label Studio's. Its data directory and the home folder are not used. Raises Problem
    if Label Studio cannot be imported.
    """
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *(*installation.command, str(SERVER), "compile"),
            env={**installation.variables, **environment, **only_in(folder)},
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
