"""Run the gateway in this process.

Jupyter calls `main`. It does without the command line's libraries, which would take 2 MB of memory.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..config.settings import is_hub_service
from ..gateway.place import Place
from ..gateway.request_guard import Origins
from ..gateway.server import Listen, serve
from .settings import read_settings


def main() -> None:
    """Run the gateway behind Jupyter, with the arguments of `jupyter.entry_point.command`."""
    _, _, _, socket, _, prefix = sys.argv
    try:
        run_gateway(prefix, Path(socket), 0, announce=lambda _: None)
    except OSError as error:
        sys.exit(f"labelstudio-proxy: Cannot listen on {socket}: {error.strerror or error}.")


def run_gateway(
    prefix: str, unix_socket: Path | None, port: int, announce: Callable[[str], None]
) -> None:
    """Run the gateway on a unix socket, behind Jupyter, or else on a port; never returns.

    `announce` gets the address with its token. Raises OSError if it cannot listen.
    """
    logging.basicConfig(
        level=logging.INFO, format="[%(levelname)1.1s %(asctime)s labelstudio_proxy] %(message)s"
    )
    handoff = read_settings()
    place = Place(
        prefix=prefix,
        behind_jupyter=unix_socket is not None,
        origins=Origins(handoff.allow_origin, handoff.allow_origin_pat),
        frame_ancestors=handoff.frame_ancestors,
        serves_a_team=is_hub_service(),
    )

    async def serve_and_exit() -> None:
        status = await serve(
            handoff.settings,
            handoff.problems,
            root_dir=handoff.root_dir or str(Path.cwd()),
            place=place,
            listen=Listen(unix_socket, port),
            announce=announce,
            parent=handoff.parent,
        )
        # Exit without waiting for threads that wait for an engine or a disk.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)

    asyncio.run(serve_and_exit())
