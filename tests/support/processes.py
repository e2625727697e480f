"""Child processes of the tests: started in their own group, ended by pid, leaving nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, TypeVar

T = TypeVar("T")

PORTS = range(15000, 25000)
PORT_LOCKS = Path(tempfile.gettempdir(), f"labelstudio-proxy-tests-ports-{os.getuid()}")
# A command that a test run starts so ends with it, also if the run is interrupted.
END_WITH_THE_TESTS = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
_reserved: list[IO[Any]] = []
# Runs a command with the terminal at its standard input as the one that controls it.
TERMINAL = (
    sys.executable,
    "-c",
    """if True:
        import fcntl, os, sys, termios
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.execvp(sys.argv[1], sys.argv[1:])""",
)


def wait_for(
    condition: Callable[[], T | None],
    *,
    what: str | Callable[[], str],
    timeout: float = 60,
    pause: float = 0.25,
) -> T:
    """Return the first true value of `condition`.

    Raises AssertionError with `what` after `timeout` seconds. Asks every 0.05 s at first, and later
    every `pause` seconds: a question, such as a request through Jupyter, takes processor time from
    what is waited for.
    """
    began = time.monotonic()
    while True:
        if value := condition():
            return value
        waited = time.monotonic() - began
        if waited > timeout:
            reason = what if isinstance(what, str) else what()
            raise AssertionError(f"still waiting after {timeout:g} s: {reason}")
        time.sleep(min(max(0.05, waited / 10), pause))


@contextlib.contextmanager
def again_and_again(work: Callable[[], object], pause: float = 0.2) -> Iterator[None]:
    """Call `work` in a thread, with `pause` seconds between calls, until the block ends."""
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(pause):
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def free_port() -> int:
    """Return a port of 127.0.0.1 that no other test on this machine gets before this process exits.

    A lock on a file reserves it, since the port is free until the server listens on it. The range
    lies below the one from which the system picks ports.
    """
    PORT_LOCKS.mkdir(exist_ok=True)
    for port in random.sample(PORTS, len(PORTS)):
        lock = (PORT_LOCKS / str(port)).open("w")
        with contextlib.suppress(BlockingIOError, OSError), socket.socket() as sock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            _reserved.append(lock)
            return port
        lock.close()
    msg = f"no free port in {PORTS}"
    raise AssertionError(msg)


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment without the machine's own variables (`CI`, `DEBUG`, proxies, ...).

    Makes the home, temporary and XDG folders inside `home`.
    """
    env = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "LANG", "TZ", "USER", "LOGNAME"} or name.startswith("LC_")
    }
    folders = {
        "HOME": home,
        "TMPDIR": home / "tmp",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_DATA_HOME": home / ".local" / "share",
        "XDG_STATE_HOME": home / ".local" / "state",
        "XDG_RUNTIME_DIR": home / "run",
    }
    for name, folder in folders.items():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        env[name] = str(folder)
    return env


def give(folder: Path, uid: int, gid: int) -> None:
    """Change the owner of the folder and of everything in it."""
    for path in (folder, *folder.rglob("*")):
        os.lchown(path, uid, gid)


def pids_that_mention(path: Path) -> list[int]:
    """Return the pid of each process, also a detached one, with `path` in its command or environment.

    Without those of `Process`. Linux only: elsewhere there are none.
    """
    needle = os.fsencode(path)
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if needle in (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes():
                found.append(int(proc.name))
    return [pid for pid in found if pid != os.getpid() and pid not in Process.running]


def kill_all_that_mention(path: Path) -> None:
    """Kill what tests left behind in a temporary folder, such as the child of a killed process."""
    for pid in pids_that_mention(path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """Return the pids of a process's children. Linux only."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]


def cpu_seconds(pid: int) -> float:
    """Return what a process used so far, with all of its children, exited ones included."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it exited, and counts for its parent
        return 0.0
    ticks = sum(map(int, fields[11:15]))
    used = ticks / os.sysconf("SC_CLK_TCK")
    return used + sum(cpu_seconds(child) for child in children(pid))


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return "(gone)"


class Process:
    """A command in its own process group, with its output in the file `log`."""

    running: ClassVar[set[int]] = set()

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        umask: int = -1,
        terminal: bool = False,
        user: Mapping[str, Any] | None = None,
    ) -> None:
        """`umask`: in place of the tests' own; `terminal`: run it in one, for `type`.

        `user`: Popen's arguments for another user.
        """
        self.log = log
        self._terminal, stdin = os.openpty() if terminal else (-1, subprocess.DEVNULL)
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                [*END_WITH_THE_TESTS, *(TERMINAL if terminal else ()), *command],
                env=dict(env),
                cwd=cwd,
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=umask,
                **(user or {}),
            )
        if terminal:
            os.close(stdin)
        self.running.add(self.pid)

    def type(self, keys: bytes) -> None:
        r"""Type into its terminal; `\x03` is Ctrl-C, a SIGINT for all of its process group."""
        os.write(self._terminal, keys)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """The exit status; None while it runs."""
        return self._popen.poll()

    def wait_until(self, condition: Callable[[], object], *, what: str, timeout: float) -> None:
        """Wait for `condition`; AssertionError with the log's end on a time-out or an exit."""

        def met_or_dead() -> bool:
            return self.returncode is not None or bool(condition())

        wait_for(met_or_dead, what=lambda: f"{what}\n{self.log_tail()}", timeout=timeout)
        assert self.returncode is None, (
            f"exit status {self.returncode} while waiting: {what}\n{self.log_tail()}"
        )

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, timeout: float = 20) -> bool:
        """Send SIGTERM, after `timeout` seconds SIGKILL to the group; True if SIGTERM was enough.

        A second call does nothing.
        """
        self._popen.terminate()
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait(timeout)
            return False
        finally:
            self.running.discard(self.pid)
            if self._terminal >= 0:
                os.close(self._terminal)
                self._terminal = -1
        return True
