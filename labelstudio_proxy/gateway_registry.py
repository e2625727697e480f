"""Which gateways of this user are running: one small file for each, as Jupyter does it."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir


@dataclass(frozen=True)
class Entry:
    """A running gateway: how to reach it, and whose data it serves."""

    pid: int
    data_dir: str
    prefix: str
    unix_socket: str = ""
    port: int = 0
    token: str = ""

    @property
    def path(self) -> Path:
        """The file of this entry."""
        return Path(jupyter_runtime_dir()) / f"labelstudio-proxy-{self.pid}.json"


def register(entry: Entry) -> None:
    """Make a gateway known to this user's commands; the file is private, it holds the token."""
    entry.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = entry.path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(entry), file)
    temporary.replace(entry.path)


def forget(entry: Entry) -> None:
    """Take a gateway off the list."""
    with contextlib.suppress(OSError):
        entry.path.unlink()


def running() -> list[Entry]:
    """The gateways that run, newest first; what others left behind is cleared away."""
    found: list[tuple[float, Entry]] = []
    for path in Path(jupyter_runtime_dir()).glob("labelstudio-proxy-*.json"):
        try:
            entry = Entry(**json.loads(path.read_text(encoding="utf-8")))
            os.kill(entry.pid, 0)
            found.append((path.stat().st_mtime, entry))
        except ProcessLookupError:
            path.unlink(missing_ok=True)
        except (OSError, ValueError, TypeError):
            continue
    return [entry for _, entry in sorted(found, key=lambda each: each[0], reverse=True)]
