"""What this user logs in to a registry with, as `docker login` has left it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from docker.auth import AuthConfig, encode_header, load_config
from docker.credentials.constants import PROGRAM_PREFIX
from docker.errors import DockerException
from docker.utils.config import find_config_file

from ...aio import call_in_thread
from .registry import ODD

# A helper may ask somebody to unlock what it keeps, where nobody looks.
HELPER_SECONDS = 30.0


@dataclass(frozen=True)
class Credentials:
    """For one registry; none is as good as any for what is public."""

    found: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""  # why those that should be there could not be had

    @property
    def header(self) -> dict[str, str]:
        """For the engine, to pull with."""
        return {"X-Registry-Auth": encode_header(self.found).decode()} if self.found else {}


async def find_credentials(registry: str) -> Credentials:
    """Those of the user for a registry. A login that cannot be read is as none, but is told of."""
    found = asyncio.create_task(call_in_thread(lambda: _find(registry), "credentials"))
    try:
        done, _ = await asyncio.wait([found], timeout=HELPER_SECONDS)
    finally:
        found.cancel()
    if not done:
        return Credentials(fault=f"{_file()} names a credential helper, which gave no answer.")
    return found.result()


def _find(registry: str) -> Credentials:
    try:
        config = load_config()
        plain = AuthConfig({"auths": config.auths}).resolve_authconfig(registry) or {}
    # A file may hold anything.
    except (DockerException, *ODD) as error:
        return Credentials(fault=f"The logins in {_file()} cannot be read: {error}.")
    store = config.get_credential_store(registry)
    if not store:
        return Credentials(plain)
    program = f"{PROGRAM_PREFIX}{store}"
    # Else the SDK would print a warning.
    if shutil.which(program) is None:
        return Credentials(plain, _failed(program, "is not installed"))
    try:
        return Credentials(config.resolve_authconfig(registry) or {})
    # As a helper may print anything.
    except (DockerException, OSError, *ODD) as error:
        return Credentials(plain, _failed(program, f"failed: {error}"))


def _failed(program: str, how: str) -> str:
    return f"The credential helper `{program}`, which {_file()} names, {how}."


def _file() -> str:
    return str(find_config_file() or "docker's configuration")
