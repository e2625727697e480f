from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from labelstudio_proxy.backends.docker.engine import engine_sockets


def test_docker_host_comes_before_contexts_and_contexts_before_the_usual_sockets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    usual = Path("/var/run/docker.sock")
    assert engine_sockets()[0] == usual

    context = tmp_path / "contexts" / "meta" / hashlib.sha256(b"work").hexdigest()
    context.mkdir(parents=True)
    endpoint = {"docker": {"Host": "unix:///by/context.sock"}}
    (context / "meta.json").write_text(json.dumps({"Name": "work", "Endpoints": endpoint}))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "work"}))
    assert engine_sockets()[0] == Path("/by/context.sock")

    monkeypatch.setenv("DOCKER_HOST", "unix:///by/host.sock")
    assert engine_sockets()[0] == Path("/by/host.sock")
