"""A user that is only a number, without an account, as in containers on OpenShift. Needs root."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from .environments import CHECKOUT
from .processes import END_WITH_THE_TESTS

UID, GID = 1_000_650_000, 0
needed = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="only root can mount, and run JupyterLab as another user",
)
# As root, in a mount namespace. Other users may read the checkout and Python also if they are in a
# folder that is closed to them. The home folder is one that its group may write into.
LAUNCHER = """\
umask 022
unset USER LOGNAME XDG_RUNTIME_DIR
programs=$1 closed=$2 read_only=$3; shift 3
mount -t tmpfs -o mode=755 tmpfs /mnt
number=0
for folder in $programs; do
    number=$((number + 1))
    mkdir /mnt/$number
    mount --rbind "$folder" /mnt/$number
done
for folder in $closed; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
number=0
for folder in $programs; do
    number=$((number + 1))
    mkdir -p "$folder"
    mount --rbind /mnt/$number "$folder"
done
chown -R root:root "$HOME"
find "$HOME" -type d -exec chmod 2775 {} +
find "$HOME" -type f -exec chmod 664 {} +
chmod 1777 "$TMPDIR"
for name in $read_only; do
    mkdir -p "$HOME/$name"
    mount --bind "$HOME/$name" "$HOME/$name"
    mount -o remount,bind,ro "$HOME/$name"
done
exec "$@"
"""


def launcher(read_only: Sequence[str] = ()) -> list[str]:
    """Return the begin of a command that runs the rest as this user.

    `read_only`: folders in the home folder.
    """
    programs = dict.fromkeys((CHECKOUT, Path(sys.base_prefix)))
    closed = {found for folder in programs if (found := _closed_above(folder))}
    lists = [" ".join(map(str, each)) for each in (programs, closed, read_only)]
    user = ("--reuid", str(UID), "--regid", str(GID), "--clear-groups")
    return [
        *("unshare", "--mount", "sh", "-ec", LAUNCHER, "sh", *lists),
        # Another user's process forgets that it ends with the tests.
        *("setpriv", *user, *END_WITH_THE_TESTS[1:]),
    ]


def _closed_above(folder: Path) -> Path | None:
    """Return the uppermost folder around `folder` that other users cannot enter."""
    around = reversed(folder.parents)
    return next((each for each in around if not each.stat().st_mode & 0o001), None)
