"""One container: make it, find it, look into it, remove it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import tarfile
from pathlib import Path

import requests
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from ...label_studio.port_owner import engine_listener
from ...label_studio.upstream import Endpoint
from ...problem import Problem
from ..base import Owner
from .container_spec import DATA_DIR, PORT, START_LABEL, STOP_SECONDS, VOLUME, Plan
from .engine import Engine
from .engine_problems import EngineProblem
from .engine_refusals import refusal, request

# Shares of the processors; 1024 is the engines' default.
USUAL_SHARES = 1024
BACKGROUND_SHARES = 102
# Nobody listens there: for a container that stopped before its address was known.
NOWHERE = Endpoint(unix_socket=Path(os.devnull))


async def make_container(
    engine: Engine,
    plan: Plan,
    key: str,
    owner: Owner | None,
    *,
    start: str,
    data_dir: Path,
    files_root: Path | None,
    background: bool,
) -> Container:
    """Make a container and start it; raises Problem. `start` identifies this start in its label."""
    account = owner.variables() if owner is not None else {}
    files, options = plan.files(account), plan.options(key)
    options["labels"] = {**options["labels"], START_LABEL: start}
    if background:
        options["cpu_shares"] = BACKGROUND_SHARES
    container: Container = await request(
        engine, "could not be made", lambda: engine.client.containers.create(**options)
    )
    await request(engine, "could not be prepared", lambda: container.put_archive(VOLUME, files))
    await _check_folders(engine, container, data_dir, files_root)
    await request(engine, "could not be started", container.start)
    await request(engine, "could not be found", container.reload)
    return container


async def _check_folders(
    engine: Engine, container: Container, data_dir: Path, files_root: Path | None
) -> None:
    """Raise Problem unless the engine sees the same folders as Jupyter at these paths."""
    failure = "could not be looked into"
    key_file = data_dir / ".env"
    key = await asyncio.to_thread(key_file.read_bytes)
    seen = await request(engine, failure, lambda: file_in(container, f"{DATA_DIR}/{key_file.name}"))
    unseen = [] if seen == key else [(key_file, "data_dir")]
    if files_root is not None and not await request(
        engine, failure, lambda: is_in(container, str(files_root))
    ):
        unseen.append((files_root, "files_root"))
    for path, setting in unseen:
        await remove(engine, container)
        raise Problem(
            f"The container engine does not see {path}, or sees another file there.",
            "It runs on another machine than Jupyter, or in another container.",
            f"Set `{setting}` to a folder that both share, and restart Jupyter.",
        )


def endpoint_of(engine: Engine, container: Container, plan: Plan, socket: Path) -> Endpoint:
    """Return where Label Studio responds, or will; NOWHERE if the container has stopped."""
    if not plan.publish:
        return Endpoint(unix_socket=socket)
    ports = container.attrs["NetworkSettings"].get("Ports") or {}
    if published := ports.get(f"{PORT}/tcp"):
        listener = engine_listener(engine.address.socket)
        return Endpoint(port=int(published[0]["HostPort"]), listener=listener)
    return NOWHERE


# ---- find it, and look into it


async def find(engine: Engine, plan: Plan) -> Container | None:
    """Return the container with the plan's name, if any; raises Problem if it is not ours."""
    try:
        found: Container = await engine.ask(lambda client: client.containers.get(plan.name))
    except NotFound:
        return None
    except APIError as error:
        raise refusal("could not be looked for", error) from error
    wanted = plan.owner_labels()
    if {name: found.labels.get(name) for name in wanted} != wanted:
        raise Problem(
            f"Another program has made a container with the name {plan.name}.",
            "It does not have the labels of labelstudio-proxy.",
            f"If nobody needs it, remove it with `{engine.name.lower()} rm --force {plan.name}`, "
            "then try again.",
        )
    return found


async def memory_of(engine: Engine, container: Container) -> int | None:
    """Return the bytes of memory that a container uses, None if the engine does not say."""
    with contextlib.suppress(APIError, EngineProblem):
        used = await engine.ask(
            lambda client: client.api.stats(container.id, stream=False, one_shot=True)
        )
        memory = used["memory_stats"]
        # Pages of files, which the kernel drops as needed; named so by cgroup v2 and v1.
        pages = memory.get("stats", {})
        cache = pages.get("inactive_file", pages.get("total_inactive_file", 0))
        return int(memory["usage"]) - int(cache) if "usage" in memory else None
    return None


def file_in(container: Container, path: str) -> bytes | None:
    """Return the file at `path`, None if there is none; raises APIError. It need not run."""
    try:
        stream, _ = container.get_archive(path)
    except NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        file = archive.extractfile(archive.getmembers()[0])
        return file.read() if file else None


def is_in(container: Container, path: str) -> bool:
    """Return True if something is at `path`, without reading it; raises APIError."""
    api = container.client.api
    response = api.head(
        f"{api.base_url}/v{api.api_version}/containers/{container.id}/archive",
        params={"path": path},
        timeout=api.timeout,
    )
    if response.status_code == 404:
        return False
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        raise APIError(str(error), response) from error
    return True


# ---- remove it


async def remove(engine: Engine, container: Container) -> None:
    """Stop and remove a container in any state; raises Problem."""

    def remove() -> None:
        with contextlib.suppress(NotFound):
            container.reload()
            if container.status == "paused":
                container.unpause()
            if container.status != "exited":
                container.stop(timeout=STOP_SECONDS)
            container.remove(v=True, force=True)

    try:
        await request(engine, "could not be removed", remove)
    except Problem:
        if not await _is_being_removed(engine, container):
            raise


async def _is_being_removed(engine: Engine, container: Container) -> bool:
    """Return True if another program removes it, or has removed it."""
    try:
        await engine.ask(lambda _: container.reload())
    except NotFound:
        return True
    except APIError:
        return False
    return str(container.status) == "removing"
