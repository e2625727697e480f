"""Pictures for the documentation, which tests take of what they see.

`LABELSTUDIO_PROXY_TEST_PICTURES=docs/images` makes the tests write them there; otherwise they take none.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page

VARIABLE = "LABELSTUDIO_PROXY_TEST_PICTURES"


def wanted() -> bool:
    return VARIABLE in os.environ


def take(of: Page | Locator, name: str) -> None:
    """Save what is on the screen as `<name>.png`, with 256 colours, if pictures are wanted."""
    if wanted():
        picture = Image.open(io.BytesIO(of.screenshot())).convert("RGB")
        picture.quantize(256, kmeans=1).save(
            Path(os.environ[VARIABLE], f"{name}.png"), optimize=True
        )


class Film:
    """An animated picture for the documentation, if pictures are wanted."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._frames: list[Image.Image] = []
        self._milliseconds: list[int] = []

    def shoot(self, milliseconds: int) -> None:
        """Add what is on the screen, and how long it is shown."""
        if wanted():
            shot = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
            self._frames.append(shot)
            self._milliseconds.append(milliseconds)

    def save(self, name: str) -> None:
        """Save it as `<name>.webp`."""
        if wanted():
            first, *others = self._frames
            first.save(
                Path(os.environ[VARIABLE], f"{name}.webp"),
                save_all=True,
                append_images=others,
                duration=self._milliseconds,
                loop=0,
                quality=75,
                method=6,
            )
