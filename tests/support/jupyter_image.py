"""The image of JupyterLab, with the files of Label Studio's image, which nothing there leads to.

They cost nothing: the engine has Label Studio's layers, and only JupyterLab's is in this archive.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from functools import partial
from pathlib import Path
from typing import Any

from . import image_archives

TAG = image_archives.JUPYTER


def archive() -> Path:
    """Return the archive, from the user's cache or new. The engine needs Label Studio's image first."""
    lower = image_archives.archive(image_archives.LABEL_STUDIO)
    upper = image_archives.archive(TAG)
    recipe = [str(upper), Path(__file__).read_text()]
    return image_archives.kept("jupyter", recipe, partial(_make, lower, upper)) / upper.name


def _make(lower: Path, upper: Path, _folder: Path, made: Path) -> None:
    with (
        tarfile.open(lower) as below,
        tarfile.open(upper) as above,
        tarfile.open(made / upper.name, "w") as out,
    ):
        config, layers = _describe(above)
        name, _ = own = layers[-1]
        layers = [*_describe(below)[1], own]
        config["rootfs"]["diff_ids"] = [digest for _, digest in layers]
        config["history"] = [{"created_by": name} for name, _ in layers]
        encoded = json.dumps(config).encode()
        image = {
            "Config": f"{hashlib.sha256(encoded).hexdigest()}.json",
            "RepoTags": [f"docker.io/{TAG}"],
            "Layers": [name for name, _ in layers],
        }
        manifest = json.dumps([image]).encode()
        for file, content in ("manifest.json", manifest), (str(image["Config"]), encoded):
            entry = tarfile.TarInfo(file)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
        out.addfile(above.getmember(name), above.extractfile(name))


def _describe(archive: tarfile.TarFile) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the configuration of an archive's first image, and its layers: name and digest."""

    def read(name: str) -> Any:
        file = archive.extractfile(name)
        assert file
        return json.load(file)

    image = read("manifest.json")[0]
    config: dict[str, Any] = read(image["Config"])
    return config, list(zip(image["Layers"], config["rootfs"]["diff_ids"], strict=True))
