"""Plans of containers, without an engine."""

from __future__ import annotations

import dataclasses
from typing import Any

from labelstudio_proxy.backends.docker.container_spec import DATA_DIR, Plan
from labelstudio_proxy.backends.docker.jupyter_container import Bind

KEY = "the secret key of the data directory"


def plan(**changes: Any) -> Plan:
    whole = Plan(
        image="sha256:1",
        user_name="ada",
        user="1000:1000",
        groups=(),
        user_namespace="",
        binds=(Bind("/home/ada/data", DATA_DIR, False), Bind("/home/ada", "/home/ada", True)),
        hidden=(),
        environment={"DEBUG": "false"},
        private={"POSTGRE_PASSWORD": "hunter2"},
        memory=None,
        cpus=None,
        network=None,
        security=(),
        publish=True,
    )
    return dataclasses.replace(whole, **changes)
