"""Who listens on a port."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from labelstudio_proxy.listeners import is_trusted

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"


def table(folder: Path, *rows: tuple[str, str, int]) -> Path:
    (folder / "net").mkdir()
    lines = (
        f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid} 0 1\n"
        for address, state, uid in rows
    )
    (folder / "net" / "tcp").write_text(HEAD + "".join(lines))
    return folder


def test_what_this_user_listens_on_is_trusted_until_it_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert is_trusted(port)
    assert not is_trusted(port)


@pytest.mark.parametrize(
    ("rows", "trusted"),
    [
        ([("0100007F:1F90", "0A", 0)], True),
        ([("0100007F:1F90", "0A", os.getuid())], True),
        ([("00000000:1F90", "0A", 0)], True),
        ([("0100007F:1F90", "0A", 4321)], False),
        ([("00000000:1F90", "0A", 0), ("0100007F:1F90", "0A", 4321)], False),
        ([("0100007F:1F91", "0A", 4321), ("0100007F:1F90", "0A", 0)], True),
        ([("0100007F:1F90", "01", 0)], False),  # a connection
        ([("0101A8C0:1F90", "0A", 0)], False),  # another address
        ([], False),
    ],
)
def test_others_are_not(tmp_path: Path, rows: list[tuple[str, str, int]], trusted: bool) -> None:
    assert is_trusted(0x1F90, table(tmp_path, *rows)) is trusted


def test_where_the_system_does_not_tell_nobody_is_suspected(tmp_path: Path) -> None:
    assert is_trusted(8080, tmp_path)
