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
