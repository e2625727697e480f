"""What Jupyter's process tells the gateway's: the settled settings, in one private variable.

A process's environment is readable by its own user only, unlike its command line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ..problem import Problem
from .settings import LabelStudioProxy

VARIABLE = "LABELSTUDIO_PROXY_HANDOFF"


@dataclass(frozen=True)
class Handoff:
    """Everything that only Jupyter's process knows."""

    settings: LabelStudioProxy
    problems: list[Problem] = field(default_factory=list)
    root_dir: str = ""
    allow_origin: str = ""
    allow_origin_pat: str = ""
    frame_ancestors: str = "'self'"
    parent: int = 0  # Jupyter's pid; 0: not told

    def dump(self) -> str:
        """As text for the environment variable."""
        names = self.settings.trait_names(config=True)
        return json.dumps(
            {
                "settings": {name: getattr(self.settings, name) for name in names},
                "problems": [problem.as_json() for problem in self.problems],
                "root_dir": self.root_dir,
                "allow_origin": self.allow_origin,
                "allow_origin_pat": self.allow_origin_pat,
                "frame_ancestors": self.frame_ancestors,
                "parent": self.parent,
            }
        )

    @classmethod
    def load(cls, text: str) -> Handoff:
        """From the text of `dump`."""
        data = json.loads(text)
        settings = LabelStudioProxy(**data.pop("settings"))
        problems = [Problem(**problem) for problem in data.pop("problems")]
        return cls(settings, problems, **data)
