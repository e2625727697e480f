"""Makes the test images as archives for `docker load`, without an engine or an image registry.

debootstrap makes the base from the package sources of this machine's apt. pip downloads the wheels
with this machine's settings and installs them into the base without a network, so no such settings
are in an image. It needs root and about two minutes.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any


def _dependencies() -> list[str]:
    """Return the dependencies of the checkout; those of the installed package may be older."""
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    found = re.search(
        r"^dependencies = (\[.*?^\])", pyproject.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found
    dependencies: list[str] = ast.literal_eval(found[1])
    return dependencies


LABEL_STUDIO = f"heartexlabs/label-studio:{version('label-studio')}"
JUPYTER = "labelstudio-proxy-tests/jupyter:base"

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Of the same release as the base.
PYTHON = "/usr/bin/python3"

REQUIREMENTS = {
    LABEL_STUDIO: [f"label-studio=={version('label-studio')}"],
    JUPYTER: ["jupyterlab", *_dependencies()],
}

CONFIG: dict[str, dict[str, Any]] = {
    LABEL_STUDIO: {
        "User": "1001",
        "Env": [
            f"PATH=/label-studio/.venv/bin:{PATH}",
            "LS_DIR=/label-studio",
            "HOME=/label-studio",
            "LABEL_STUDIO_BASE_DATA_DIR=/label-studio/data",
            "OPT_DIR=/opt/heartex/instance-data/etc",
            "DJANGO_SETTINGS_MODULE=core.settings.label_studio",
            "PYTHONUNBUFFERED=1",
            "PYTHONDONTWRITEBYTECODE=1",
        ],
        "WorkingDir": "/label-studio",
        "ExposedPorts": {"8080/tcp": {}},
        "Entrypoint": ["./deploy/docker-entrypoint.sh"],
        "Cmd": ["label-studio"],
    },
    JUPYTER: {
        "User": "jovyan",
        "Env": [f"PATH=/opt/jupyter/bin:{PATH}", "HOME=/home/jovyan", "LANG=C.UTF-8"],
        "WorkingDir": "/home/jovyan",
        "ExposedPorts": {"8888/tcp": {}},
        "Cmd": ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser"],
    },
}

# It needs root, as in some versions of the real image, and then gives it up.
ENTRYPOINT = """\
#!/bin/sh
set -e
chown -R 1001:0 /opt/heartex/instance-data
exec setpriv --reuid=1001 --regid=0 --clear-groups "$@"
"""


def archive(tag: str) -> Path:
    """Return the archive of an image, from the user's cache or new; `tag`: one of CONFIG."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "labelstudio-proxy-tests" / version("label-studio")
    folder.mkdir(parents=True, exist_ok=True)
    recipe = Path(__file__).read_bytes() + json.dumps(REQUIREMENTS).encode()
    prefix = "images-"
    images = folder / (prefix + hashlib.sha256(recipe).hexdigest()[:12])
    with (folder / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not images.exists():
            for outdated in folder.glob(f"{prefix}*"):
                shutil.rmtree(outdated)
            with tempfile.TemporaryDirectory(dir=folder) as temporary:
                _make_all(Path(temporary))
                Path(temporary, "images").rename(images)
    return images / _file_name(tag)


def _file_name(tag: str) -> str:
    return tag.partition(":")[0].replace("/", "-") + ".tar"


def image_id(archive: Path) -> str:
    """Return the id of the image in the archive."""
    with tarfile.open(archive) as content:
        manifest = content.extractfile("manifest.json")
        assert manifest
        (image,) = json.load(manifest)
        return "sha256:" + str(image["Config"]).removesuffix(".json")


def write(
    target: Path, tag: str, layers: Sequence[Path], config: Mapping[str, Any] | None = None
) -> None:
    """Write an archive of the `layers` (tar files), the lowest first."""
    description = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
        "os": "linux",
        "config": dict(config or {}),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(layer)}" for layer in layers]},
        "history": [{"created_by": layer.stem} for layer in layers],
    }
    encoded = json.dumps(description).encode()
    config_name = hashlib.sha256(encoded).hexdigest() + ".json"
    # Without a registry, Podman puts `localhost/` before the name.
    full_name = tag if "." in tag.partition("/")[0] else f"docker.io/{tag}"
    manifest = [
        {"Config": config_name, "RepoTags": [full_name], "Layers": [p.name for p in layers]}
    ]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, tarfile.open(target, "w") as out:
        for name, content in (
            ("manifest.json", json.dumps(manifest).encode()),
            (config_name, encoded),
        ):
            path = Path(folder, name)
            path.write_bytes(content)
            out.add(path, name)
        for layer in layers:
            out.add(layer, layer.name)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# ---- making them


def _make_all(folder: Path) -> None:
    root, images = folder / "root", folder / "images"
    images.mkdir()
    with ThreadPoolExecutor() as pool:
        base = pool.submit(_make_base, root)
        wheels = {tag: pool.submit(_get_wheels, tag, folder) for tag in CONFIG}
        base_layer = base.result()

        def make(tag: str) -> None:
            layer = _LAYERS[tag](root, wheels[tag].result())
            write(images / _file_name(tag), tag, [base_layer, layer], CONFIG[tag])

        for made in [pool.submit(make, tag) for tag in CONFIG]:
            made.result()


def _run(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    # Tests wait for the images longer than for any others.
    before_others = ("nice", "--adjustment=-10")
    done = subprocess.run(
        [*before_others, *command],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=env,
    )
    assert done.returncode == 0, f"{command}\n{(done.stdout + done.stderr)[-5000:]}"
    return done.stdout


def _make_base(root: Path) -> Path:
    """Make the layer with this machine's distribution, minimal, with Python."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    packages = "ca-certificates,python3"
    _run(
        "debootstrap",
        "--variant=minbase",
        f"--include={packages}",
        release,
        root,
        *_mirror(release),
    )
    for name in "etc/apt/sources.list", "etc/hostname", "etc/resolv.conf":
        (root / name).unlink(missing_ok=True)
    for name in "var/cache/apt", "var/lib/apt/lists", "var/log":
        shutil.rmtree(root / name)
        (root / name).mkdir()
    return _layer(root, "base", "--exclude=./dev/*", "--exclude=./proc/*", "--exclude=./sys/*", ".")


def _mirror(release: str) -> list[str]:
    """Return where apt gets the packages of the release; empty: debootstrap's default."""
    entries = _run(
        *("apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)"),
        "Created-By: Packages",
    )
    wanted = f"{release} main "
    uris = [line[len(wanted) :] for line in entries.splitlines() if line.startswith(wanted)]
    return [uri for uri in uris if uri.startswith(("http:", "https:", "file:"))][:1]


def _get_wheels(tag: str, folder: Path) -> Path:
    """Download wheels for the machine's Python, which is like the one in the base."""
    spec = importlib.util.find_spec("pip")
    assert spec
    assert spec.origin
    pip = Path(spec.origin).parent
    wheels = folder / f"wheels-{_file_name(tag)}"
    _run(PYTHON, pip, "wheel", "--quiet", "--wheel-dir", wheels, "pip", *REQUIREMENTS[tag])
    return wheels


def _install(root: Path, venv: str, wheels: Path, tag: str) -> None:
    inside = root / wheels.name
    wheels.rename(inside)
    (pip,) = inside.glob("pip-*.whl")
    python = f"{venv}/bin/python"
    _in_root(root, PYTHON, "-m", "venv", "--without-pip", venv)
    _in_root(
        root,
        *(python, f"/{wheels.name}/{pip.name}/pip", "install", "--no-cache-dir", "--no-index"),
        *("--find-links", f"/{wheels.name}", "pip", *REQUIREMENTS[tag]),
    )
    shutil.rmtree(inside)


def _in_root(root: Path, *command: str) -> None:
    _run("chroot", root, *command, env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"})


def _label_studio_layer(root: Path, wheels: Path) -> Path:
    _install(root, "/label-studio/.venv", wheels, LABEL_STUDIO)
    for folder in "label-studio/data", "label-studio/deploy", "opt/heartex/instance-data/etc":
        (root / folder).mkdir(parents=True)
    entrypoint = root / "label-studio" / "deploy" / "docker-entrypoint.sh"
    entrypoint.write_text(ENTRYPOINT)
    entrypoint.chmod(0o755)
    owner = ("--owner=1001", "--group=0")
    return _layer(root, "label-studio", *owner, "label-studio", "opt/heartex")


def _jupyter_layer(root: Path, wheels: Path) -> Path:
    _install(root, "/opt/jupyter", wheels, JUPYTER)
    with (root / "etc" / "passwd").open("a") as passwd:
        passwd.write("jovyan:x:1000:100::/home/jovyan:/bin/bash\n")
    (root / "home" / "jovyan").mkdir()
    os.chown(root / "home" / "jovyan", 1000, 100)
    return _layer(root, "jupyter", "opt/jupyter", "etc/passwd", "home/jovyan")


_LAYERS = {LABEL_STUDIO: _label_studio_layer, JUPYTER: _jupyter_layer}


def _layer(root: Path, name: str, *what: str) -> Path:
    target = root.parent / f"{name}.tar"
    _run("tar", "--create", "--numeric-owner", "--file", target, "--directory", root, *what)
    return target
