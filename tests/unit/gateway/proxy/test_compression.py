"""Which responses are compressed and how, and that clients can decompress them, chunk by chunk."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from labelstudio_proxy.gateway.proxy.compression import (
    BEST,
    FAST,
    KEPT,
    compress,
    compressor,
    is_compressible,
    negotiate,
    response_coding,
    set_coding,
)
from labelstudio_proxy.request_kind import Sender

JSON = {"Content-Type": "application/json"}


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
    assert negotiate(accept_encoding) == coding


@given(st.text())
def test_any_header_gives_a_coding(accept_encoding: str) -> None:
    assert negotiate(accept_encoding) in {"br", "gzip", "identity"}


@pytest.mark.parametrize("levels", [FAST, KEPT, BEST])
def test_clients_can_decompress_a_body(levels: dict[str, int]) -> None:
    text = b"one two three " * 1000
    assert brotli.decompress(compress(text, "br", levels["br"])) == text
    assert gzip.decompress(compress(text, "gzip", levels["gzip"])) == text
    assert compress(text, "identity", 0) == text


@given(st.lists(st.binary(max_size=3000)))
def test_clients_can_decompress_each_chunk_of_a_stream_at_once(chunks: list[bytes]) -> None:
    clients = {"br": brotli.Decompressor().process, "gzip": zlib.decompressobj(31).decompress}
    for coding, decompress in clients.items():
        stream = compressor(coding)
        for chunk in chunks:
            assert decompress(stream.compress(chunk)) == chunk
        assert decompress(stream.finish()) == b""


@pytest.mark.parametrize(
    ("media_type", "shrinks"),
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
def test_only_media_types_that_shrink_are_compressed(media_type: str, *, shrinks: bool) -> None:
    assert is_compressible(media_type, 100_000) is shrinks
    assert not is_compressible(media_type, 100)


@pytest.mark.parametrize(
    "headers",
    [
        JSON,
        {"Content-Type": "application/problem+json; charset=utf-8", "Content-Length": "1024"},
        {"Content-Type": "text/html", "Content-Disposition": "inline"},
    ],
)
def test_pages_and_json_are_compressed(headers: dict[str, str]) -> None:
    assert response_coding(Sender.PAGE, "gzip, br", 200, headers) == "br"
    assert response_coding(Sender.PAGE, "", 200, headers) == "identity"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/event-stream"},
        {"Content-Type": "text/csv"},
        {"Content-Type": "image/png"},
        JSON | {"Content-Disposition": 'attachment; filename="x"'},
        JSON | {"Cache-Control": "private, no-transform"},
        JSON | {"Content-Encoding": "gzip"},
        JSON | {"Content-Length": "1023"},
    ],
)
def test_downloads_and_other_responses_pass_as_they_are(headers: dict[str, str]) -> None:
    assert response_coding(Sender.PAGE, "gzip, br", 200, headers) is None


@pytest.mark.parametrize("status", [206, 304, 400, 404, 500])
def test_only_complete_responses_are_compressed(status: int) -> None:
    assert response_coding(Sender.PAGE, "gzip, br", status, JSON) is None


def test_a_request_from_another_site_gets_an_uncompressed_response() -> None:
    assert response_coding(Sender.OTHER_SITE, "gzip, br", 200, JSON) == "identity"


def test_the_headers_of_a_compressed_response_say_so() -> None:
    headers = CIMultiDict({"Vary": "Cookie", "Content-Length": "9", "ETag": '"x"'})
    set_coding(headers, "br")
    expected = {"Content-Encoding": "br", "ETag": 'W/"x"', "Vary": "Cookie, Accept-Encoding"}
    assert dict(headers) == expected


def test_the_headers_of_an_uncompressed_response_keep_length_and_validator() -> None:
    headers = CIMultiDict({"Content-Length": "9", "ETag": '"x"'})
    set_coding(headers, "identity")
    assert dict(headers) == {"Content-Length": "9", "ETag": '"x"', "Vary": "Accept-Encoding"}
