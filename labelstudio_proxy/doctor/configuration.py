"""The settings: wrong ones, and those that differ from their defaults."""

from __future__ import annotations

from collections.abc import Iterator

from ..config.files import SECTION, locked_settings
from .finding import Finding, of_problem, ok
from .situation import Situation


def check(situation: Situation) -> Iterator[Finding]:
    """Report wrong settings, and list the others."""
    for problem in situation.problems:
        yield of_problem("Settings", problem)
    settings, shown = situation.settings, []
    for name, trait in settings.traits(config=True).items():
        value = getattr(settings, name)
        if value == trait.default_value or (not value and name == "environment"):
            continue
        secret = trait.metadata.get("secret")
        shown.append(f"{name} = {'names ' + ', '.join(value) if secret else repr(value)}")
    yield ok("Settings", "; ".join(shown) or "all have their defaults")
    for file, config in locked_settings()[0]:
        yield ok("Settings", f"{file} locks {', '.join(config[SECTION]) or 'nothing'}")
