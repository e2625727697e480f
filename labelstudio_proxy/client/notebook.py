"""The notebook that this process is the kernel of, if it is one."""

from __future__ import annotations

import sys
from typing import Any


def is_here() -> bool:
    """Return True in a kernel, whose front end shows HTML."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def cell_number() -> int:
    """Return the number of the cell that runs now."""
    shell: Any = sys.modules["IPython"].get_ipython()
    number: int = shell.execution_count
    return number


def show(html: str) -> Any:
    """Show HTML below the cell; return a handle for `replace`."""
    display: Any = sys.modules["IPython"].display
    return display.display(display.HTML(html), display_id=True)


def replace(handle: Any, html: str) -> None:
    """Show other HTML in the same place."""
    display: Any = sys.modules["IPython"].display
    handle.update(display.HTML(html))
