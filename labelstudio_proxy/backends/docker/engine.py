"""A container engine: found, and asked in time.

Whatever speaks Docker's API will do: Docker, rootless Docker, Podman. Its SDK blocks, so every call
is made in a thread.
"""

from __future__ import annotations

import asyncio
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
from docker.errors import APIError, DockerException, NotFound
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from ...aio import call_in_thread
from ...problem import Problem
from .engine_problems import (
    Address,
    EngineFault,
    NotThere,
    absent,
    denied,
    exists,
    hung,
    no_context,
    not_known,
    not_running,
    service,
)

T = TypeVar("T")

# To find out whether an engine answers at all; and for what it may have to work for, on a busy
# machine (to make a container, to stop one).
QUICK_SECONDS = 3.0
PATIENT_SECONDS = 120.0
GRACE_SECONDS = 0.5  # for an answer that drips in; the SDK's own time-out is from byte to byte
CONNECT_SECONDS = 1.0
ENDING_SECONDS = 0.5
LAST_SECONDS = 10.0


class Engine:
    """A connection to an engine that has answered; `close` it."""

    def __init__(
        self, address: Address, quick: DockerClient, patient: DockerClient, version: dict[str, Any]
    ) -> None:
        """Made by `connect_engine`."""
        self.address = address
        self._quick = quick
        self._patient = patient
        components = [each.get("Name", "") for each in version.get("Components") or []]
        self.name = "Podman" if any("Podman" in name for name in components) else "Docker"
        self.version = str(version.get("Version", ""))

    @property
    def client(self) -> DockerClient:
        """For streams, which outlast any time-out; to be used in a thread."""
        return self._patient

    async def ask(
        self, call: Callable[[DockerClient], T], *, seconds: float = PATIENT_SECONDS
    ) -> T:
        """What `call` gives for a client; raises EngineFault, and docker's APIError for a refusal.

        A call under way cannot be taken back: cancelled, this waits for its end first, for a while.
        """
        client = self._quick if seconds <= QUICK_SECONDS else self._patient
        future = asyncio.ensure_future(call_in_thread(lambda: call(client), "engine"))
        # Else what comes of a call that nobody waits for any more would be complained about.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            # Not `wait_for`: before Python 3.12 that forgets that it was cancelled if the answer
            # comes at the same moment (https://github.com/python/cpython/issues/86296).
            done, _ = await asyncio.wait([future], timeout=seconds + GRACE_SECONDS)
            if not done:
                raise asyncio.TimeoutError
            return future.result()
        except APIError as error:
            # Podman calls it a fault of its own where a container goes while it looks.
            if "no such container" in str(error.explanation).lower():
                raise NotFound(str(error), error.response, error.explanation) from error
            raise
        except (requests.exceptions.Timeout, asyncio.TimeoutError) as error:
            raise hung(self.address) from error
        except (requests.exceptions.RequestException, DockerException, OSError) as error:
            raise await _fault(self.address, error) from error
        except asyncio.CancelledError:
            await asyncio.wait([future], timeout=min(seconds, LAST_SECONDS))
            raise

    def command(self, verb: str) -> str:
        """What a person types to `start` or `restart` the engine."""
        return service(self.address, verb)

    async def check(self) -> None:
        """Raise EngineFault at once if the engine does not answer."""
        await self.ask(lambda client: client.ping(), seconds=QUICK_SECONDS)

    def close(self) -> None:
        """Let the connections go."""
        self._quick.close()
        self._patient.close()


async def connect_engine() -> Engine:
    """The engine of this user; raises EngineFault with the fault of the likeliest one.

    One that hangs or has ended is not passed over for another: it may come back, with Label
    Studio's container in it.
    """
    first: EngineFault | None = None
    try:
        places = await asyncio.to_thread(_addresses, os.environ)
    except (DockerException, OSError) as error:
        raise EngineFault(
            "The way to the container engine is not described well enough.",
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
        except NotThere as fault:
            first = first or fault
    raise first or absent(places)


async def connect_engine_at(url: str) -> Engine:
    """The engine at the address of one that was used before; raises EngineFault.

    Elsewhere than on this machine, only where the user's own settings lead: the address stood in a
    file that others may have written.
    """
    places: list[Address] = []
    with contextlib.suppress(DockerException, OSError, Problem):
        places = await asyncio.to_thread(_addresses, os.environ)  # with what TLS needs
    before = Address(url, "a gateway before has used it")
    if before.socket is None and url not in {each.url for each in places}:
        raise not_known(before)
    return await _connect(next((each for each in places if each.url == url), before))


def engine_sockets() -> list[Path]:
    """Where engines listen that this user may use; some may not exist."""
    with contextlib.suppress(DockerException, OSError, Problem):
        chosen = _addresses(os.environ)
        places = [*chosen, *_usual_places(os.environ)]
        return [each.socket for each in places if each.socket is not None]
    return []


def _addresses(environment: Mapping[str, str]) -> list[Address]:
    """Where to look: what the user has chosen, else the places where engines put their sockets."""
    if environment.get("DOCKER_HOST"):
        options = kwargs_from_env(environment=dict(environment))
        return [Address(options.pop("base_url"), "DOCKER_HOST names it", options)]
    folder = Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    context = environment.get("DOCKER_CONTEXT") or _current_context(folder)
    if context not in {"", "default"}:
        return [_address_of(context, folder)]
    return _usual_places(environment)


def _usual_places(environment: Mapping[str, str]) -> list[Address]:
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return [
        Address(f"unix://{path}", "it is one of the usual places")
        for path in (
            "/var/run/docker.sock",
            f"{runtime}/docker.sock",
            f"{Path.home()}/.docker/run/docker.sock",
            f"{runtime}/podman/podman.sock",
            "/run/podman/podman.sock",
        )
    ]


def _current_context(folder: Path) -> str:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return str(config.get("currentContext", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _address_of(context: str, folder: Path) -> Address:
    """What `docker context create` has written down; raises EngineFault.

    Read here, since the SDK looks in the working directory where there is no `config.json`.
    """
    identifier = hashlib.sha256(context.encode()).hexdigest()
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
    # A client's certificate, an authority's, or both.
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

    def connect() -> tuple[DockerClient, DockerClient, dict[str, Any]]:
        options = {"base_url": address.url, **address.options}
        quick = DockerClient(timeout=QUICK_SECONDS, **options)
        version = quick.version()
        patient = DockerClient(timeout=PATIENT_SECONDS, version=quick.api.api_version, **options)
        return quick, patient, version

    try:
        return Engine(
            address,
            *await asyncio.wait_for(asyncio.to_thread(connect), QUICK_SECONDS + GRACE_SECONDS),
        )
    except asyncio.TimeoutError as error:
        raise hung(address) from error
    except (requests.exceptions.RequestException, DockerException, OSError) as error:
        raise await _fault(address, error) from error


def _check_local(address: Address) -> None:
    """The data are bound into the container and it is reached on loopback: it must be here."""
    try:
        host = urlsplit(address.url).hostname or ""
    except ValueError as error:
        raise EngineFault(
            f"{address.url} is no address of a container engine.",
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
    raise EngineFault(
        f"The container engine at {address.url} is on another machine.",
        f"For it, {address.origin}. Label Studio's container needs the folders of this machine.",
        "Name an engine of this machine in DOCKER_HOST (for example "
        "`unix:///var/run/docker.sock`), and restart Jupyter.",
    )


async def _fault(address: Address, error: Exception) -> EngineFault:
    """What stands behind an error of the SDK's, which tells little."""
    if _mentions_timeout(error):
        return hung(address)
    if "ConnectionReset" in repr(error):  # it is just ending, and may accept connections still
        await asyncio.sleep(ENDING_SECONDS)
    fault = await _socket_fault(address, address.socket) if address.socket else None
    if fault is not None:
        return fault
    if address.socket is None and "refused" in str(error):
        return not_running(address)
    return EngineFault(
        "What answers in the container engine's place gives no usable answer.",
        f"It is at {address.url} ({address.origin}). The error: {error}.",
        "Check that it is Docker or Podman, and not too old: its API must be 1.24 or newer.",
    )


async def _socket_fault(address: Address, path: Path) -> EngineFault | None:
    """Why the socket cannot be connected to; None where it can be."""
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
