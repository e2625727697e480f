"""Limits of memory and processors for a Label Studio that runs as a process."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

PROBE_SECONDS = 5.0
UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}
# systemd-run finds the user's systemd by them; Label Studio has no use for them.
BUS = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
# Prints the limits that hold for a process, by cgroups of version 2.
SHOW_LIMITS = 'cd "/sys/fs/cgroup$(cut -d: -f3- /proc/self/cgroup)" && cat memory.max cpu.max'


@dataclass(frozen=True)
class Limits:
    """`memory`: bytes; `processors`: how many. 0: no limit."""

    memory: int = 0
    processors: float = 0.0

    @classmethod
    def of_settings(cls, memory_limit: str, cpu_limit: float) -> Limits:
        """Return the limits in the settings of these names."""
        found = re.fullmatch(r"([0-9]*)([a-z]?)", memory_limit.lower())
        assert found is not None, "the settings are validated"
        return cls(int(found[1] or 0) * UNITS[found[2]], cpu_limit)

    def __bool__(self) -> bool:
        """Return True if there is one."""
        return bool(self.memory or self.processors)

    @property
    def scope(self) -> list[str]:
        """The command that runs another one in a cgroup with these limits; it needs BUS."""
        command = ["systemd-run", "--user", "--scope", "--quiet", "--collect"]
        if self.memory:
            command += ["-p", f"MemoryMax={self.memory}", "-p", "MemorySwapMax=0"]
        if self.processors:
            command += ["-p", f"CPUQuota={math.ceil(self.processors * 100)}%"]
        return [*command, "--"]

    async def works_as_scope(self) -> bool:
        """Return True if the user's systemd limits what runs in `scope`."""
        if shutil.which("systemd-run") is None:
            return False
        try:
            process = await asyncio.create_subprocess_exec(
                *(*self.scope, "sh", "-c", SHOW_LIMITS),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError:
            return False
        try:
            output, _ = await asyncio.wait_for(process.communicate(), PROBE_SECONDS)
        except asyncio.TimeoutError:
            return False
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        memory, _, quota = output.decode(errors="replace").partition("\n")
        return bool(
            process.returncode == 0
            and (not self.memory or memory.isdigit())
            and (not self.processors or quota[:1].isdigit())
        )

    def apply(self, pid: int) -> tuple[bool, int]:
        """Limit a process that has just started; return whether its memory is limited, and to how
        many processors.

        The limit is on private memory that can be written (RLIMIT_DATA), and on the processors that
        it may run on. Linux only.
        """
        limited, count = False, 0
        with contextlib.suppress(AttributeError, OSError, psutil.Error):
            process = psutil.Process(pid)
            if self.memory:
                process.rlimit(psutil.RLIMIT_DATA, (self.memory, self.memory))
                limited = True
        with contextlib.suppress(AttributeError, OSError, psutil.Error):
            if self.processors:
                allowed = psutil.Process(pid).cpu_affinity() or []
                wanted = allowed[-math.ceil(self.processors) :]
                psutil.Process(pid).cpu_affinity(wanted)
                count = len(wanted)
        return limited, count

    def notice(self, *, memory: bool, processors: float, by: str) -> str:
        """Return what holds, as a sentence for people. `processors`: how many; 0: no limit holds."""
        held: list[str] = []
        missing: list[str] = []
        if self.memory:
            size = f"{self.memory / 2**20:,.0f} MB of memory"
            (held if memory else missing).append(size)
        if self.processors:
            number = processors or self.processors
            text = f"{number:g} processor{'' if number == 1 else 's'}"
            (held if processors else missing).append(text)
        texts = []
        if held:
            texts.append(f"Label Studio may use at most {' and '.join(held)}, by {by}.")
        if missing:
            texts.append(f"This system cannot limit a process to {' and '.join(missing)}.")
        return " ".join(texts)


def bus_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables by which systemd-run finds the user's systemd."""
    return {name: environment[name] for name in BUS if name in environment}


def without_bus() -> list[str]:
    """Return the command that runs another one without these variables."""
    env = shutil.which("env") or str(Path("/usr/bin/env"))
    return [env, *(word for name in BUS for word in ("-u", name))]
