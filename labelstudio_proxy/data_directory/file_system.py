"""What to warn people of: a data directory on a file system where data are lost, or slow to use."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psutil

NETWORK = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs", "gfs2"),
    *("glusterfs", "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone"),
    *("fuse.goofys", "fuse.mount-s3", "fuse.blobfuse", "fuse.blobfuse2", "fuse.juicefs"),
}
MEMORY = {"tmpfs", "ramfs"}
LAYERS = {"overlay", "aufs", "fuse.fuse-overlayfs"}


def warning_about(path: Path) -> str:
    """Return a warning about the file system of a directory, empty if there is none."""
    try:
        mounts = [(Path(each.mountpoint), each.fstype) for each in psutil.disk_partitions(all=True)]
    except (OSError, psutil.Error):
        return ""
    return warning(mounts, path.resolve())


def warning(mounts: Iterable[tuple[Path, str]], path: Path) -> str:
    """As `warning_about`, for a list of mount points and the types of their file systems."""
    point, kind = Path("/"), ""
    for mount, type_of_mount in mounts:
        # A later mount at the same place hides the earlier one.
        if path.is_relative_to(mount) and len(mount.parts) >= len(point.parts):
            point, kind = mount, type_of_mount
    if kind in LAYERS and point == Path("/"):
        return (
            f"The data directory {path} is inside the container that Jupyter runs in, and is lost "
            "with it. Mount a volume there, or set `data_dir` to a folder that outlives the "
            "container, and restart Jupyter."
        )
    if kind in MEMORY:
        return (
            f"The data directory {path} is in memory ({kind}), and is lost when the machine "
            "restarts. Set `data_dir` to a folder on a disk and restart Jupyter."
        )
    if kind in NETWORK:
        return (
            f"The data directory {path} is on a network file system ({kind}), where Label Studio's "
            "database may be slow. If there is a local disk that lasts, set `data_dir` to a folder "
            "on it and restart Jupyter."
        )
    return ""
