"""What people read about a data directory that another server holds, and what they can press."""

from __future__ import annotations

import errno
import time
from pathlib import Path

from .. import api_types
from ..problem import Problem
from ..shell_command import shell_command
from .lock_record import Holder

# The errors of a file system without locks, and of a file that this user may not write.
NO_LOCKS = {errno.EAGAIN, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
NOT_WRITABLE = {errno.EACCES, errno.ELOOP, errno.EPERM, errno.EROFS}

TAKE_OVER = "Take over"
TAKE_BACK = "Take it back"
COMMAND = f"`{shell_command('labelstudio-proxy start --take-over')}`"


class InUse(Problem):
    """Another server holds the data directory; `action`: the label of a button, empty for none."""

    def __init__(self, what: str, why: str, remedy: str, holder: Holder, action: str) -> None:
        super().__init__(what, why, remedy)
        self.holder = holder
        self.action = action

    def details_as_json(self) -> api_types.Details:
        """Return the holder of the data directory, for the start page and for programs."""
        return {"holder": {**self.holder.as_json(), "action": self.action}}


def in_use(path: Path, holder: Holder) -> InUse:
    """Return the Problem of a directory that `holder` holds; a restore, say, leaves no record."""
    if not holder.key:
        return InUse(
            f"The data directory {path} is in use.",
            "Another Jupyter server runs Label Studio on it, or a backup is being restored.",
            f"Use that server. Or run `{shell_command('labelstudio-proxy stop')}` there, then try "
            "again.",
            holder,
            "",
        )
    return InUse(
        f"The data directory {path} is in use by {describe(holder)}.",
        f"Open there since {_moment(holder.since)}. Only one Label Studio at a time may use it.",
        f"Continue there{_at(holder)}. Or press {TAKE_OVER}: Label Studio stops there and starts "
        f"here, and everything saved is kept. In a terminal: {COMMAND}.",
        holder,
        TAKE_OVER,
    )


def handed_over(path: Path, by: Holder) -> InUse:
    """Return the Problem of a directory that `by` has taken over from this server."""
    return InUse(
        f"The data directory {path} was taken over by {describe(by)}.",
        f"That server asked for it at {_moment(by.since)}, so Label Studio stopped here. "
        "Everything saved is kept.",
        f"Continue there{_at(by)}. Or press {TAKE_BACK}: Label Studio stops there and starts here. "
        f"In a terminal: {COMMAND}.",
        by,
        TAKE_BACK,
    )


def not_asked(path: Path, holder: Holder, error: OSError) -> InUse:
    """Return the Problem of a directory whose holder could not be asked to hand it over."""
    return InUse(
        f"Could not ask {describe(holder)} for the data directory {path}.",
        f"The request could not be written: {error.strerror or error}.",
        "Free some disk space, or make the folder writable for this user, then try again. Or stop "
        "Label Studio there.",
        holder,
        TAKE_OVER,
    )


def not_released(path: Path, holder: Holder, seconds: float) -> InUse:
    """Return the Problem of a directory whose holder did not hand it over within `seconds`."""
    why = f"It did not hand the directory over within {seconds:g} seconds."
    remedy = f"Stop that Jupyter server on {holder.host}, then try again."
    if holder.runs_here():
        why += f" Its process {holder.pid} runs, but may hang or be suspended."
        remedy = (
            f"Resume it with `kill -CONT {holder.pid}`, or end it with `kill -KILL {holder.pid}`: "
            "everything saved is kept. Then try again."
        )
    what = f"The data directory {path} is still in use by {describe(holder)}."
    return InUse(what, why, remedy, holder, TAKE_OVER)


def cannot_lock(path: Path, error: OSError) -> Problem:
    """Return the Problem of a directory that cannot be locked."""
    if error.errno in NO_LOCKS:
        return Problem(
            f"The file system of the data directory {path} does not support file locks.",
            f"It refused one: {error.strerror}. Without locks, two servers could use the "
            "database at the same time and damage it.",
            "Set `data_dir` to a folder on a local disk, then restart Jupyter. Or ask your "
            "administrator to mount this file system with locks.",
        )
    remedy = "Check its disk, or the connection to its file server"
    if error.errno in NOT_WRITABLE:
        remedy = "Make the folder writable for this user"
    return Problem(
        f"The data directory {path} could not be locked.",
        f"{error}.",
        f"{remedy}, then try again. Or set `data_dir` to another folder and restart Jupyter.",
    )


def describe(holder: Holder) -> str:
    """Return the holder as a part of a sentence."""
    return f"{holder.server or 'another program'} on the host {holder.host or '(unknown)'}"


def _at(holder: Holder) -> str:
    return f", at {holder.address}" if holder.address else ""


def _moment(seconds: float) -> str:
    """Return a Unix time as the time of day, with the date if that is not today."""
    moment, today = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M" if moment[:3] == today[:3] else "%Y-%m-%d %H:%M", moment)
