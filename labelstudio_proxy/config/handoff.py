"""Hand the settings over from Jupyter's process to the gateway's, in one environment variable.

Only the user of a process can read its environment; any user can read its command line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ..problem import Problem
from .settings import LabelStudioProxy

VARIABLE = "LABELSTUDIO_PROXY_HANDOFF"


@dataclass(frozen=True)
class Handoff:
    """All that only Jupyter's process knows."""

    settings: LabelStudioProxy
    problems: list[Problem] = field(default_factory=list)
    root_dir: str = ""
    allow_origin: str = ""
    allow_origin_pat: str = ""
    frame_ancestors: str = "'self'"
    parent: int = 0  # Jupyter's pid; 0: unknown

    def dump(self) -> str:
        """Return the text for the environment variable."""
        names = self.settings.trait_names(config=True)
        settings = {name: getattr(self.settings, name) for name in names}
        problems = [problem.as_json() for problem in self.problems]
        return json.dumps({**vars(self), "settings": settings, "problems": problems})

    @classmethod
    def load(cls, text: str) -> Handoff:
        """Return what `dump` was called on."""
        fields = json.loads(text)
        settings = LabelStudioProxy(**fields.pop("settings"))
        problems = [Problem(**problem) for problem in fields.pop("problems")]
        return cls(settings, problems, **fields)
