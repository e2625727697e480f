"""Masks as arrays, from the encodings in which Label Studio stores them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..problem import Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A pixel that a brush covers by half or more belongs to the mask: brushes have soft edges.
HALF = 128


def decode(mask: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Return an array of bool, [height, width], for the mask of a row. Needs NumPy.

    Raises Problem if the mask is a picture and Pillow is not installed.
    """
    if "png" in mask:
        return _opacity_of_png(mask["png"]) >= HALF
    pixels = decode_rle(base64.b64decode(mask["rle"])).reshape(mask["height"], mask["width"], 4)
    return pixels[:, :, 3] >= HALF


def decode_rle(packed: bytes) -> NDArray[np.uint8]:
    """Return the bytes that thi.ng/rle-pack has encoded, which Label Studio's editor uses.

    The format: 32 bits for the number of values, 5 for their size, 4 for each of four sizes of run
    lengths. Then runs: one bit, which is 0 for a list of different values; two bits for the size of
    the length; the length; one value or the list. All numbers but the first are stored less one.
    https://github.com/thi-ng/umbrella/blob/develop/packages/rle-pack/src/index.ts
    """
    import numpy as np

    at = 0

    def read(size: int) -> int:
        nonlocal at
        first, at = at, at + size
        window = int.from_bytes(packed[first >> 3 : (at + 7) >> 3], "big")
        return window >> (-at & 7) & ((1 << size) - 1)

    count = read(32)
    if read(5) != 7:
        raise ValueError("the values are not bytes")
    length_sizes = [read(4) + 1 for _ in range(4)]
    bits = np.unpackbits(np.frombuffer(packed, np.uint8))
    found = np.empty(count, np.uint8)
    done = 0
    while done < count:
        repeated = read(1)
        end = min(done + 1 + read(length_sizes[read(2)]), count)
        if repeated:
            found[done:end] = read(8)
        else:
            first, at = at, at + 8 * (end - done)
            found[done:end] = np.packbits(bits[first:at])
        done = end
    return found


def _opacity_of_png(url: str) -> NDArray[np.uint8]:
    """Return the opacity of each pixel of a `data:` URL."""
    import numpy as np

    try:
        from PIL import Image
    except ImportError:
        raise Problem(
            "The masks of this project are pictures, which need Pillow to be read.",
            "",
            "Install it: `pip install pillow`.",
        ) from None
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGBA"))[:, :, 3]


def encode(mask: NDArray[Any]) -> dict[str, Any]:
    """Return the mask of a row for an array, [height, width]: `decode` backwards.

    A pixel belongs to the mask if it is not 0; of an array of floats, if it is at least 0.5.
    """
    import numpy as np

    if mask.ndim != 2:
        raise Problem(f"A mask has {mask.ndim} dimensions.", "It needs two: height and width.", "")
    pixels = mask >= 0.5 if mask.dtype.kind == "f" else mask != 0
    height, width = pixels.shape
    packed = encode_rle(np.repeat(pixels.ravel(), 4))
    return {"rle": base64.b64encode(packed).decode(), "width": width, "height": height}


def encode_rle(values: NDArray[np.bool_]) -> bytes:
    """Return True as 255 and False as 0 in the format of `decode_rle`."""
    import numpy as np

    sizes = (3, 4, 8, 16)  # bits of the run lengths, as Label Studio's own converter has them
    bits = [f"{len(values):032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in sizes)]
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]) + 1, len(values))
    begin = 0
    for end in ends.tolist():
        value = "11111111" if values[begin] else "00000000"
        while begin < end:
            length = min(end - begin, 1 << sizes[-1])
            kind = next(kind for kind, size in enumerate(sizes) if length <= 1 << size)
            bits.append(f"1{kind:02b}{length - 1:0{sizes[kind]}b}{value}")
            begin += length
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")
