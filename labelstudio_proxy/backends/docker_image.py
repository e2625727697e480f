"""The image that Label Studio's container is made from: found, or pulled with its progress."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from docker import DockerClient
from docker.auth import get_config_header, load_config, resolve_repository_name
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.images import Image
from docker.utils import parse_repository_tag
from packaging.version import InvalidVersion, Version

from ..problem import Problem
from .docker_download import Download, Interrupted, NotForUs, can_download
from .docker_engine import Engine
from .explain import Faults, find_fault

logger = logging.getLogger(__name__)

# How long an engine may say nothing while it pulls; it tells of a download several times a second.
STALL_SECONDS = 120.0
RATE_SECONDS = 5.0
LOAD_SECONDS = 1800.0  # a gigabyte on a slow disk

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
    await _pull(engine, name, progress)
    image = await _find(engine, name)
    if image is None:
        raise explain_pull(name, "not found")
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
        raise explain_pull(name, error.explanation or str(error)) from error


async def _pull(engine: Engine, name: str, progress: Progress) -> None:
    progress("asking the registry", 0, 0)
    info = await engine.ask(lambda client: client.info())
    try:
        if can_download(name, info):
            return await _download(engine, name, info, progress)
    except NotForUs as reason:
        logger.info("The container engine downloads %s itself: %s", name, reason)
    except Interrupted as error:
        raise Problem(
            f"The image {name} could not be downloaded.",
            f"The connection to its registry broke off: {error}. What has been fetched is kept.",
            "Check this machine's way to the network, then try again: it goes on from there.",
        ) from error
    except OSError as error:
        raise explain_pull(name, error.strerror or str(error)) from error
    await _pull_by_engine(engine, name, progress)
    return None


async def _download(engine: Engine, name: str, info: Mapping[str, Any], progress: Progress) -> None:
    """Fetch the image's layers, and load them into the engine."""
    rate = Rate()

    def show(finished: int, layers: int, done: int, total: int) -> None:
        rate.note(time.monotonic(), done)
        progress(progress_text(finished, layers, done, total, rate.per_second), done, total)

    credentials = await engine.ask(
        lambda client: load_config().resolve_authconfig(resolve_repository_name(name)[0])
    )
    download = Download(name, info, credentials, show)
    await download.run()

    def load(client: DockerClient) -> str:
        for event in client.api.load_image(download.archive()):
            if "error" in event:
                return str(event["error"])
        return ""

    failure = await engine.ask(load, seconds=LOAD_SECONDS)
    if failure:
        raise explain_pull(name, failure)
    await asyncio.to_thread(download.clear)


async def _pull_by_engine(engine: Engine, name: str, progress: Progress) -> None:
    loop = asyncio.get_running_loop()
    pull = _Pull(engine.client, name)
    shown = PullProgress()
    ended: asyncio.Future[str] = loop.create_future()

    def show(event: Mapping[str, Any]) -> None:
        shown.take(event, time.monotonic())
        progress(shown.text(), shown.done, shown.total)

    def end(failure: str) -> None:
        if not ended.done():
            ended.set_result(failure)

    def run() -> None:
        failure = pull.run(lambda event: loop.call_soon_threadsafe(show, event))
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(end, failure)

    # Not one of the engine's threads: it would keep the others, and the process's end, waiting.
    threading.Thread(target=run, name="pull", daemon=True).start()
    try:
        failure = await ended
    finally:
        pull.stop()
    if failure:
        raise explain_pull(name, failure)


class _Pull:
    """One request to pull, which can be stopped from another thread."""

    def __init__(self, client: DockerClient, name: str) -> None:
        self._api = client.api
        repository, tag = parse_repository_tag(name)
        self._parameters = {"fromImage": repository, "tag": tag or "latest"}
        self._response: requests.Response | None = None
        self._stopped = False

    def run(self, take: Callable[[Mapping[str, Any]], object]) -> str:
        """Pull, and give each of the engine's events to `take`; says what failed, else nothing."""
        try:
            registry, _ = resolve_repository_name(self._parameters["fromImage"])
            credentials = get_config_header(self._api, registry)
            # By hand, since the SDK's own `pull` can be neither stopped nor given a time-out.
            self._response = self._api.post(
                f"{self._api.base_url}/v{self._api.api_version}/images/create",
                params=self._parameters,
                headers={"X-Registry-Auth": credentials} if credentials else {},
                stream=True,
                timeout=STALL_SECONDS,
            )
            with self._response as response:
                if not response.ok:
                    return _message(response.text)
                for line in response.iter_lines():
                    if self._stopped:
                        return "stopped"
                    event = json.loads(line or b"{}")
                    if "error" in event:
                        return str(event["error"])
                    take(event)
        except requests.exceptions.RequestException as error:
            timed_out = isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error)
            return "stalled" if timed_out else f"engine gone: {error}"
        except (DockerException, ValueError, OSError) as error:
            return str(error)
        return ""

    def stop(self) -> None:
        """Let the engine see that nobody waits any more."""
        self._stopped = True
        if self._response is not None:
            with contextlib.suppress(Exception):  # as it may be closed, or of an older urllib3
                self._response.raw.shutdown()


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()


@dataclass
class _Layer:
    done: int = 0
    total: int = 0
    downloaded: bool = False


class Rate:
    """Of a number that grows, over the last seconds."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._history: deque[tuple[float, int]] = deque()

    def note(self, now: float, number: int) -> None:
        """The number at `now`, in seconds of any clock."""
        self._history.append((now, number))
        while self._history[0][0] < now - RATE_SECONDS:
            self._history.popleft()

    @property
    def per_second(self) -> float:
        """How much it grows in a second."""
        if not self._history:
            return 0.0
        (first, before), (last, after) = self._history[0], self._history[-1]
        return (after - before) / (last - first) if last > first else 0.0


@dataclass
class PullProgress:
    """What a stream of pull events amounts to."""

    _layers: dict[str, _Layer] = field(default_factory=dict)
    _rate: Rate = field(default_factory=Rate)

    def take(self, event: Mapping[str, Any], now: float) -> None:
        """Note one event of the engine's; `now`: a clock, in seconds."""
        status, name = str(event.get("status", "")), event.get("id")
        if not name or status.startswith("Pulling from"):
            return
        layer = self._layers.setdefault(str(name), _Layer())
        detail = event.get("progressDetail") or {}
        if status == "Downloading":
            # 0 or -1 where the engine does not know it
            layer.total = max(layer.total, int(detail.get("total") or 0))
            layer.done = int(detail.get("current") or 0)
        elif status in {"Download complete", "Pull complete", "Already exists"}:
            layer.downloaded, layer.done = True, layer.total
        self._rate.note(now, self.done)

    @property
    def done(self) -> int:
        """Bytes downloaded."""
        return sum(layer.done for layer in self._layers.values())

    @property
    def total(self) -> int:
        """Bytes of the layers whose size the engine has told so far."""
        return max(self.done, sum(layer.total for layer in self._layers.values()))

    def text(self) -> str:
        """For people."""
        finished = sum(layer.downloaded for layer in self._layers.values())
        rate = self._rate.per_second
        return progress_text(finished, len(self._layers), self.done, self.total, rate)


def progress_text(finished: int, layers: int, done: int, total: int, rate: float) -> str:
    """Layers, bytes and rate (bytes in a second), for people; the page adds a bar, and percent."""
    if not layers:
        return "asking the registry"
    said = [f"{finished} of {layers} layers"]
    if total:
        said.append(f"{size(done)} of {size(total)}")
    said.append(f"{size(rate)}/s" if finished < layers else "unpacking")
    return " · ".join(said)


def size(number: float) -> str:
    """A number of bytes, for people."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


# The words are those of Docker, Podman, and the registries.
FAULTS: Faults = (
    (
        r"^stopped$",
        "The download was stopped.",
        "Try again.",
    ),
    (
        r"^engine gone",
        "The container engine ended, or was restarted, in the middle of it.",
        "Start it (`sudo systemctl start docker`), then try again.",
    ),
    (
        r"no space left on device|disk quota exceeded",
        "The disk on which the container engine keeps its images is full.",
        "Free some space there, for example with `docker image prune`, then try again.",
    ),
    (
        r"toomanyrequests|rate limit|429 Too Many",
        "The registry has had too many downloads from this address.",
        "Wait an hour, or log in with `docker login`, then try again.",
    ),
    (
        r"unauthorized|denied|no basic auth|authentication required|forbidden",
        "The registry does not let this user have it, or there is no image of that name.",
        (
            "Check the setting `image`; if the name is right, log in with `docker login`. Then try "
            "again."
        ),
    ),
    (
        (
            r"invalid reference|invalid tag|parsing reference|repository name must be lowercase"
            r"|invalid repository name"
        ),
        "It is not the name of an image.",
        (
            "Correct the setting `image` and restart Jupyter; it looks like "
            "`heartexlabs/label-studio:1.23.2`."
        ),
    ),
    (
        r"manifest.*unknown|not found|no such image|does not exist|404",
        "The registry has no image of that name and tag.",
        "Correct the setting `image` and restart Jupyter.",
    ),
    (
        r"no matching manifest|does not match the specified platform",
        "The registry has it for other processors only.",
        "Set `image` to one for this machine's processor and restart Jupyter.",
    ),
    (
        r"x509|certificate|server gave HTTP response to HTTPS",
        "The registry's certificate is not trusted.",
        "Have the container engine trust the registry, then try again.",
    ),
    (
        (
            r"no such host|dial tcp|connection refused|connection reset|i/o timeout|network is"
            r"|timeout|EOF|stalled|temporary failure|unreachable|ping attempt|pinging container reg"
            r"|Client\.Timeout|bad gateway|5\d\d |short read|unexpected status|broken pipe|deadline"
        ),
        "The registry cannot be reached, or the connection broke off.",
        (
            "Check this machine's way to the network, then try again. Without "
            "a network, bring the image with `docker save` and `docker load`."
        ),
    ),
)


def explain_pull(name: str, message: str) -> Problem:
    """The Problem for a pull of `name` that ended with the engine's `message`."""
    what = f"The image {name} could not be downloaded."
    why, remedy = find_fault(FAULTS, [message]) or (
        "",
        f"Try `docker pull {name}` in a terminal, which may tell more.",
    )
    return Problem(what, f"{why} The container engine said: {message}".strip(), remedy)
