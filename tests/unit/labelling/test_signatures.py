"""What the first bytes of a file say."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.labelling import signatures


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("a.gif", b"GIF89a"),
        ("a.webp", b"RIFF\x24\0\0\0WEBPVP8 "),
        ("a.bmp", b"BM\x36\0\0\0"),
        ("a.avif", b"\0\0\0\x20ftypavif\0\0\0\0"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.SVG", b"\xef\xbb\xbf\n<?xml version='1.0'?>"),
        ("really-a-png.jpg", b"\x89PNG\r\n\x1a\n"),
    ],
)
def test_pictures_are_recognized_whatever_their_suffix(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)

    assert signatures.fault(str(tmp_path / name), "image") is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", signatures.EMPTY),
        (b"hello", signatures.NO_PICTURE),
        (b"<!DOCTYPE html><p>Not found", signatures.NO_PICTURE),
        (b"<svg/>", signatures.NO_PICTURE),
        (b"II*\0", signatures.NO_PICTURE),
        (b"RIFF\x24\0\0\0WAVEfmt ", signatures.NO_PICTURE),
        (b"\0\0\0\x18ftypheic\0\0\0\0", signatures.NO_PICTURE),
        (b"version https://git-lfs.github.com/spec/v1\noid", signatures.LFS_POINTER),
    ],
)
def test_what_is_no_picture_is_said(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)

    assert signatures.fault(str(tmp_path / "a.jpg"), "image") == expected


def test_other_media_need_a_content_only(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"?")
    (tmp_path / "b.mp3").write_bytes(b"")

    assert signatures.fault(str(tmp_path / "a.mp3"), "audio") is None
    assert signatures.fault(str(tmp_path / "b.mp3"), "audio") == signatures.EMPTY
    assert signatures.fault(str(tmp_path / "c.mp3"), "audio") == signatures.NO_ACCESS
