"""Export the labels of a project into a new folder: Label Studio's formats, and a folder for each label."""

from __future__ import annotations

import asyncio
import difflib
import json
import os
import shutil
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any

from ... import api_types
from ...aio import cancel_and_wait
from ...label_studio import paths
from ...labelling import image_folder
from ...labelling.image_folder import Entry
from ...labelling.interface import Interface
from ...labelling.rows import Labelled, PathOf
from ...problem import Problem
from .folders import absolute
from .label_studio_api import LabelStudioAPI, Rejected
from .new_folder import check_target, new_folder
from .s3 import SCHEME
from .stream import Report
from .threads import in_thread, run_steps

# Of a format with the pictures, beside the format without them.
WITH_IMAGES = "_WITH_IMAGES"
# The folder in which Label Studio puts the pictures.
PICTURES = "images"
# In the place of Label Studio's name with the project and the time.
FILE = "result"
IMAGE_FOLDER: api_types.Format = {
    "name": image_folder.FORMAT,
    "title": "Image folder",
    "description": "A folder for each label, with copies of the files that have it.",
    "pictures": False,
}
NAMED = 5  # pictures that a message names
DOWNLOADS = 4  # of objects in S3, at the same time


@dataclass(frozen=True)
class Wish:
    """What a user wants to be exported."""

    format: str
    folder: str
    pictures: bool = True

    @classmethod
    def of(cls, body: dict[str, Any], base: str) -> Wish:
        """Return the wish in a request; raises Problem. `base`: of relative folders."""
        name, folder = body.get("format"), body.get("folder")
        if not isinstance(name, str) or not name:
            raise Problem(f"`format` is {name!r}.", "", 'Write a name, for example `"JSON"`.')
        if not isinstance(folder, str) or "\0" in folder or not folder:
            raise Problem(f"`folder` is {folder!r}.", "", "Write the name of a new folder.")
        return cls(name, absolute(base, folder), bool(body.get("pictures", True)))


@dataclass(frozen=True)
class Project:
    """What an export needs of a project."""

    api: LabelStudioAPI
    id: int
    interface: Interface
    labels: AsyncIterator[list[Labelled]]  # what people have labelled
    path_of: PathOf
    may_read: Callable[[Path], bool]  # whether Label Studio may


async def export(project: Project, wish: Wish, report: Report) -> api_types.Exported:
    """Write the labels into a folder that is new or empty; return its path and its number of files.

    The folder is written whole or not at all. Raises Problem.
    """
    target = Path(wish.folder)
    report(0, 0, "Looking at the project")
    await asyncio.to_thread(check_target, target)
    name = await _format(project, wish)
    labelled = [each async for part in project.labels for each in part]
    if not labelled:
        raise Problem("Nothing of this project is labelled yet.", "", "Label some items first.")
    async with in_thread(new_folder(target)) as (content, temporary):
        if name == image_folder.FORMAT:
            await _copy_files(project, labelled, content, report)
        else:
            archive = temporary / "download"
            suffix = await _download(project, name, wish, archive, report)
            if suffix == ".zip":
                await _unpack(archive, content, report)
            else:
                archive.rename(content / f"{FILE}{suffix}")
            if wish.pictures:
                await asyncio.to_thread(_check_pictures, project, labelled, content)
                await asyncio.to_thread(_mend_names, content)
        count = await asyncio.to_thread(_count, content)
    return {"folder": str(target), "files": count}


async def formats(api: LabelStudioAPI, number: int, interface: Interface) -> list[api_types.Format]:
    """Return the formats that a project can be exported in."""
    listed = [
        each for each in await api.get(paths.export_formats(number)) if not each.get("disabled")
    ]
    names = {each["name"] for each in listed}
    found: list[api_types.Format] = [
        {
            "name": each["name"],
            "title": each.get("title") or each["name"],
            "description": each.get("description") or "",
            "pictures": each["name"] + WITH_IMAGES in names,
        }
        for each in listed
        if not each["name"].endswith(WITH_IMAGES)
    ]
    if image_folder.fits(interface):
        found.append(IMAGE_FOLDER)
    return found


async def _format(project: Project, wish: Wish) -> str:
    """Return Label Studio's name for a format; raises Problem with those that fit."""
    listed = await project.api.get(paths.export_formats(project.id))
    names: list[str] = [each["name"] for each in listed if not each.get("disabled")]
    if image_folder.fits(project.interface):
        names.append(image_folder.FORMAT)
    by_key = {_key(each): each for each in names}
    name = by_key.get(_key(wish.format))
    if name is None:
        offered = [each for each in names if not each.endswith(WITH_IMAGES)]
        close = difflib.get_close_matches(_key(wish.format), map(_key, offered), n=1)
        why = f"It has {', '.join(offered)}."
        if any(_key(each["name"]) == _key(wish.format) for each in listed):
            why = f"Its labelling interface does not fit. {why}"
        raise Problem(
            f"This project has no format {wish.format!r}.",
            why,
            f"Did you mean {by_key[close[0]]!r}?" if close else "Choose one of these.",
        )
    return by_key.get(_key(name + WITH_IMAGES), name) if wish.pictures else name


def _key(name: str) -> str:
    return name.strip().upper().replace("-", "_").replace(" ", "_")


async def _download(project: Project, name: str, wish: Wish, archive: Path, report: Report) -> str:
    """Return the suffix of the file that Label Studio sends."""
    report(0, 0, f"Label Studio writes the format {name}")
    query = {"exportType": name, "download_resources": "true" if wish.pictures else "false"}
    try:
        return await project.api.download(
            paths.export(project.id), query, archive, lambda done: report(done, 0, "Receiving it")
        )
    except Rejected as rejected:
        raise Problem(
            f"Label Studio could not export the project as {name}.",
            rejected.why,
            "Choose another format. Label Studio's log has the details.",
        ) from rejected


async def _unpack(archive: Path, content: Path, report: Report) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        for member in members:
            path = PurePosixPath(member.filename)
            if path.is_absolute() or ".." in path.parts:
                raise Problem(
                    f"The export has the file {member.filename!r}, which leads out of its folder.",
                    "",
                    "Rename that item.",
                )

        def steps() -> Iterator[int]:
            for number, member in enumerate(members, 1):
                packed.extract(member, content)
                yield number

        await run_steps(steps(), lambda done: report(done, len(members), "Unpacking it"))


def _check_pictures(project: Project, labelled: list[Labelled], content: Path) -> None:
    """Raise Problem if Label Studio has left out pictures, which it only logs."""
    folder = content / PICTURES
    keys = [key for tag, key in project.interface.objects.values() if tag == "Image"]
    if not keys or not folder.is_dir():
        return
    wanted = {str(each.data.get(keys[0])) for each in labelled if not each.skipped}
    count = len(wanted) - sum(1 for _ in folder.iterdir())
    if count <= 0:
        return
    sources = {url: project.path_of(url) for url in sorted(wanted)}
    if objects := [url for url in sources if url.startswith(SCHEME)]:
        raise Problem(
            f"This format cannot include objects in S3, such as {objects[0]}.",
            "Label Studio exports pictures on this machine only.",
            "Export the labels alone, with `pictures=False`.",
        )
    # A picture that is there has a name that Label Studio cannot write, such as one of 255 bytes.
    missing = [path or url for url, path in sources.items() if not (path and Path(path).exists())]
    named = ", ".join(missing[:NAMED]) + (", …" if len(missing) > NAMED else "")
    raise Problem(
        f"Label Studio left out {count} of {len(wanted)} pictures.",
        f"They are not on this machine: {named}." if missing else "Their names may be too long.",
        "Put them back, or export the labels alone with `pictures=False`.",
    )


def _mend_names(content: Path) -> None:
    """Let COCO's `file_name` name the copies of uploads: Label Studio names its own files."""
    file = content / f"{FILE}.json"
    if not (content / PICTURES).is_dir() or not file.exists():
        return
    found = json.loads(file.read_text(encoding="utf-8"))
    wrong = [
        (image, f"{PICTURES}/{PurePosixPath(image['file_name']).name}")
        for image in found["images"]
        if not image["file_name"].startswith(f"{PICTURES}/")
    ]
    for image, name in wrong:
        if (content / name).exists():
            image["file_name"] = name
    if wrong:
        file.write_text(json.dumps(found, indent=2), encoding="utf-8")


async def _copy_files(
    project: Project, labelled: list[Labelled], content: Path, report: Report
) -> None:
    entries = await asyncio.to_thread(
        lambda: list(image_folder.entries(labelled, project.interface))
    )
    labels = dict.fromkeys(label for each in entries for label in each.labels)
    folders = image_folder.folder_names(labels)
    if not entries:
        raise Problem("Nothing of this project has a label yet.", "", "Label some items first.")
    objects: list[tuple[Entry, list[Path]]] = []

    def steps() -> Iterator[int]:
        taken: set[str] = set()
        for folder in folders.values():
            (content / folder).mkdir()
        for number, entry in enumerate(entries, 1):
            is_object = entry.url.startswith(SCHEME)
            source = entry.url if is_object else entry.file or project.path_of(entry.url)
            if source is None:
                raise Problem(
                    f"The file {entry.url!r} is not on this machine.",
                    f"The format {image_folder.FORMAT!r} copies files.",
                    "Use another format, such as JSON or CSV.",
                )
            names = [
                image_folder.file_name(source, folders[label], taken) for label in entry.labels
            ]
            targets = [content / name for name in names]
            if is_object:
                objects.append((entry, targets))
                continue
            if not project.may_read(Path(source)):
                raise Problem(
                    f"The file {source} may not be copied.",
                    "It is outside of the folders that Label Studio may read.",
                    "Remove this item from the project.",
                )
            for target in targets:
                _copy(Path(source), target)
            yield number

    await run_steps(steps(), lambda done: report(done, len(entries), "Copying files"))
    await _download_objects(project.api, objects, report)


async def _download_objects(
    api: LabelStudioAPI, objects: list[tuple[Entry, list[Path]]], report: Report
) -> None:
    """Download each object in S3 through Label Studio, into its new files."""
    left = iter(enumerate(objects))

    async def download() -> None:
        for number, (entry, targets) in left:
            report(number, len(objects), "Downloading objects")
            await _download_object(api, entry, targets[0])
            for target in targets[1:]:
                await asyncio.to_thread(shutil.copyfile, targets[0], target)

    downloads = [asyncio.ensure_future(download()) for _ in range(DOWNLOADS)]
    try:
        await asyncio.gather(*downloads)
    finally:
        for each in downloads:
            await cancel_and_wait(each)


async def _download_object(api: LabelStudioAPI, entry: Entry, target: Path) -> None:
    path = f"/{paths.cloud_file(entry.task_id, entry.url)}"
    try:
        await api.download(path, {}, target, lambda done: None)
    except Rejected as rejected:
        if rejected.status == HTTPStatus.SEE_OTHER:
            raise Problem(
                f"{entry.url} cannot be downloaded.",
                "The project uses signed links, which are for browsers.",
                "Switch off *Use pre-signed URLs* in its settings, *Cloud Storage*, and try again.",
            ) from rejected
        raise Problem(
            f"Label Studio cannot read {entry.url}.",
            rejected.why,
            "Put the object back, or remove this item from the project.",
        ) from rejected


def _copy(source: Path, target: Path) -> None:
    try:
        readable = source.open("rb")
    except OSError as error:
        raise Problem(
            f"The file {source} cannot be read.",
            f"{error.strerror or error}.",
            "Put it back, then try again.",
        ) from error
    with readable, target.open("xb") as copy:
        shutil.copyfileobj(readable, copy, 1024 * 1024)


def _count(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))
