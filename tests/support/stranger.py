"""Another user of this machine, who runs a program or takes a port. Needs root."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

UID = 65534
# one that every user can run, other than that of a virtual environment in a home folder
PYTHON = "/usr/bin/python3"
TAKE = """
import socket, sys
with socket.socket() as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    listener.listen()
    print("taken", flush=True)
    while True:
        connection, _ = listener.accept()
        with connection:
            while received := connection.recv(65536):
                sys.stdout.buffer.write(received)
                sys.stdout.buffer.flush()
"""

needed = pytest.mark.skipif(
    os.geteuid() != 0 or not Path(PYTHON).exists(),
    reason="only root can act as another user, with a Python in /usr/bin",
)


def run(program: str, *arguments: str) -> str:
    """Run a Python program as another user; return what it prints."""
    done = subprocess.run(
        [PYTHON, "-c", program, *arguments],
        check=True,
        cwd="/",
        env={},
        user=UID,
        group=UID,
        extra_groups=[],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return done.stdout


class Squatter:
    """A program of another user that listens on a loopback port and records what it receives."""

    def __init__(self, port: int, output: Path) -> None:
        self._output = output
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [PYTHON, "-c", TAKE, str(port)],
                cwd="/",
                env={},
                user=UID,
                group=UID,
                extra_groups=[],
                stdout=file,
                stderr=subprocess.DEVNULL,
            )

    @property
    def listens(self) -> bool:
        assert self._process.poll() is None, "the stranger did not get the port"
        return self._output.read_bytes().startswith(b"taken\n")

    @property
    def received(self) -> bytes:
        return self._output.read_bytes().removeprefix(b"taken\n")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def listening(host: str, family: int = socket.AF_INET) -> Iterator[int]:
    """Return the port of our listener at `host`."""
    with socket.socket(family) as own:
        own.bind((host, 0))
        own.listen()
        yield own.getsockname()[1]
