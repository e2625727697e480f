"""What programs that clean up remove comes back while the gateway and Label Studio run."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway import PROGRAM, Arrived, Gateway, add_account
from support.processes import clean_environment, pids_that_mention, wait_for


@pytest.fixture
def gateway(data_dir: Path) -> Iterator[Gateway]:
    add_account(data_dir, "ada@localhost")
    made = Gateway(data_dir)
    made.start()
    yield made
    made.stop()


def label_studios(gateway: Gateway) -> list[int]:
    pids = pids_that_mention(gateway.data_dir)
    return sorted(pid for pid in pids if pid != gateway.process.pid)


def snapshot(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = gateway.ask("GET", "/_proxy/state").json()
    return found


def test_command_line_reaches_a_gateway_whose_socket_and_record_were_removed(
    gateway: Gateway,
) -> None:
    before = label_studios(gateway)
    gateway.socket.unlink()
    (record,) = gateway.home.rglob(f"labelstudio-proxy-{gateway.process.pid}.json")
    record.unlink()
    wait_for(record.exists, what="the record")
    gateway.socket.unlink(missing_ok=True)
    command = [sys.executable, "-m", "labelstudio_proxy", "restart"]
    done = subprocess.run(command, env=clean_environment(gateway.home), check=False, timeout=60)
    assert done.returncode == 0
    assert not set(before) & set(label_studios(gateway))
    assert snapshot(gateway)["state"] == "ready"


@pytest.mark.parametrize("removed", ["socket", "folder"])
def test_label_studio_whose_socket_was_removed_restarts(gateway: Gateway, removed: str) -> None:
    (socket,) = gateway.home.rglob("label-studio.sock")
    before = label_studios(gateway)
    if removed == "folder":
        shutil.rmtree(socket.parent)
    else:
        socket.unlink()

    def responds() -> bool:
        response = gateway.ask("GET", "/api/projects", [PROGRAM])
        assert response.status in {200, 503}
        return response.status == 200

    wait_for(responds, what=lambda: str(snapshot(gateway)))
    after = snapshot(gateway)
    assert (after["state"], after["restart_reasons"]) == ("ready", {"ended": 1})
    assert not set(before) & set(label_studios(gateway))
    assert any("could no longer be reached" in line for _, line in after["log"])


def test_upload_in_chunks_arrives_after_the_temporary_folder_was_removed(gateway: Gateway) -> None:
    chunks = [bytes([number]) * 300_000 for number in range(10)]

    def upload() -> str:
        return Arrived.of(gateway.ask("POST", "/data", [PROGRAM], chunks=chunks)).sha256

    assert upload() == hashlib.sha256(b"".join(chunks)).hexdigest()  # Python remembers the folder
    shutil.rmtree(gateway.home / "tmp")
    assert upload() == hashlib.sha256(b"".join(chunks)).hexdigest()
