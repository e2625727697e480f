"""The recipes in the documents, so that tests run the very text that readers copy."""

from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def recipe(document: str, begin: str) -> str:
    """Return the only block of code in `document` whose text begins with `begin`."""
    text = (CHECKOUT / document).read_text()
    blocks = re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (found,) = (block for block in blocks if block.startswith(begin))
    return str(found)


def change(text: str, old: str, new: str) -> str:
    """Return `text` with `new` in place of `old`, which must be there once."""
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in:\n{text}"
    return text.replace(old, new)
