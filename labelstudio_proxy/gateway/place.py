"""Where the gateway is: its address in browsers, and what is in front of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .request_guard import Origins


@dataclass(frozen=True)
class Place:
    """How browsers reach the gateway."""

    prefix: str  # the path in browsers, with a slash at either end
    behind_jupyter: bool = True  # jupyter-server-proxy authenticates, and strips the prefix
    origins: Origins = field(default_factory=Origins)
    frame_ancestors: str = "'self'"  # the sources that may frame a page
    serves_a_team: bool = False  # a service of a hub: all its users share one account

    @property
    def in_jupyter(self) -> bool:
        """Whether a Jupyter server is one level above; a hub can also run the gateway alone."""
        return self.behind_jupyter and self.prefix.endswith("/labelstudio/")
