"""Finds a container engine and sends it requests, each with a time-out.

Any engine that speaks Docker's API works: Docker, rootless Docker, Podman. Docker's SDK blocks, so
every call runs in a thread.
"""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, InvalidConfigFile, NotFound
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from ...aio import call_in_thread
from ...data_directory.foreign_containers import usual_sockets
from ...problem import Problem
from .engine_problems import (
    Address,
    EngineMissing,
    EngineProblem,
    absent,
    denied,
    exists,
    hung,
    no_context,
    no_login,
    not_known,
    not_running,
    service,
)

T = TypeVar("T")

QUICK_SECONDS = 3.0  # for a request that needs no work
PATIENT_SECONDS = 120.0  # to make or stop a container on a busy machine
GRACE_SECONDS = 0.5  # the SDK's own time-out restarts with each byte, so ours follows it
CONNECT_SECONDS = 1.0
ENDING_SECONDS = 0.5  # a stopping engine still accepts connections for a while
OLDEST_API = "1.24"  # that the SDK knows
CANCEL_SECONDS = 10.0  # to wait for a request that cannot be cancelled


class Engine:
    """A connection to an engine that has responded. `close` it."""

    def __init__(
        self, address: Address, quick: DockerClient, patient: DockerClient, version: dict[str, Any]
    ) -> None:
        """Use `connect_engine`."""
        self.address = address
        self._quick = quick
        self._patient = patient
        components = [each.get("Name", "") for each in version.get("Components") or []]
        self.name = "Podman" if any("Podman" in name for name in components) else "Docker"
        self.version = str(version.get("Version", ""))

    @property
    def client(self) -> DockerClient:
        """The SDK's client, for streams that outlast any time-out. It blocks."""
        return self._patient

    async def ask(
        self, call: Callable[[DockerClient], T], *, seconds: float = PATIENT_SECONDS
    ) -> T:
        """Return `call(client)`, run in a thread.

        Raises EngineProblem, or docker's APIError if the engine refuses. A request cannot be
        cancelled: a cancelled `ask` waits up to CANCEL_SECONDS for it.
        """
        client = self._quick if seconds <= QUICK_SECONDS else self._patient
        future = asyncio.ensure_future(call_in_thread(lambda: call(client), "engine"))
        # Marks an error as seen that comes after the time-out; asyncio would log it otherwise.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            # Before Python 3.12, `wait_for` loses a cancellation that arrives together with the
            # result (https://github.com/python/cpython/issues/86296).
            done, _ = await asyncio.wait([future], timeout=seconds + GRACE_SECONDS)
            if not done:
                raise asyncio.TimeoutError
            return future.result()
        except APIError as error:
            # Podman reports an internal error if the container is removed during the request.
            if "no such container" in str(error.explanation).lower():
                raise NotFound(str(error), error.response, error.explanation) from error
            raise
        except (requests.exceptions.Timeout, asyncio.TimeoutError) as error:
            raise hung(self.address) from error
        except (requests.exceptions.RequestException, DockerException, OSError) as error:
            raise await _fault(self.address, error) from error
        except asyncio.CancelledError:
            await asyncio.wait([future], timeout=min(seconds, CANCEL_SECONDS))
            raise

    def command(self, verb: str) -> str:
        """Return the shell command that starts or restarts the engine, in backticks."""
        return service(self.address, verb)

    async def check(self) -> None:
        """Raise EngineProblem if the engine does not respond within QUICK_SECONDS."""
        await self.ask(lambda client: client.ping(), seconds=QUICK_SECONDS)

    def close(self) -> None:
        """Close the connections."""
        self._quick.close()
        self._patient.close()


async def connect_engine() -> Engine:
    """Connect to the engine of this user; raises EngineProblem.

    An engine that hangs or has stopped is an error, although another one may respond: it may come
    back, with Label Studio's container in it.
    """
    first: EngineProblem | None = None
    try:
        places = await asyncio.to_thread(_addresses, os.environ)
    except (DockerException, OSError) as error:
        raise EngineProblem(
            "The settings of the container engine are incomplete.",
            f"{error}",
            "Correct DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or the Docker context, "
            "and restart Jupyter.",
        ) from error
    for address in places:
        several = len(places) > 1 and address.socket is not None
        if several and not await asyncio.to_thread(exists, address.socket):
            continue
        try:
            return await _connect(address)
        except EngineMissing as fault:
            first = first or fault
    raise first or absent(places)


async def connect_engine_at(url: str) -> Engine:
    """Connect to an engine that was used before; raises EngineProblem.

    The address comes from a file that others may have written. So it must be a unix socket, or in
    the user's own settings.
    """
    places: list[Address] = []
    with contextlib.suppress(DockerException, OSError, Problem):
        places = await asyncio.to_thread(_addresses, os.environ)  # with their TLS options
    before = Address(url, "an earlier gateway used it")
    if before.socket is None and url not in {each.url for each in places}:
        raise not_known(before)
    return await _connect(next((each for each in places if each.url == url), before))


def engine_sockets() -> list[Path]:
    """Return the sockets of possible engines; some may not exist."""
    with contextlib.suppress(DockerException, OSError, Problem):
        chosen = _addresses(os.environ)
        places = [*chosen, *_usual_places(os.environ)]
        return [each.socket for each in places if each.socket is not None]
    return []


def _addresses(environment: Mapping[str, str]) -> list[Address]:
    """Return the address that the user has chosen, else the usual ones."""
    if environment.get("DOCKER_HOST"):
        options = kwargs_from_env(environment=dict(environment))
        return [Address(options.pop("base_url"), "DOCKER_HOST names it", options)]
    folder = Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    context = environment.get("DOCKER_CONTEXT") or _current_context(folder)
    if context not in {"", "default"}:
        return [_address_of(context, folder)]
    return _usual_places(environment)


def _usual_places(environment: Mapping[str, str]) -> list[Address]:
    origin = "it is one of the usual addresses"
    return [Address(f"unix://{path}", origin) for path in usual_sockets(environment)]


def _current_context(folder: Path) -> str:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return str(config.get("currentContext") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def _address_of(context: str, folder: Path) -> Address:
    """Return the address in a Docker context; raises EngineProblem.

    Not by the SDK: without a `config.json` it looks in the working directory.
    """
    identifier = hashlib.sha256(os.fsencode(context)).hexdigest()
    origin = f"the Docker context {context!r} names it"
    try:
        meta = json.loads((folder / "contexts/meta" / identifier / "meta.json").read_text("utf-8"))
        endpoint = meta["Endpoints"]["docker"]
        url, verify = str(endpoint["Host"]), not endpoint.get("SkipTLSVerify")
    except FileNotFoundError as error:
        raise no_context(context, "There is no such context") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise no_context(context, f"Its file is damaged: {error}") from error
    files = folder / "contexts/tls" / identifier / "docker"
    if not files.is_dir():
        return Address(url, origin)
    # There may be a client certificate, the certificate of an authority, or both.
    ca, cert, key = (files / name for name in ("ca.pem", "cert.pem", "key.pem"))
    tls = TLSConfig(
        client_cert=(str(cert), str(key)) if cert.exists() and key.exists() else None,
        ca_cert=str(ca) if ca.exists() else None,
        verify=verify,
    )
    return Address(url, origin, {"tls": tls})


async def _connect(address: Address) -> Engine:
    _check_local(address)
    if address.socket is not None:
        fault = await _socket_fault(address, address.socket)
        if fault is not None:
            raise fault

    def connect() -> Engine:
        options = {"base_url": address.url, **address.options}
        # With a version, the SDK connects at the first request only, so that there is a client to close.
        first = DockerClient(timeout=QUICK_SECONDS, version=OLDEST_API, **options)
        with contextlib.closing(first):
            version = first.version(api_version=False)
        if not isinstance(version, dict) or not isinstance(version.get("ApiVersion"), str):
            raise DockerException("it does not tell its version")
        options["version"] = version["ApiVersion"]
        quick, patient = (
            DockerClient(timeout=seconds, **options) for seconds in (QUICK_SECONDS, PATIENT_SECONDS)
        )
        return Engine(address, quick, patient, version)

    try:
        return await asyncio.wait_for(
            call_in_thread(connect, "engine"), QUICK_SECONDS + GRACE_SECONDS
        )
    except asyncio.TimeoutError as error:
        raise hung(address) from error
    except (InvalidConfigFile, binascii.Error) as error:
        raise no_login(error) from error
    except (requests.exceptions.RequestException, DockerException, OSError) as error:
        raise await _fault(address, error) from error


def _check_local(address: Address) -> None:
    """Raise EngineProblem for an engine on another machine: it needs our folders and loopback."""
    try:
        parts = urlsplit(address.url)
        host, _ = parts.hostname or "", parts.port  # ValueError for a wrong port
        if address.socket is None and not host:
            raise ValueError("It names neither a socket nor a host")
    except ValueError as error:
        raise EngineProblem(
            f"{address.url} is not the address of a container engine.",
            f"{error}; {address.origin}.",
            "Correct it (for example `unix:///var/run/docker.sock`), and restart Jupyter.",
        ) from error
    if address.socket is not None or host == "localhost":
        return
    try:
        if ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise EngineProblem(
        f"The container engine at {address.url} is on another machine.",
        f"Label Studio's container needs the folders of this machine; {address.origin}.",
        "Set DOCKER_HOST to an engine of this machine, for example "
        "`unix:///var/run/docker.sock`, and restart Jupyter.",
    )


async def _fault(address: Address, error: Exception) -> EngineProblem:
    """Find the cause of an error of the SDK, which itself says little."""
    if _mentions_timeout(error):
        return hung(address)
    if "ConnectionReset" in repr(error):  # the engine may be stopping
        await asyncio.sleep(ENDING_SECONDS)
    fault = await _socket_fault(address, address.socket) if address.socket else None
    if fault is not None:
        return fault
    if address.socket is None and "refused" in str(error):
        return not_running(address)
    return EngineProblem(
        f"The program at {address.url} does not respond like a container engine.",
        f"For the address: {address.origin}. The error: {error}.",
        "Check that it is Docker or Podman, with version 1.24 or newer of Docker's API, then try "
        "again.",
    )


async def _socket_fault(address: Address, path: Path) -> EngineProblem | None:
    """Return why the socket accepts no connection, None if it does."""
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_unix_connection(str(path)), timeout=CONNECT_SECONDS
        )
        writer.close()
    except (FileNotFoundError, NotADirectoryError):
        return absent([address])
    except PermissionError:
        return await asyncio.to_thread(denied, path)
    except asyncio.TimeoutError:  # its queue of connections is full
        return hung(address)
    except OSError:
        return not_running(address)
    return None


def _mentions_timeout(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, requests.exceptions.Timeout | TimeoutError):
            return True
        error = error.__cause__ or error.__context__
    return False
