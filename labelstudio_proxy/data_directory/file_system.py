"""What the file system of the data directory means for the data: where to be careful, and why."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs", "gfs2"),
    *("glusterfs", "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone"),
    *("fuse.goofys", "fuse.mount-s3", "fuse.blobfuse", "fuse.blobfuse2", "fuse.juicefs"),
}
MEMORY = {"tmpfs", "ramfs"}
# That only one machine has mounted, or it would be damaged.
LOCAL = {*("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs"), *MEMORY, "overlay"}
LAYERS = {"overlay", "aufs", "fuse.fuse-overlayfs"}


def warning_about(path: Path) -> str:
    """What people should know of the file system of a directory; empty: nothing (Linux only)."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    return warning(mounts, path.resolve())


def is_local(path: Path) -> bool:
    """Whether a directory is known to be on a disk of this machine (Linux only)."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    return mount_of(mounts, path.resolve())[1] in LOCAL


def warning(mounts: str, path: Path) -> str:
    """As `warning_about`; `mounts`: the text of /proc/self/mountinfo, see proc(5)."""
    point, kind = mount_of(mounts, path)
    if kind in LAYERS and point == Path("/"):
        return (
            f"The data directory {path} is inside the container that Jupyter runs in, and is lost "
            "with it. Mount a volume there, or set `data_dir` to a folder that outlives the "
            "container."
        )
    if kind in MEMORY:
        return (
            f"The data directory {path} is in memory ({kind}), and is lost when the machine is "
            "restarted. Set `data_dir` to a folder on a disk."
        )
    if kind in NETWORK:
        return (
            f"The data directory {path} is on a network file system ({kind}). Label Studio's "
            "database may be slow there, and is safe only as long as one machine uses it at a "
            "time. Where there is a local disk that lasts, set `data_dir` to a folder on it."
        )
    return ""


def mount_of(mounts: str, path: Path) -> tuple[Path, str]:
    """Where the file system that holds `path` is mounted, and its kind."""
    found = (Path("/"), "")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4]))
        # A later one at the same place hides the earlier.
        if path.is_relative_to(point) and len(point.parts) >= len(found[0].parts):
            found = (point, after.split(" ")[0])
    return found
