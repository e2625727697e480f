"""Makes the test images as archives for `docker load`, without an engine or an image registry.

debootstrap makes the base from the package sources of this machine's apt. uv installs packages into
it from outside, with this machine's settings of pip, so no such settings are in an image. It needs
root and about a minute. `label_studio_image` says what Label Studio's
image must be.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labelstudio_proxy.installation.tools import find_tool

from . import label_studio_image


def _dependencies() -> list[str]:
    """Return the dependencies of the checkout; those of the installed package may be older."""
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    found = re.search(
        r"^dependencies = (\[.*?^\])", pyproject.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found
    dependencies: list[str] = ast.literal_eval(found[1])
    return dependencies


LABEL_STUDIO = label_studio_image.TAG
JUPYTER = "labelstudio-proxy-tests/jupyter:base"

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Of the same release as the base.
PYTHON = "/usr/bin/python3"

REQUIREMENTS = {
    LABEL_STUDIO: label_studio_image.REQUIREMENTS,
    # with a hub's single-user server, as Jupyter's own images have it
    JUPYTER: ["pip", "jupyterlab", "jupyterhub", *_dependencies()],
}

# The images of each archive, which have the same layers.
IMAGES: dict[str, dict[str, dict[str, Any]]] = {
    LABEL_STUDIO: {
        LABEL_STUDIO: label_studio_image.config(PATH),
        label_studio_image.UNLABELLED: label_studio_image.config(PATH, labelled=False),
    },
    JUPYTER: {
        JUPYTER: {
            "User": "jovyan",
            "Env": [f"PATH=/opt/jupyter/bin:{PATH}", "HOME=/home/jovyan", "LANG=C.UTF-8"],
            "WorkingDir": "/home/jovyan",
            "ExposedPorts": {"8888/tcp": {}},
            "Cmd": ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser"],
        },
    },
}


def archive(tag: str) -> Path:
    """Return the archive of an image, from the user's cache or new; `tag`: one of IMAGES."""
    modules = Path(__file__), Path(label_studio_image.__file__)
    recipe = [json.dumps(REQUIREMENTS), *(module.read_text() for module in modules)]
    return kept("archives", recipe, _make_all) / _file_name(tag)


def kept(name: str, recipe: Sequence[str], make: Callable[[Path, Path], None]) -> Path:
    """Return the folder that `make` filled once for the `recipe`, from the user's cache or new.

    `make` gets an empty folder to work in, and the one to fill.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "labelstudio-proxy-tests" / version("label-studio")
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{name}-{hashlib.sha256(''.join(recipe).encode()).hexdigest()[:12]}"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            for outdated in folder.glob(f"{name}-*"):
                shutil.rmtree(outdated)
            with tempfile.TemporaryDirectory(dir=folder) as temporary:
                filled = Path(temporary, "filled")
                filled.mkdir()
                make(Path(temporary), filled)
                filled.rename(made)
    return made


def _file_name(tag: str) -> str:
    return tag.partition(":")[0].replace("/", "-") + ".tar"


def image_ids(archive: Path) -> dict[str, str]:
    """Return the ids of the images in the archive, by tag."""
    with tarfile.open(archive) as content:
        manifest = content.extractfile("manifest.json")
        assert manifest
        images = json.load(manifest)
    return {
        image["RepoTags"][0].removeprefix("docker.io/"): "sha256:"
        + str(image["Config"]).removesuffix(".json")
        for image in images
    }


def write(target: Path, layers: Sequence[Path], images: Mapping[str, Mapping[str, Any]]) -> None:
    """Write an archive of images with the same `layers` (tar files), the lowest first.

    `images`: their configurations, by tag.
    """
    diff_ids = [f"sha256:{_sha256(layer)}" for layer in layers]
    manifest, files = [], {}
    for tag, config in images.items():
        description = {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
            "os": "linux",
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created_by": layer.stem} for layer in layers],
        }
        encoded = json.dumps(description).encode()
        config_name = hashlib.sha256(encoded).hexdigest() + ".json"
        files[config_name] = encoded
        # Without a registry, Podman puts `localhost/` before the name.
        full_name = tag if "." in tag.partition("/")[0] else f"docker.io/{tag}"
        names = [layer.name for layer in layers]
        manifest.append({"Config": config_name, "RepoTags": [full_name], "Layers": names})
    with tarfile.open(target, "w") as out:
        for name, content in {"manifest.json": json.dumps(manifest).encode(), **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
        for layer in layers:
            out.add(layer, layer.name)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# ---- making them

WITHOUT_BYTE_CODE = "--exclude=__pycache__"


def _make_all(folder: Path, images: Path) -> None:
    root = folder / "root"
    base = _make_base(root)

    def make(tag: str) -> None:
        write(images / _file_name(tag), [base, _LAYERS[tag](root)], IMAGES[tag])

    with ThreadPoolExecutor() as pool:
        for made in [pool.submit(make, tag) for tag in IMAGES]:
            made.result()


def run(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Return the output of a command; raises AssertionError if it fails."""
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
    run(
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
    kernel = ("--exclude=./dev/*", "--exclude=./proc/*", "--exclude=./sys/*")
    return layer(root, "base", *kernel, WITHOUT_BYTE_CODE, ".")


def _mirror(release: str) -> list[str]:
    """Return where apt gets the packages of the release; empty: debootstrap's default."""
    entries = run(
        *("apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)"),
        "Created-By: Packages",
    )
    wanted = f"{release} main "
    uris = [line[len(wanted) :] for line in entries.splitlines() if line.startswith(wanted)]
    return [uri for uri in uris if uri.startswith(("http:", "https:", "file:"))][:1]


def _install(root: Path, venv: str, tag: str) -> None:
    """Make an environment with the image's packages, for the Python in the base.

    The machine's Python, which is like that one, installs them from outside: uv has most of them in
    its cache.
    """
    inside = root / venv.lstrip("/")
    run(PYTHON, "-m", "venv", "--without-pip", inside)
    uv = find_tool(inside / "bin" / "python", "uv", root.parent)
    run(
        *(*uv.command, "--link-mode=copy", *REQUIREMENTS[tag]),
        env=uv.environment,
    )
    for script in (inside / "bin").iterdir():
        if script.is_file() and not script.is_symlink():
            script.write_bytes(script.read_bytes().replace(bytes(root), b""))


def _in_root(root: Path, *command: str) -> None:
    run("chroot", root, *command, env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"})


def _label_studio_layer(root: Path) -> Path:
    _install(root, label_studio_image.VENV, LABEL_STUDIO)
    label_studio_image.lay_out(root)
    folders = (each[1:] for each in (label_studio_image.HOME, "/opt/heartex"))
    return layer(root, "label-studio", *label_studio_image.OWNER, WITHOUT_BYTE_CODE, *folders)


def _jupyter_layer(root: Path) -> Path:
    _install(root, "/opt/jupyter", JUPYTER)
    _in_root(root, PYTHON, "-m", "compileall", "-q", "-j0", "/opt/jupyter/lib")
    with (root / "etc" / "passwd").open("a") as passwd:
        passwd.write("jovyan:x:1000:100::/home/jovyan:/bin/bash\n")
    (root / "home" / "jovyan").mkdir()
    os.chown(root / "home" / "jovyan", 1000, 100)
    # Jupyter's images have the byte code of Python's own modules, too.
    byte_code = [
        str(each.relative_to(root)) for each in root.glob("usr/lib/python3*/**/__pycache__")
    ]
    return layer(root, "jupyter", "opt/jupyter", "etc/passwd", "home/jovyan", *byte_code)


_LAYERS = {LABEL_STUDIO: _label_studio_layer, JUPYTER: _jupyter_layer}


def layer(root: Path, name: str, *what: str) -> Path:
    """Pack files of `root` as a layer, beside it; `what`: arguments for tar."""
    target = root.parent / f"{name}.tar"
    run("tar", "--create", "--numeric-owner", "--file", target, "--directory", root, *what)
    return target
