"""Compression in the background: the best level, at the lowest priority, one asset at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import brotli
import pytest

from labelstudio_proxy.gateway.assets.background import (
    COMPLETE,
    LARGEST_BYTES,
    LOWEST_PRIORITY,
    BackgroundCompression,
)
from labelstudio_proxy.gateway.assets.cache import Asset, AssetFolder, digest

SCRIPT = "".join(f'window.x{n} = "/static/{n}.png";\n' for n in range(5_000)).encode()
STYLE = b"a { background: url(/static/a.png) }\n" * 4000
PREFIX = "/user/alice/labelstudio/"


@pytest.fixture
def folder(tmp_path: Path) -> AssetFolder:
    path = tmp_path / "assets"
    path.mkdir()
    return AssetFolder(path)


@pytest.fixture
async def background() -> AsyncIterator[BackgroundCompression]:
    background = BackgroundCompression()
    yield background
    await background.close()
    await until(lambda: not compressing())  # a thread lives a little longer than its work


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def compressing() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "compress"]


def keep(folder: AssetFolder, name: str, body: bytes) -> str:
    content = digest(body)
    folder.save(name, Asset("text/javascript", content, body, compressible=True))
    return content


async def test_a_kept_asset_is_compressed_at_the_best_level(
    background: BackgroundCompression, folder: AssetFolder
) -> None:
    content = keep(folder, "name", SCRIPT)
    background.improve(folder, "name", "br")
    await until(lambda: folder.has_content(content, "br", 11))
    best = folder.load("name", "br")
    assert best is not None
    assert brotli.decompress(best.body) == SCRIPT
    assert best.level == 11


async def test_large_files_are_compressed_before_they_are_requested(
    background: BackgroundCompression, folder: AssetFolder, tmp_path: Path
) -> None:
    front_end = tmp_path / "dist"
    (front_end / "apps").mkdir(parents=True)
    (front_end / "apps" / "main.js").write_bytes(SCRIPT)
    (front_end / "apps" / "main.css").write_bytes(STYLE)
    (front_end / "short.js").write_bytes(b"short")
    (front_end / "picture.png").write_bytes(SCRIPT)
    (front_end / "huge.js").write_bytes(bytes(LARGEST_BYTES + 1))
    background.compress_files(folder, front_end, PREFIX)
    await until(lambda: (folder.path / COMPLETE).exists())
    mapped = STYLE.replace(b"/static", PREFIX.encode() + b"static")
    kept = {f"{digest(content)}-br11" for content in (SCRIPT, mapped)}
    assert {file.name for file in folder.path.iterdir()} == {COMPLETE, *kept}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no separate priority")
async def test_compression_has_the_lowest_priority_and_one_thread(
    background: BackgroundCompression, folder: AssetFolder
) -> None:
    body = Random(1).randbytes(100_000).hex().encode()
    contents = [keep(folder, str(number), body[number:]) for number in range(3)]
    for number in range(3):
        background.improve(folder, str(number), "br")
    priorities = set()

    def done() -> bool:
        threads = compressing()
        for thread in threads:
            with contextlib.suppress(ProcessLookupError):  # finished meanwhile
                priorities.add(os.getpriority(os.PRIO_PROCESS, thread.native_id or 0))
        kept = [folder.has_content(content, "br", 11) for content in contents]
        assert len(threads) <= 1 + sum(kept)
        return all(kept)

    await until(done)
    assert LOWEST_PRIORITY in priorities
    assert os.getpriority(os.PRIO_PROCESS, 0) < LOWEST_PRIORITY


async def test_close_does_not_wait_for_the_compression(folder: AssetFolder) -> None:
    background = BackgroundCompression()
    content = keep(folder, "name", Random(1).randbytes(200_000).hex().encode())
    background.improve(folder, "name", "br")
    await until(compressing)
    await background.close()
    assert compressing()
    await until(lambda: not compressing())
    assert not folder.has_content(content, "br", 11)


async def test_a_folder_that_is_gone_is_no_error(
    background: BackgroundCompression, folder: AssetFolder, tmp_path: Path
) -> None:
    background.improve(folder, "missing", "br")
    background.compress_files(folder, tmp_path / "missing", PREFIX)
    await until((folder.path / COMPLETE).exists)
