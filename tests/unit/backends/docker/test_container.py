"""The address of a container, without an engine."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.container_plans import plan

from labelstudio_proxy.backends.docker.container import endpoint_of
from labelstudio_proxy.label_studio.upstream import open_session, url_of


@pytest.mark.parametrize("ports", [{}, {"8080/tcp": None}])
async def test_no_request_goes_to_the_address_of_a_stopped_container(
    ports: dict[str, None], tmp_path: Path
) -> None:
    """Above all not to Label Studio's usual port on this machine."""
    ended: Any = types.SimpleNamespace(attrs={"NetworkSettings": {"Ports": ports}})
    engine: Any = None
    endpoint = endpoint_of(engine, ended, plan(publish=True), tmp_path / "socket")
    async with open_session(endpoint) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url_of(endpoint, "/health"))
