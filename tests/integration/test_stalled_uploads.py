"""Uploads that stall do not occupy Label Studio's threads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from support.gateway import IMPATIENT, PROGRAM, Gateway, head, read_response
from support.label_studio import EXECUTABLE

JSON = ("Content-Type", "application/json")
THREADS = 8  # of Label Studio's server


def test_uploads_that_stall_leave_label_studios_threads_to_others(
    new_data_dir: Callable[[], Path],
) -> None:
    gateway = Gateway(new_data_dir(), settings={"label_studio": str(EXECUTABLE)}, env=IMPATIENT)
    begun = head("POST", "/api/projects/", [PROGRAM, JSON, ("Content-Length", "1000")]) + b"begin"
    try:
        gateway.start()
        with contextlib.ExitStack() as stack:
            stalled = [stack.enter_context(gateway.connection()) for _ in range(3 * THREADS)]
            for sock in stalled:
                sock.sendall(begun)
            for _ in range(THREADS):
                assert gateway.ask("GET", "/api/projects", [PROGRAM]).status == 200
            assert {read_response(sock, "POST").status for sock in stalled} == {408}
        made = gateway.ask("POST", "/api/projects/", [PROGRAM, JSON], b'{"title": "After"}')
        assert made.status == 201
    finally:
        gateway.stop()
