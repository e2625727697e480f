"""Finding an engine and sending it requests, without one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import APIError, NotFound

from labelstudio_proxy.backends.docker import engine as engines
from labelstudio_proxy.backends.docker.engine import (
    PATIENT_SECONDS,
    QUICK_SECONDS,
    Engine,
    engine_sockets,
)
from labelstudio_proxy.backends.docker.engine_problems import Address, EngineProblem


async def test_requests_have_a_long_time_out_unless_they_need_no_work() -> None:
    url = "unix:///nowhere/engine.sock"
    quick, patient = (
        DockerClient(url, version="1.41", timeout=seconds)
        for seconds in (QUICK_SECONDS, PATIENT_SECONDS)
    )
    engine = Engine(Address(url, "for this test"), quick, patient, {})
    try:
        assert await engine.ask(lambda client: client.api.timeout) == PATIENT_SECONDS
        limited = await engine.ask(lambda client: client.api.timeout, seconds=QUICK_SECONDS)
        assert limited == QUICK_SECONDS
    finally:
        engine.close()


async def test_podmans_error_for_a_container_removed_meanwhile_is_not_found() -> None:
    client = DockerClient("unix:///nowhere/engine.sock", version="1.41")
    engine = Engine(Address("unix:///nowhere", "for this test"), client, client, {})

    def refuse(why: str) -> None:
        raise APIError("500 Server Error", explanation=why)

    try:
        with pytest.raises(NotFound):
            await engine.ask(lambda _: refuse("a does not exist in database: no such container"))
        with pytest.raises(APIError) as refused:
            await engine.ask(lambda _: refuse("no space left on device"))
        assert not isinstance(refused.value, NotFound)
    finally:
        engine.close()


async def test_an_engine_that_hangs_is_not_replaced_by_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It may come back, with Label Studio's container in it."""
    places = [tmp_path / name for name in ("absent", "hung", "other")]
    monkeypatch.setattr(engines, "QUICK_SECONDS", 0.2)
    monkeypatch.setattr(engines, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(
        engines,
        "_addresses",
        lambda _: [Address(f"unix://{place}", "for this test") for place in places],
    )
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        for listener, place in zip(listeners, places[1:], strict=True):
            listener.bind(str(place))
            listener.listen()
        with pytest.raises(EngineProblem) as fault:
            await engines.connect_engine()
        assert str(places[1]) in fault.value.why
        listeners[1].settimeout(0)
        with pytest.raises(BlockingIOError):
            listeners[1].accept()


@pytest.mark.parametrize(
    "environment",
    [
        {"DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_TLS_VERIFY": "1"},
        {"DOCKER_CONTEXT": "work"},
    ],
)
async def test_missing_certificates_are_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str]
) -> None:
    identifier = hashlib.sha256(b"work").hexdigest()
    meta = tmp_path / "contexts/meta" / identifier / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Endpoints": {"docker": {"Host": "tcp://127.0.0.1:1"}}}))
    (tmp_path / "contexts/tls" / identifier / "docker").mkdir(parents=True)
    for name, value in {"DOCKER_CONFIG": str(tmp_path), **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(EngineProblem) as fault:
        await engines.connect_engine()
    assert fault.value.remedy


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
