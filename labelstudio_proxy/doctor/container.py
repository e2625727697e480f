"""The container engine and its image, if Label Studio runs as a container."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone

from ..backends.factory import docker_sdk, runs_as_process
from ..duration import duration
from ..problem import Problem
from .finding import Finding, error, of_problem, ok
from .situation import Situation

SUBJECT = "Container engine"
CLOCK_SECONDS = 30.0


async def check(situation: Situation) -> list[Finding]:
    """Ask the engine for its version, its clock, and the image."""
    settings = situation.settings
    if runs_as_process(settings):
        return [ok(SUBJECT, "not needed: Label Studio runs as a process")]
    try:
        with docker_sdk():
            from ..backends.docker.engine import connect_engine
            from ..backends.docker.image import find_image, version_label
        engine = await connect_engine()
    except Problem as problem:
        return [of_problem(SUBJECT, problem)]
    try:
        findings = [ok(SUBJECT, f"{engine.name} {engine.version} at {engine.address.url}")]
        info = await engine.ask(lambda client: client.info())
        findings.append(clock(str(info.get("SystemTime", ""))))
        image = await find_image(engine, settings.image)
    except Problem as problem:
        return [of_problem(SUBJECT, problem)]
    finally:
        engine.close()
    if image is not None:
        label = version_label(image)
        has = f"Label Studio {label}" if label else "its version is asked at the first start"
        findings.append(ok("Image", f"{settings.image} ({image.short_id}): {has}"))
    elif settings.pull_policy == "never":
        program = engine.name.lower()
        findings.append(
            error(
                "Image",
                f"{settings.image} is not on this machine, and `pull_policy` is `never`.",
                f"Run `{program} pull {settings.image}`, or change the setting and restart Jupyter.",
            )
        )
    else:
        findings.append(
            ok("Image", f"{settings.image} is not on this machine: the first start downloads it")
        )
    return findings


def clock(said: str) -> Finding:
    """Return the finding about the engine's clock, which may be that of a virtual machine."""
    moment = re.sub(r"(\.\d{6})\d*", r"\1", said).replace("Z", "+00:00")
    try:
        there = datetime.fromisoformat(moment)
    except ValueError:
        return ok("Engine's clock", "the engine does not report it")
    lead = there.astimezone(timezone.utc).timestamp() - time.time()
    if abs(lead) < CLOCK_SECONDS:
        return ok("Engine's clock", "agrees with Jupyter's")
    return error(
        "Engine's clock",
        f"It is {duration(abs(lead))} {'ahead of' if lead > 0 else 'behind'} Jupyter's, so Label Studio "
        "may refuse its users.",
        "Correct the clock that is wrong; for an engine in a virtual machine, restart that machine.",
    )
