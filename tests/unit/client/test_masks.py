"""Masks as Label Studio's editor and its SDK encode them."""

from __future__ import annotations

import base64
import io
import sys

import pytest

from labelstudio_proxy.client import masks
from labelstudio_proxy.problem import Problem

np = pytest.importorskip("numpy")


@pytest.mark.parametrize("width", [1, 3, 40, 300])
def test_a_mask_is_decoded_as_the_sdk_does(width: int) -> None:
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    generator = np.random.default_rng(width)
    alpha = generator.choice(np.array([0, 255, 127, 128], np.uint8), (20, width))
    alpha[5:15] = 255  # long runs, over several rows
    encoded = bytes(brush.mask2rle(alpha))

    found = masks.decode({"rle": base64.b64encode(encoded).decode(), "width": width, "height": 20})

    assert (found.shape, str(found.dtype)) == ((20, width), "bool")
    assert (found == (alpha >= 128)).all()
    assert (masks.decode_rle(encoded) == brush.decode_rle(encoded)).all()


def test_what_the_editor_encodes_is_decoded() -> None:
    # What @thi.ng/rle-pack 3.2 makes of 20 different values, 25 equal ones, and 15 different ones.
    encoded = "AAAAPDkb+hMADRonNEFOW2h1go+cqbbD0N3q98Mf54AAQIAAQIAAQIAAQIAAQIA="
    values = [*range(0, 260, 13), *[255] * 25, *[0, 1, 2] * 5]

    assert masks.decode_rle(base64.b64decode(encoded)).tolist() == values


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
