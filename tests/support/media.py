"""Small real media files, one function each: `media.png()` returns the bytes of a PNG.

OpenCV, which Label Studio installs, writes the video; the rest needs no library.
"""

from __future__ import annotations

import io
import json
import math
import struct
import tempfile
import wave
import zlib
from pathlib import Path
from typing import Any

# A label configuration for boxes on pictures, and one such box.
BOXES = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="Box"/></RectangleLabels>
</View>
"""
BOX = {
    "type": "rectanglelabels",
    "from_name": "label",
    "to_name": "image",
    "original_width": 64,
    "original_height": 48,
    "value": {"x": 10, "y": 20, "width": 30, "height": 40, "rectanglelabels": ["Box"]},
}


def png(width: int = 64, height: int = 48, colour: tuple[int, int, int] = (0, 120, 200)) -> bytes:
    """Return a picture of one colour with a white diagonal; the colour tells pictures apart."""
    rows = bytearray()
    for y in range(height):
        row = bytearray(bytes(colour) * width)
        x = y * width // height
        row[3 * x : 3 * x + 3] = b"\xff\xff\xff"
        rows += b"\0" + row

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def wav(seconds: float = 2, rate: int = 8000, hertz: float = 440) -> bytes:
    """Return the sound of a sine, 16 bits, mono."""
    samples = (
        int(12000 * math.sin(2 * math.pi * hertz * n / rate)) for n in range(int(seconds * rate))
    )
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return out.getvalue()


def webm(
    seconds: float = 4, rate: int = 10, width: int = 160, height: int = 120, *, noise: bool = False
) -> bytes:
    """Return a video of a bar that moves to the right: VP8 in WebM, with an index for seeking.

    With `noise` in its lower half it is large: 5 MB for 60 frames of 640 x 480.
    """
    import cv2  # takes half a second, and comes with Label Studio
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.webm")
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), rate, (width, height))
        assert writer.isOpened(), "OpenCV has no VP8 encoder"
        frames = int(seconds * rate)
        random = np.random.default_rng(0)
        for n in range(frames):
            frame = np.zeros((height, width, 3), np.uint8)
            left = n * (width - 16) // frames
            frame[:, left : left + 16] = 255
            if noise:
                frame[height // 2 :] = random.integers(0, 256, (height - height // 2, width, 3))
            writer.write(frame)
        writer.release()
        return path.read_bytes()


def pdf(text: str = "A page to label", colour: tuple[int, int, int] = (255, 255, 255)) -> bytes:
    """Return one A5 page of one colour with a line of text."""
    line = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    red, green, blue = (part / 255 for part in colour)
    background = f"{red:g} {green:g} {blue:g} rg 0 0 420 595 re f 0 g"
    content = f"{background} BT /F1 24 Tf 40 300 Td ({line}) Tj ET".encode("latin-1")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 420 595]/Contents 4 0 R/Resources 6 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Font<</F1 5 0 R>>>>",
    ]
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def time_series_csv(rows: int = 200) -> bytes:
    """Return the columns `time` (0, 1, ...), `sine` and `cosine`."""
    lines = ["time,sine,cosine"]
    lines += [f"{n},{math.sin(n / 10):.4f},{math.cos(n / 10):.4f}" for n in range(rows)]
    return ("\n".join(lines) + "\n").encode()


def html(*pictures: str) -> bytes:
    """Return a page with `<img>`s of those URLs that looks as if it had to be rewritten."""
    images = "".join(f'<img src="{url}" alt="picture {url}">' for url in pictures)
    text = 'Not to be changed: <a href="/projects/">/projects/</a>, hostname: "", naïve Ω.'
    page = f"<!DOCTYPE html><html><body><h1>Title</h1><p>{text}</p>{images}</body></html>"
    return page.encode()


def dialogue(audio: str | None = None) -> list[dict[str, Any]]:
    """Return paragraphs of two speakers; with `audio`, that URL and times for each."""
    said = ["Hello, who is there?", "It is me.", "Come in, then."]
    lines: list[dict[str, Any]] = []
    for n, text in enumerate(said):
        line: dict[str, Any] = {"author": ("Alice", "Bob")[n % 2], "text": text}
        if audio:
            line |= {"audio": audio, "start": n / 2, "end": (n + 1) / 2}
        lines.append(line)
    return lines


def dialogue_json(audio: str | None = None) -> bytes:
    return json.dumps(dialogue(audio)).encode()
