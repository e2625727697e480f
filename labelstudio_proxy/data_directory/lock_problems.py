"""What people are told of a data directory that somebody else has, and what they can press."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ..problem import Problem
from .lock_record import Holder
from .process_identity import this_process

TAKE_OVER = "Take over"
TAKE_BACK = "Take it back"
COMMAND = "`labelstudio-proxy start --take-over`"


class InUse(Problem):
    """Somebody else has the data directory; `action`: a button's words, empty: there is none."""

    def __init__(self, what: str, why: str, remedy: str, holder: Holder, action: str) -> None:
        super().__init__(what, why, remedy)
        self.holder = holder
        self.action = action

    def details_as_json(self) -> dict[str, Any]:
        """Who has the data directory, for the start page and for programs."""
        return {"holder": {**self.holder.as_json(), "action": self.action}}


def in_use(path: Path, holder: Holder) -> InUse:
    """A directory that `holder` has; one without a key has left no word."""
    if not holder.key:
        return InUse(
            f"The data directory {path} is in use.",
            "Another Jupyter server runs Label Studio on it, or a backup is just being restored.",
            "Use that one; or stop it there, with `labelstudio-proxy stop` in a terminal, then try "
            "again; or set `data_dir` to another folder and restart Jupyter.",
            holder,
            "",
        )
    return InUse(
        f"The data directory {path} is in use by {who(holder)}.",
        f"It has been since {_when(holder.since)}. Only one Label Studio at a time may use it.",
        f"Go on there{_where(holder)}. Or press {TAKE_OVER}: Label Studio is stopped there, then "
        f"started here, with all that was saved. In a terminal: {COMMAND}.",
        holder,
        TAKE_OVER,
    )


def handed_over(path: Path, by: Holder) -> InUse:
    """A directory that `by` has taken from this server."""
    return InUse(
        f"The data directory {path} was taken over by {who(by)}.",
        f"Somebody asked for it there, on {_when(time.time())}; so Label Studio was stopped here. "
        "What was saved is kept.",
        f"Go on there{_where(by)}. Or press {TAKE_BACK}: Label Studio is stopped there, then "
        f"started here. In a terminal: {COMMAND}.",
        by,
        TAKE_BACK,
    )


def not_asked(path: Path, holder: Holder, error: OSError) -> InUse:
    """A directory whose holder could not be asked."""
    return InUse(
        f"The data directory {path} is in use by {who(holder)}, which could not be asked for it.",
        f"{error}.",
        "Free some space, or make the folder writable for this user. Or stop Label Studio there.",
        holder,
        TAKE_OVER,
    )


def not_let_go(path: Path, holder: Holder, seconds: float) -> InUse:
    """A directory whose holder was asked in vain."""
    process, here = holder.process, this_process()
    why = f"It was asked to let go, and has not within {seconds:g} seconds."
    remedy = f"End that Jupyter server on {process.host}, then try again."
    if here.boot and (process.boot, process.pids) == (here.boot, here.pids):
        why += f" Its process {process.pid} runs, but may hang, or somebody has stopped it."
        remedy = (
            f"Let it go on, `kill -CONT {process.pid}`; or end it, `kill -KILL {process.pid}`: what "
            "was saved is kept. Then try again."
        )
    what = f"The data directory {path} is still in use by {who(holder)}."
    return InUse(what, why, remedy, holder, TAKE_OVER)


def who(holder: Holder) -> str:
    """The holder, as a part of a sentence."""
    server = holder.server or "another program"
    return f"{server} on the host {holder.process.host or '(unknown)'}"


def _where(holder: Holder) -> str:
    return f", at {holder.address}" if holder.address else ""


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
