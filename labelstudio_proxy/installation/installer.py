"""Installs Label Studio into an environment with uv or pip."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .problems import Untrusted, explain
from .progress import DOWNLOAD, Progress, Show
from .running import run
from .tools import Tool, find_tool

KEPT_LINES = 400


@dataclass(frozen=True)
class Installer:
    """Installs a version of Label Studio.

    `folder`: of all environments. `temporary`: for the files of the tool. `tool`: "uv", "pip" or "".
    """

    version: str
    folder: Path
    temporary: Path
    tool: str
    show: Show
    log: Callable[[str], None]

    def install_for(self, python: Path, name: str) -> None:
        """Install it for this interpreter, which has this name for people; raises Problem."""
        tool = find_tool(python, self.tool, self.temporary)
        try:
            self._run(tool, name)
        except Untrusted:
            # pip also trusts the authorities of the system, and REQUESTS_CA_BUNDLE.
            if tool.name == "pip" or self.tool:
                raise
            self._run(find_tool(python, "pip", self.temporary), name)

    def _run(self, tool: Tool, name: str) -> None:
        self.log(f"labelstudio-proxy: Installing Label Studio {self.version} with {tool.name}.")
        self.show(DOWNLOAD[0])
        progress = Progress(self.show)
        lines: deque[str] = deque(maxlen=KEPT_LINES)

        def read(line: str) -> None:
            lines.append(line)
            self.log(line)
            progress.read(line)

        command = [*tool.command, f"label-studio=={self.version}"]
        if run(command, tool.environment, read) == 0:
            return
        if tool.name == "pip" and _has_no_reason(lines):

            def read_reason(line: str) -> None:
                if "Could not fetch URL" in line:
                    read(line)

            options = ["--dry-run", "--no-deps", "--retries", "0", "-vv"]
            run([*tool.command, *options, command[-1]], tool.environment, read_reason)
        raise explain(lines, tool.name, self.version, name, self.folder)


def _has_no_reason(lines: Iterable[str]) -> bool:
    """Return True if pip found nothing at the index, and does not say why."""
    text = "\n".join(lines)
    return "(from versions: none)" in text and "Retrying" not in text
