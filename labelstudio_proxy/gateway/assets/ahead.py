"""Packing Label Studio's large assets while it starts, so that they are ready when it is.

It takes some ten seconds of a processor, once for each build; without it, the first page that
somebody ever opens would have 1.9 MB, and 1.7 MB later. What is packed is kept under the digest of
what is in it, so it is found by what Label Studio then sends.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

from ..beside import give_way
from ..proxy.compression import BEST, BROTLI, SHORT_BYTES, compress
from ..proxy.prefix_map import map_css
from .cache import Asset, AssetFolder, digest
from .repack import LARGEST_BYTES

# What pages load; what is shorter is packed as quickly when it is asked for.
SUFFIXES = (".js", ".css")
DONE = "ahead"


def is_done(folder: AssetFolder) -> bool:
    """Whether this build's assets have been packed."""
    return (folder.path / DONE).exists()


def main() -> None:
    """Pack what is named on standard input: the folder for it, the prefix, and Label Studio's."""
    give_way()
    given = json.load(sys.stdin)
    folder = AssetFolder(Path(given["folder"]))
    with contextlib.suppress(OSError):  # a full disk, or an upgrade at this very moment
        for file in _files(Path(given["front_end"])):
            body = file.read_bytes()
            if file.suffix == ".css":
                body = map_css(body, given["prefix"])
            content = digest(body)
            if folder.load(content, BROTLI) is None:
                packed = compress(body, BROTLI, BEST[BROTLI])
                folder.save(content, Asset("", content, packed, BROTLI, BEST[BROTLI]))
        (folder.path / DONE).touch()


def _files(front_end: Path) -> list[Path]:
    """In the order in which they are wanted: every page needs `main`; of the rest, the largest."""
    found = [
        (not file.name.startswith("main."), -file.stat().st_size, file)
        for file in front_end.rglob("*")
        if file.suffix in SUFFIXES and SHORT_BYTES < file.stat().st_size <= LARGEST_BYTES
    ]
    return [file for _, _, file in sorted(found)]
