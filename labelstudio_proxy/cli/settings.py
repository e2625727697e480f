"""The settings that a command works with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config.handoff import Handoff


def read_settings() -> Handoff:
    """Return the settings that Jupyter's process handed over, else read them here."""
    from ..config.handoff import VARIABLE, Handoff

    # Removed from the environment: it may hold secrets that no child process needs.
    text = os.environ.pop(VARIABLE, None)
    if text is not None:
        return Handoff.load(text)
    from traitlets.config import Config

    from ..config.files import jupyter_config
    from ..config.settings import resolve

    settings, problems = resolve(
        command_line=Config(), environment=os.environ, files=jupyter_config()
    )
    return Handoff(settings, problems)
