"""The settings that a command works with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..problem import Problem
from ..shell_command import shell_command

if TYPE_CHECKING:
    from ..config.handoff import Handoff


def read_settings() -> Handoff:
    """Return the settings that Jupyter's process handed over, else read them; raises Problem."""
    from ..config.handoff import VARIABLE, Handoff

    # Removed from the environment: it may hold secrets that no child process needs.
    text = os.environ.pop(VARIABLE, None)
    if text is not None:
        return Handoff.load(text)
    from traitlets.config import Config

    from ..config.files import jupyter_config
    from ..config.files import read_settings as read

    try:
        files = jupyter_config()
    except Exception as error:  # they are programs
        raise Problem(
            "Jupyter's configuration files could not be read.",
            f"{type(error).__name__}: {error}.",
            f"Correct the file; `{shell_command('jupyter --paths')}` lists its folders.",
        ) from error
    settings, problems = read(command_line=Config(), environment=os.environ, files=files)
    return Handoff(settings, problems)
