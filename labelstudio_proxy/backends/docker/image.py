"""The image that Label Studio's container is made from: found, or pulled with its progress."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docker.errors import APIError, ImageNotFound
from docker.models.images import Image
from docker.utils import parse_repository_tag
from packaging.version import InvalidVersion, Version

from ...problem import Problem
from .credentials import Credentials, find_credentials
from .download import Download, Interrupted, can_download
from .download_folder import prune
from .engine import Engine
from .pull import Event, Stream
from .pull_problems import explain_pull
from .pull_progress import PullProgress, Rate, progress_text
from .registry import NotForUs, registry_of

logger = logging.getLogger(__name__)

# How long an engine may say nothing: while it pulls, it tells of it several times a second; to load,
# it unpacks a gigabyte first, on a slow disk.
PULL_STALL_SECONDS = 120.0
LOAD_STALL_SECONDS = 600.0

Progress = Callable[[str, int, int], None]  # what to show beside the bytes: done, of a total


async def get_image(engine: Engine, name: str, policy: str, progress: Progress) -> Image:
    """The image `name`, pulled where `policy` (missing, always, never) says so; raises Problem.

    One that is there is used without asking a registry, unless the policy is `always`.
    """
    if policy != "always":
        image = await _find(engine, name)
        if image is not None:
            return image
        if policy == "never":
            raise Problem(
                f"The image {name} is not on this machine.",
                "The setting `pull_policy` is `never`, so it is not downloaded.",
                f"Load it, for example with `docker load` or `docker pull {name}`, or change "
                "`pull_policy` or `image` and restart Jupyter.",
            )
    await _Pull(engine, name, policy, progress).run()
    image = await _find(engine, name)
    if image is None:
        raise explain_pull(engine, name, "not found")
    progress("downloaded", 0, 0)
    return image


def label_studio_version(image: Image, name: str) -> str:
    """The version of Label Studio in an image, as far as its label or its tag says; else empty."""
    label = (image.labels or {}).get("org.opencontainers.image.version", "")
    _, tag = parse_repository_tag(name)
    for text in (label, tag or ""):
        match = re.match(r"v?(\d+(?:\.\d+)+)(?:$|[^\d.])", text)
        if match:
            with contextlib.suppress(InvalidVersion):
                return str(Version(match[1]))
    return ""


async def _find(engine: Engine, name: str) -> Image | None:
    try:
        return await engine.ask(lambda client: client.images.get(name))
    except ImageNotFound:
        return None
    except APIError as error:
        raise explain_pull(engine, name, error.explanation or str(error)) from error


class _Pull:
    """One way of an image into an engine."""

    def __init__(self, engine: Engine, name: str, policy: str, progress: Progress) -> None:
        self._engine = engine
        self._name = name
        self._policy = policy
        self._progress = progress
        self._rate = Rate()
        self._credentials = Credentials()

    async def run(self) -> None:
        """Raises Problem."""
        self._progress("asking the registry", 0, 0)
        try:
            info = await self._engine.ask(lambda client: client.info())
        except APIError as error:
            raise self._failed(error.explanation or str(error)) from error
        self._credentials = await find_credentials(registry_of(self._name))
        if self._credentials.fault:
            logger.warning("%s It is tried without.", self._credentials.fault)
        await asyncio.to_thread(prune)
        if not can_download(self._name, info):
            await self._pull()
            return
        download = Download(self._name, info, self._credentials.found, self._show)
        try:
            async with download.folder.held(self._show_another):
                await self._download(download)
            return
        except (NotForUs, OSError) as reason:  # no fault of our folder's is worth a start
            logger.info("The container engine downloads %s itself: %s", self._name, reason)
        except Interrupted as error:
            raise Problem(
                f"The image {self._name} could not be downloaded.",
                f"The connection to its registry broke off: {error}. What has been fetched is "
                "kept.",
                "Check this machine's way to the network, then try again: it goes on from there.",
            ) from error
        await self._pull()
        await asyncio.to_thread(download.folder.clear_unless_held)

    async def _download(self, download: Download) -> None:
        """Fetch the layers that the engine lacks, and have it load them."""
        present = await _find(self._engine, self._name)
        if present is not None and self._policy != "always":
            return  # brought by the download that had the folder before
        newest = await download.look()
        if present is not None and present.id == newest:
            return
        known = await download.run(self._held)
        failure = await Stream(
            self._engine.client,
            "images/load",
            stall=LOAD_STALL_SECONDS,
            body=download.archive(),
        ).run(lambda _: None)
        if failure and known:
            msg = f"it could not load the new layers alone: {failure}"
            raise NotForUs(msg)
        if failure:
            raise self._failed(failure)
        await asyncio.to_thread(download.folder.clear)

    async def _held(self, unpacked: Sequence[str]) -> int:
        """How many of the lowest layers the engine has, of another image of that name."""
        repository, _ = parse_repository_tag(self._name)
        try:
            images = await self._engine.ask(lambda client: client.images.list(repository))
        except APIError:
            return 0
        return max((_common(image.attrs, unpacked) for image in images), default=0)

    async def _pull(self) -> None:
        """Have the engine do it all."""
        shown = PullProgress()

        def show(event: Event) -> None:
            shown.take(event, time.monotonic())
            self._progress(shown.text(), shown.done, shown.total)

        repository, tag = parse_repository_tag(self._name)
        failure = await Stream(
            self._engine.client,
            "images/create",
            stall=PULL_STALL_SECONDS,
            parameters={"fromImage": repository, "tag": tag or "latest"},
            headers=self._credentials.header,
        ).run(show)
        if failure:
            raise self._failed(failure)

    def _show(self, finished: int, layers: int, done: int, total: int) -> None:
        self._rate.note(time.monotonic(), done)
        text = progress_text(finished, layers, done, total, self._rate.per_second)
        self._progress(text, done, total)

    def _show_another(self) -> None:
        self._progress("waiting for another download of it", 0, 0)

    def _failed(self, message: str) -> Problem:
        return explain_pull(self._engine, self._name, message, self._credentials.fault)


def _common(image: Mapping[str, Any], unpacked: Sequence[str]) -> int:
    """How many of the lowest layers are those of the image (as the engine describes it)."""
    layers = (image.get("RootFS") or {}).get("Layers") or []
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(layers, unpacked, strict=False))
    return sum(1 for _ in same)
