"""The notebook's files, as Label Studio serves them: none that a link leads to outside of their root.

Label Studio looks at the name of a file only, and follows links.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from urllib.parse import parse_qs


def leads_out(root: Path, query: str) -> bool:
    """Whether the file that the query asks for is, links followed, outside of the files root.

    Looks at the disk, so keep it off the event loop.
    """
    inside = os.path.realpath(root)
    for name in parse_qs(query, keep_blank_values=True, errors="surrogateescape").get("d", []):
        if "\0" in name:
            return True
        file = os.path.realpath(Path(root, posixpath.normpath(name).lstrip("/")))
        if os.path.commonpath([inside, file]) != inside:
            return True
    return False
