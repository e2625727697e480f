"""Puts a Python program onto another machine, as far as labelstudio_proxy can tell.

Python runs this at its start where the folder is in `PYTHONPATH`. The other machine has the name
that `ELSEWHERE` says, another boot id, and no locks on the directories that it shares.
"""

from __future__ import annotations

import errno
import fcntl
import os
from dataclasses import replace
from typing import Any

from labelstudio_proxy.data_directory import process_identity


def no_locks(*_: Any) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


HERE = process_identity.this_process()
THERE = {"host": os.environ["ELSEWHERE"], "boot": f"boot of {os.environ['ELSEWHERE']}"}

fcntl.flock = no_locks
process_identity.this_process = lambda: replace(
    HERE, pid=os.getpid(), began=process_identity.began(os.getpid()), **THERE
)
