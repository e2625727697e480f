"""Memory that the gateway gives back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from labelstudio_proxy.gateway import app, heap

# Blocks of the heap whose last one is kept, which alone would keep all of them from the system.
PROGRAM = """
import ctypes, json, os
from labelstudio_proxy.gateway import heap
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

heap.set_up()
blocks = [library.malloc(4000) for _ in range(10_000)]
for block in blocks:
    ctypes.memset(block, 1, 4000)
for block in blocks[:-1]:
    library.free(block)
before = resident()
heap.give_back()
print(json.dumps(before - resident()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_what_is_free_is_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, stdout=subprocess.PIPE, text=True
    )
    assert json.loads(done.stdout) > 30_000_000


async def test_it_is_given_back_when_nobody_has_asked_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_back = asyncio.Event()
    monkeypatch.setattr(heap, "give_back", given_back.set)
    monkeypatch.setattr(app, "REST_SECONDS", 0.05)

    async def answer(request: object, path: str) -> str:
        assert not given_back.is_set()
        return path

    request: Any = None  # nobody looks at it here
    gateway: Any = SimpleNamespace(_rest=None, _answer=answer)
    for _ in range(3):
        assert await app.Gateway.handle(gateway, request, "/") == "/"
    await asyncio.wait_for(given_back.wait(), 10)
