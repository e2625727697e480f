"""A network for the tests in a browser: Chromium aborts requests when a network changes.

Each container that starts or stops adds or removes a network interface, and Chromium then fails
whatever its pages are loading with ERR_NETWORK_CHANGED, even on the loopback. No option of
Chromium's prevents that. So these tests run in a network namespace, with the servers that they
start. Tests with a container engine run outside of it, also those that use a browser.

Who may not make a namespace, or has no `ip` for it, cannot run an engine either.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import groups

CURRENT = "/proc/thread-self/ns/net"
CLONE_NEWNET = 0x40000000
# Without an address that is not the loopback's, Chromium tells its pages that they are offline.
COMMANDS = (
    "link set lo up",
    "link add outside type veth peer name inside",
    "address add 192.0.2.1/24 dev outside",
    "link set inside up",
    "link set outside up",
)


@contextlib.contextmanager
def of_test(item: pytest.Item) -> Iterator[None]:
    """Run the block in the test's network; `item`'s fixtures must be made in it."""
    namespace = _namespace() if _in_browser(item) and sys.platform == "linux" else None
    if namespace is None:
        yield
        return
    with _open(CURRENT) as machine:
        _enter(namespace)
        _machines.append(machine)
        try:
            yield
        finally:
            _machines.pop()
            _enter(machine)


# The machine's network, while a test runs in another network.
_machines: list[int] = []


@contextlib.contextmanager
def of_machine() -> Iterator[None]:
    """Run the block in the machine's network, for a download."""
    if not _machines:
        yield
        return
    with _open(CURRENT) as current:
        _enter(_machines[-1])
        try:
            yield
        finally:
            _enter(current)


def _in_browser(item: pytest.Item) -> bool:
    return item.path.parent.name == "browser" and groups.group_of(item) not in groups.ENGINES


@functools.cache
def _namespace() -> int | None:
    """Return a descriptor of a network namespace, made once in each worker; None if there is none."""
    with _open(CURRENT) as outside:
        try:
            _call("unshare", CLONE_NEWNET)
            # an IPv6 address appears later, and is a change of the network
            Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
            for command in COMMANDS:
                subprocess.run(["ip", *command.split()], check=True)
            return os.open(CURRENT, os.O_RDONLY)
        except OSError:
            return None
        finally:
            _enter(outside)


def _enter(namespace: int) -> None:
    """Move this thread to a namespace, and with it the programs that it starts."""
    _call("setns", namespace, CLONE_NEWNET)


def _call(function: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{function}: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def _open(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
