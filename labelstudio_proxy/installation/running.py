"""Runs Python, pip or uv, and passes on what it prints."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence

STOP_SECONDS = 5.0
# In the URL of an index or a proxy. pip and uv hide it, but not where it has special characters.
_PASSWORD = re.compile(r"(?<=://)\S+(?=@)")


def run(command: Sequence[str], environment: Mapping[str, str], read: Callable[[str], None]) -> int:
    """Run a command, pass on each line that it prints without passwords, and return its exit status.

    Ends it with everything that it started, if this is interrupted.
    """
    with _ended(
        subprocess.Popen(  # noqa: S603 - Python, pip or uv
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            read(_PASSWORD.sub("****", line.rstrip()))
        return process.wait()


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        if process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, number)
                    process.wait(STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
