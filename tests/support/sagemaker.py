"""What a start script finds on a machine of Amazon SageMaker, made with Linux namespaces. Needs root.

JupyterLab's environment and the home folder are new at each start; one folder survives. Nothing here
is Amazon's: neither the machine's programs nor their versions.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .processes import Process, give, wait_for
from .wheels import make_index

UID = GID = 4721
SCRIPT = Path(__file__).parents[2] / "examples" / "sagemaker" / "on-start.sh"
# Where the tests' environment and its Python are on the machine.
INSTALLED = "/mnt"
BASE = "/srv"
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES = f"{INSTALLED}/lib/{PYTHON}/site-packages"


@dataclass(frozen=True)
class Shape:
    """One of the two kinds of machines."""

    user: str
    volume: str  # the folder that survives
    jupyter: str  # JupyterLab's environment
    restart: str  # the program that restarts JupyterLab
    script_is_roots: bool
    base_url: str

    @property
    def home(self) -> str:
        return f"/home/{self.user}"


NOTEBOOK_INSTANCE = Shape(
    user="ec2-user",
    volume="/home/ec2-user/SageMaker",
    jupyter="/home/ec2-user/anaconda3/envs/JupyterSystemEnv",
    restart="systemctl",
    script_is_roots=True,
    base_url="/",
)
STUDIO = Shape(
    user="sagemaker-user",
    volume="/home/sagemaker-user",
    jupyter="/opt/conda",
    restart="restart-jupyter-server",
    script_is_roots=False,
    base_url="/jupyterlab/default/",
)

# Makes a machine: mounts that only its programs see.
MACHINE = f"""\
set -eu
installed=$1 base=$2 kept=$3 wheels=$4 passwd=$5 home=$6 volume=$7 jupyter=$8 restart=$9
mount --bind "$installed" {INSTALLED}
mount --bind "$base" {BASE}
mount --bind "$passwd" /etc/passwd
mount -t tmpfs -o mode=755 tmpfs /home
mount -t tmpfs -o mode=755 tmpfs /opt
mount -t tmpfs -o mode=755 tmpfs /root
mkdir -p "$volume" "$jupyter" /home/wheels /home/bin /home/upper /home/work
chown {UID}:{GID} "$home"
case $base in
/home/* | /opt/* | /root/*) # the user must reach it at this path, where Python looks for its library
    mkdir -p "$base"
    mount --bind {BASE} "$base" ;;
esac
mount --bind "$kept" "$volume"
mount --bind "$wheels" /home/wheels
printf '#!/bin/sh\\necho "$*" >>/home/wheels/restarts\\n' >"/home/bin/$restart"
chmod 755 "/home/bin/$restart"

# the environment is that of the tests, without this package and without Label Studio
"$base/bin/{PYTHON}" -m venv --without-pip /home/upper
cd {INSTALLED}
for hidden in bin/label-studio bin/labelstudio-proxy \\
    etc/jupyter/jupyter_server_config.d/labelstudio_proxy.json \\
    share/jupyter/labextensions/labelstudio-proxy \\
    lib/python3*/site-packages/label_studio lib/python3*/site-packages/label_studio-* \\
    lib/python3*/site-packages/labelstudio_proxy* lib/python3*/site-packages/__editable__*; do
    mkdir -p "/home/upper/$(dirname "$hidden")"
    mknod "/home/upper/$hidden" c 0 0 # how an overlay marks what is removed
done
cd /
find /home/upper -type d -exec chown {UID}:{GID} {{}} +
mount -t overlay overlay -o lowerdir={INSTALLED},upperdir=/home/upper,workdir=/home/work "$jupyter"
echo made
exec sleep infinity
"""


class Machines:
    """Machines of one shape, one after another, with the same volume and the same package index."""

    def __init__(self, shape: Shape, folder: Path) -> None:
        self.shape = shape
        self.volume = folder / "volume"
        self.index = folder / "index"
        self._folder = folder
        for made in (self.volume, self.index):
            made.mkdir()
        make_index(self.index, PACKAGES)
        give(folder, UID, GID)
        account = f"{shape.user}:x:{UID}:{GID}::{shape.home}:/bin/bash\n"
        (folder / "passwd").write_text(Path("/etc/passwd").read_text() + account)

    def remove_index(self) -> None:
        for package in self.index.iterdir():
            if package.is_dir():
                shutil.rmtree(package)

    @property
    def restarts(self) -> list[str]:
        """The arguments of each call of the program that restarts JupyterLab."""
        calls = self.index / "restarts"
        return calls.read_text().splitlines() if calls.exists() else []

    @property
    def log(self) -> str:
        """What the start scripts have written in the background."""
        (path,) = self.volume.glob(".labelstudio-proxy-software/log")
        return path.read_text()

    @contextmanager
    def started(self) -> Iterator[Machine]:
        """A machine, with everything new but the volume."""
        shape = self.shape
        paths = (sys.prefix, sys.base_prefix, self.volume, self.index, self._folder / "passwd")
        arguments = [*map(str, paths), shape.home, shape.volume, shape.jupyter, shape.restart]
        process = Process(
            ["unshare", "--mount", "bash", "-c", MACHINE, "bash", *arguments],
            env={"PATH": os.environ["PATH"]},
            cwd=self._folder,
            log=self._folder / "machine.log",
        )
        try:
            process.wait_until(lambda: "made" in process.log_tail(), what="mounts", timeout=60)
            yield Machine(self, process.pid)
        finally:
            process.stop()


class Machine:
    """A machine that runs, of the process that holds its mounts."""

    def __init__(self, machines: Machines, pid: int) -> None:
        self.shape = machines.shape
        self._machines = machines
        self._enter = ["nsenter", f"--mount=/proc/{pid}/ns/mnt"]
        identity = ("--reuid", str(UID), "--regid", str(GID), "--clear-groups")
        self._as_user = [*self._enter, "setpriv", *identity]

    def run_script(self) -> str:
        """Run the start script as SageMaker does; return what it printed."""
        enter = self._enter if self.shape.script_is_roots else self._as_user
        variables = {
            "PATH": "/home/bin:/sbin:/bin:/usr/sbin:/usr/bin",
            "HOME": "/root" if self.shape.script_is_roots else self.shape.home,
            # no package index but this one
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "file:///home/wheels",
        }
        done = subprocess.run(
            [*enter, "bash"],
            input=SCRIPT.read_text(),
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,  # then SageMaker gives up
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def wait_for_label_studio(self, times: int) -> None:
        """Wait until so many scripts have finished their work in the background."""
        wait_for(
            lambda: self._machines.log.count("is ready") >= times,
            what=lambda: self._machines.log,
            timeout=120,
        )

    def python(self, folder: Path) -> Path:
        """Return a program for `JupyterLab`: the Python of JupyterLab's environment, as the user."""
        program = folder / "python"
        command = " ".join([*self._as_user, f"{self.shape.jupyter}/bin/python"])
        program.write_text(f'#!/bin/sh\nchown -R {UID}:{GID} .\nexec {command} "$@"\n')
        program.chmod(0o755)
        return program

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return variables for `JupyterLab`: the user's own folders."""
        home = self.shape.home
        folders = {
            "JUPYTER_DATA_DIR": f"{home}/.local/share/jupyter",
            "XDG_CACHE_HOME": f"{home}/.cache",
            "XDG_CONFIG_HOME": f"{home}/.config",
            "XDG_DATA_HOME": f"{home}/.local/share",
            "XDG_STATE_HOME": f"{home}/.local/state",
        }
        return {
            "HOME": home,
            "USER": self.shape.user,
            "LOGNAME": self.shape.user,
            **folders,
            **more,
        }
