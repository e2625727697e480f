"""Masks as Label Studio's editor and its SDK encode them."""

from __future__ import annotations

import base64
import io
import sys

import pytest

from labelstudio_proxy.client import masks
from labelstudio_proxy.problem import Problem

np = pytest.importorskip("numpy")
brush = pytest.importorskip("label_studio_sdk.converter.brush")


@pytest.mark.parametrize("width", [1, 3, 40, 300])
def test_a_mask_is_decoded_as_the_sdk_does(width: int) -> None:
    generator = np.random.default_rng(width)
    alpha = generator.choice(np.array([0, 255, 127, 128], np.uint8), (20, width))
    alpha[5:15] = 255  # long runs, over several rows
    encoded = bytes(brush.mask2rle(alpha))

    found = masks.decode({"rle": base64.b64encode(encoded).decode(), "width": width, "height": 20})

    assert (found.shape, str(found.dtype)) == ((20, width), "bool")
    assert (found == (alpha >= 128)).all()
    assert (masks.decode_rle(encoded) == brush.decode_rle(encoded)).all()


def test_a_list_of_different_values_is_decoded() -> None:
    # As the editor writes it: 6 values of 8 bits, the lengths of runs in 3, 4, 8 and 16 bits; a list
    # of four values, then one value twice.
    bits = f"{6:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    bits += f"0{0:02b}{3:03b}{1:08b}{2:08b}{3:08b}{255:08b}" + f"1{0:02b}{1:03b}{9:08b}"
    bits += "0" * (-len(bits) % 8)
    encoded = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))

    assert masks.decode_rle(encoded).tolist() == [1, 2, 3, 255, 9, 9]
    assert brush.decode_rle(encoded).tolist() == [1, 2, 3, 255, 9, 9]


def test_a_mask_that_is_a_picture_is_decoded() -> None:
    pillow = pytest.importorskip("PIL.Image")
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[1, 2] = [10, 20, 30, 255]
    file = io.BytesIO()
    pillow.fromarray(pixels).save(file, "png")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

    found = masks.decode({"png": url})

    assert found.tolist() == [[False, False, False], [False, False, True]]


def test_without_pillow_a_picture_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)

    with pytest.raises(Problem, match="Pillow"):
        masks.decode({"png": "data:image/png;base64,"})
