"""The folder of the Label Studio that labelstudio-proxy installs.

It has one Python environment for each installation, and the link `current` to the one in use. A new
environment is complete before the link leads to it. A process that uses an environment holds a lock on
it, so an upgrade leaves the environment of a running Label Studio in place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from ..problem import Problem

CURRENT = "current"
ENVIRONMENT = "environment-"
LOCK = ".lock"
# In each environment. Shared while Label Studio runs, exclusive while the environment is made.
IN_USE = "labelstudio-proxy.lock"


class InstallFolder:
    """The folder at `path`, which need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def executable(self) -> Path:
        """The `label-studio` program of the current environment."""
        return self.path / CURRENT / "bin" / "label-studio"

    @property
    def has_label_studio(self) -> bool:
        """Whether a Label Studio is installed here; False for a folder that cannot be read."""
        try:
            return self.executable.is_file()
        except OSError:
            return False

    def current(self) -> Path | None:
        """Return the current environment, None if there is none."""
        link = self.path / CURRENT
        return link.resolve() if link.is_dir() else None

    def environments(self) -> list[Path]:
        """Return every environment, complete or not."""
        return sorted(self.path.glob(f"{ENVIRONMENT}*"))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other installations out; makes the folder. Raises Problem."""
        try:
            self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
            descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise not_writable(self.path, error) from error
        try:
            if _lock(descriptor, fcntl.LOCK_EX) is False:
                raise _busy(self.path, os.pread(descriptor, 200, 0).decode(errors="replace"))
            with contextlib.suppress(OSError):  # a full disk
                os.ftruncate(descriptor, 0)
                os.pwrite(
                    descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0
                )
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def new_environment(self, version: str) -> Iterator[Path]:
        """Yield a new, empty folder for an environment, and remove it if the block raises.

        Raises Problem.
        """
        folder = self.path / f"{ENVIRONMENT}{version}-{os.urandom(3).hex()}"
        try:
            folder.mkdir(mode=0o755)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(folder / IN_USE, flags, 0o644)
        except OSError as error:
            raise not_writable(self.path, error) from error
        try:
            _lock(descriptor, fcntl.LOCK_EX)
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            os.close(descriptor)

    def switch(self, environment: Path) -> None:
        """Make the environment the current one, at once."""
        link = self.path / f".{CURRENT}-{os.urandom(3).hex()}"
        link.symlink_to(environment.name)
        link.replace(self.path / CURRENT)

    def remove_unused(self) -> None:
        """Remove what interrupted installations and upgrades left, except what still runs.

        The caller holds the lock. Without it, this could remove the new folder of another installation,
        which locks the folder only after it has made it.
        """
        current = self.current()
        for environment in self.environments():
            if environment.resolve() != current and is_used(environment) is False:
                shutil.rmtree(environment, ignore_errors=True)

    def tidy(self) -> None:
        """Remove what is no longer used, unless an installation is running or this user may not."""
        with contextlib.suppress(Problem), self.lock():
            self.remove_unused()

    def remove(self) -> None:
        """Remove every environment; raises Problem if one is in use or cannot be removed."""
        used = [environment for environment in self.environments() if is_used(environment)]
        if used:
            raise Problem(
                "Label Studio is running.",
                f"It uses {used[0]}.",
                "Stop it with `labelstudio-proxy stop`, then try again.",
            )
        try:
            (self.path / CURRENT).unlink(missing_ok=True)
            for environment in self.environments():
                shutil.rmtree(environment)
        except OSError as error:
            raise not_writable(self.path, error) from error


def is_own_environment(python: Path) -> bool:
    """Return True if labelstudio-proxy made the environment of this interpreter."""
    return (python.parent.parent / IN_USE).exists()


def hold(python: Path) -> int | None:
    """Return an open file that marks the environment of `python` as in use, until it is closed.

    Return None for an environment that labelstudio-proxy did not make.
    """
    try:
        descriptor = os.open(python.parent.parent / IN_USE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    _lock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_used(environment: Path) -> bool | None:
    """Return True if a process holds the environment, or makes it; None if that is unknown."""
    try:
        descriptor = os.open(environment / IN_USE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:  # another user's
        return True
    try:
        locked = _lock(descriptor, fcntl.LOCK_EX)
        return None if locked is None else not locked
    finally:
        os.close(descriptor)


def not_writable(path: Path, error: OSError) -> Problem:
    """Return the Problem for an OSError while something in the folder is made or removed."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return no_space(path)
    return Problem(
        f"{path} cannot be written.",
        f"{error.strerror or error}.",
        "Correct the rights of that folder, then try again. Or choose another folder: set "
        "`install_dir` and restart Jupyter, or use `labelstudio-proxy install --path DIR` and set "
        "`label_studio` to its `label-studio` program.",
    )


def no_space(path: Path, free: int | None = None) -> Problem:
    """Return the Problem for a disk that is full; `free`: bytes, if known."""
    left = "" if free is None else f" It has {free / 1e6:,.0f} MB left."
    return Problem(
        "There is not enough space for Label Studio.",
        f"It needs about 1 GB on the disk of {path}.{left}",
        "Free some space, then try again. Or set `install_dir` to a folder on another disk and "
        "restart Jupyter.",
    )


def _busy(path: Path, holder: str) -> Problem:
    return Problem(
        "Label Studio is being installed already.",
        f"Another installation into {path} is running{f' ({holder})' if holder else ''}.",
        "Wait until it is complete, then try again.",
    )


def _lock(descriptor: int, kind: int) -> bool | None:
    """Return False if another process has a lock that excludes this one, None if locks do not work.

    Without locks each installation still has a separate folder.
    """
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
