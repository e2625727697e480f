"""Making the container by its plan, and where it answers then."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from docker.models.containers import Container

from ...label_studio.port_owner import engine_listener
from ...label_studio.upstream import Endpoint
from ...problem import Problem
from ..base import Owner
from .container_files import file_in, is_in
from .container_removal import remove
from .container_spec import DATA, OURS, PORT, START_LABEL, Plan
from .engine import Engine
from .engine_refusals import do

# Of the processors, against a container's or a program's usual ones.
USUAL_SHARES = 1024
BACKGROUND_SHARES = 102
# Where nobody listens: of a container that has ended again before its address was known.
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
    """Make and start it; raises Problem. `start`: by which it is known to be of this start."""
    account = (
        {"LABEL_STUDIO_USERNAME": owner.email, "LABEL_STUDIO_PASSWORD": owner.password}
        if owner is not None
        else {}
    )
    files, options = plan.files(account), plan.options(key)
    options["labels"] = {**options["labels"], START_LABEL: start}
    # Podman 4.3 could not give them back.
    if background and engine.name == "Docker":
        options["cpu_shares"] = BACKGROUND_SHARES
    container: Container = await do(
        engine,
        "could not be made",
        lambda: engine.client.containers.create(**options),
    )
    await do(engine, "could not be prepared", lambda: container.put_archive(OURS, files))
    await _check_visible(engine, container, data_dir, files_root)
    await do(engine, "could not be started", container.start)
    await do(engine, "could not be found", container.reload)
    return container


async def _check_visible(
    engine: Engine, container: Container, data_dir: Path, files_root: Path | None
) -> None:
    """Whether the engine sees the very folders that Jupyter sees, and not others of that name."""
    failure = "could not be looked into"
    key_file = data_dir / ".env"
    key = await asyncio.to_thread(key_file.read_bytes)
    seen = await do(engine, failure, lambda: file_in(container, f"{DATA}/{key_file.name}"))
    unseen = [] if seen == key else [(key_file, "data_dir")]
    if files_root is not None and not await do(
        engine, failure, lambda: is_in(container, str(files_root))
    ):
        unseen.append((files_root, "files_root"))
    for path, setting in unseen:
        await remove(engine, container)
        raise Problem(
            f"The container engine does not see {path}, or sees another in its place.",
            "It runs on another machine than Jupyter, or in another container.",
            f"Set `{setting}` to a folder that both share, and restart Jupyter.",
        )


def endpoint_of(engine: Engine, container: Container, plan: Plan) -> Endpoint:
    """Where Label Studio answers, or will."""
    network = container.attrs["NetworkSettings"]
    if plan.publish:
        published = (network.get("Ports") or {}).get(f"{PORT}/tcp") or []
        if published:
            return Endpoint(
                port=int(published[0]["HostPort"]),
                listener=engine_listener(engine.address.socket),
            )
        return NOWHERE
    address = network["Networks"][plan.network]["IPAddress"]
    return Endpoint(host=address, port=PORT) if address else NOWHERE
