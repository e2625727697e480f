"""Which coding a client gets, and that what is packed can be unpacked, also while it comes."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_proxy.gateway.proxy.codings import BEST, FAST, chosen, pack, packable, packer


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.000 ,gzip ; q=0.001", "gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0.5,gzip;q=0.5", "br"),
        ("*", "br"),
        ("*;q=0.5, br;q=0", "gzip"),
        ("*;q=0", "identity"),
        ("gzip;q=0, *;q=0", "identity"),
        ("identity", "identity"),
        ("identity, br;q=0.5", "identity"),
        ("identity;q=0.5, br", "br"),
        ("identity;q=0, gzip", "gzip"),
        ("br;q=0.1", "br"),
        ("br;q=2", "identity"),
        ("br;q=yes", "identity"),
        ("deflate, zstd", "identity"),
        (",, ;q=1, gzip", "gzip"),
    ],
)
def test_client_gets_the_best_coding_that_it_takes(
    accept_encoding: str | None, coding: str
) -> None:
    assert chosen(accept_encoding) == coding


@given(st.text())
def test_any_header_gives_a_coding(accept_encoding: str) -> None:
    assert chosen(accept_encoding) in {"br", "gzip", "identity"}


@pytest.mark.parametrize("levels", [FAST, BEST])
def test_what_is_packed_can_be_unpacked(levels: dict[str, int]) -> None:
    text = b"one two three " * 1000
    assert brotli.decompress(pack(text, "br", levels["br"])) == text
    assert gzip.decompress(pack(text, "gzip", levels["gzip"])) == text
    assert pack(text, "identity", 0) == text


@given(st.lists(st.binary(max_size=3000)))
def test_each_chunk_of_a_stream_is_there_at_once(chunks: list[bytes]) -> None:
    unpackers = {"br": brotli.Decompressor().process, "gzip": zlib.decompressobj(31).decompress}
    for coding, unpack in unpackers.items():
        stream = packer(coding)
        for chunk in chunks:
            assert unpack(stream.pack(chunk)) == chunk
        assert unpack(stream.end()) == b""


@pytest.mark.parametrize(
    ("kind", "worthwhile"),
    [
        ("text/css; charset=utf-8", True),
        ("application/javascript", True),
        ("application/json", True),
        ("application/vnd.api+json", True),
        ("image/svg+xml", True),
        ("application/wasm", True),
        ("font/ttf", True),
        ("font/woff2", False),
        ("image/png", False),
        ("application/octet-stream", False),
        ("application/zip", False),
        ("", False),
    ],
)
def test_only_what_becomes_less_is_packed(kind: str, *, worthwhile: bool) -> None:
    assert packable(kind, 100_000) is worthwhile
    assert not packable(kind, 100)
