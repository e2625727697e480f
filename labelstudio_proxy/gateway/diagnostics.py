"""A text for bug reports: what the checks find, the settings, the state and the log, without secrets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from ..config.settings import LabelStudioProxy
from ..doctor.situation import Situation
from ..lifecycle.supervisor import Supervisor
from ..problem import Problem
from .arrivals import Arrivals
from .place import Place

LINES = 200


class Diagnostics:
    """Runs the checks of `labelstudio-proxy doctor` in the gateway, with its settings."""

    def __init__(
        self,
        settings: LabelStudioProxy,
        problems: list[Problem],
        supervisor: Supervisor,
        place: Place,
        arrivals: Arrivals,
    ) -> None:
        self._settings = settings
        self._problems = problems
        self._supervisor = supervisor
        self._place = place
        self._arrivals = arrivals

    async def checks(self) -> Mapping[str, Any]:
        """Return what the checks find, as JSON."""
        from ..doctor.examination import as_json, examine

        situation = self._situation()
        return as_json(await examine(situation), situation.place)

    async def text(self) -> str:
        """Return the text."""
        # Here, not above: a gateway without a request for help needs no memory for it.
        from ..doctor.examination import as_text, examine, known_secrets
        from ..doctor.redaction import redacted

        situation = self._situation()
        checked = as_text(await examine(situation), situation.place)
        names = self._settings.trait_names(config=True)
        shown = {name: getattr(self._settings, name) for name in names}
        shown["environment"] = dict.fromkeys(self._settings.environment, "(not shown)")
        known = await asyncio.to_thread(known_secrets, situation)
        rest = "\n".join(
            (
                "settings: " + json.dumps(shown, indent=2, default=str),
                "state: " + json.dumps(self._supervisor.snapshot.as_json(), indent=2),
                f"log (last {LINES} lines):",
                *self._supervisor.log.tail(LINES),
            )
        )
        return f"{checked}\n\n{redacted(rest, known)}\n"

    def _situation(self) -> Situation:
        return Situation(
            self._settings,
            self._problems,
            place=f"the gateway at {self._place.prefix}",
            prefix=self._place.prefix,
            arrival=self._arrivals.newest,
        )
