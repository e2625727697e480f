"""Installs Label Studio, then runs it as a local process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from ... import own_interpreter
from ...aio import finished
from ...installation.progress import STEPS
from ...problem import Problem
from ..base import InstallFailed
from .backend import LINE_LIMIT, ProcessBackend

STOP_SECONDS = 15.0  # more than the command lets uv or pip take


class InstallingBackend(ProcessBackend):
    """Runs `labelstudio-proxy install` before everything else."""

    steps: ClassVar[tuple[tuple[str, str], ...]] = (*STEPS, *ProcessBackend.steps)

    async def prepare(self) -> None:
        if not self._install_folder.has_label_studio:
            await self._install()
        await super().prepare()

    async def _install(self) -> None:
        self.report(STEPS[0][0])
        command = [sys.executable, *own_interpreter.options(), "-m", "labelstudio_proxy"]
        folder = str(self._install_folder.path)
        process = await asyncio.create_subprocess_exec(
            *(*command, "install", "--path", folder, "--json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_LIMIT,
            start_new_session=True,
            umask=0o022,
        )
        try:
            problem = await self._follow(process)
            status = await process.wait()
        finally:
            await finished(_end(process))
        if status != 0:
            raise problem or InstallFailed(
                "Label Studio could not be installed.",
                f"The installation ended with status {status}.",
                "The log has the rest. Try again: what was downloaded is kept.",
            )

    async def _follow(self, process: asyncio.subprocess.Process) -> Problem | None:
        """Show what the command prints; return the Problem that it ends with, if any."""
        assert process.stdout is not None
        problem = None
        async for raw in process.stdout:
            text = raw.decode(errors="replace").rstrip()
            said = _fields(text)
            if "step" in said:
                self.report(
                    said["step"],
                    detail=said.get("detail"),
                    done=said.get("done"),
                    total=said.get("total"),
                )
            elif "error" in said:
                problem = InstallFailed(**said["error"])
            elif "message" in said:
                self.log(f"labelstudio-proxy: {said['message']}")
            else:
                self.log(said.get("line", text))
        return problem


def _fields(text: str) -> Mapping[str, Any]:
    with contextlib.suppress(ValueError):
        fields = json.loads(text)
        if isinstance(fields, dict):
            return fields
    return {}


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the command, which then ends uv or pip and removes what is incomplete."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, asyncio.TimeoutError):
                os.killpg(process.pid, number)
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
