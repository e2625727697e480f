"""The image of Label Studio's container: found on this machine, or pulled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from docker.auth import AuthConfig, encode_header, load_config, resolve_repository_name
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.images import Image
from docker.utils import parse_repository_tag
from docker.utils.config import find_config_file
from packaging.version import InvalidVersion, Version

from ...aio import call_in_thread
from ...problem import Problem
from .engine import Engine
from .pull import Progress, pull
from .pull_problems import explain_pull

logger = logging.getLogger(__name__)

# A credential helper may open a dialog to unlock its store, which nobody sees.
HELPER_SECONDS = 30.0


async def get_image(engine: Engine, name: str, policy: str, progress: Progress) -> Image:
    """Return the image `name`, pulled if `policy` (missing, always, never) asks for it.

    An image on this machine is used without asking a registry, unless the policy is `always`.
    Raises Problem.
    """
    if policy != "always":
        image = await find_image(engine, name)
        if image is not None:
            return image
        if policy == "never":
            program = engine.name.lower()
            raise Problem(
                f"The image {name} is not on this machine.",
                "The setting `pull_policy` is `never`, so it is not downloaded.",
                f"Load it, for example with `{program} load` or `{program} pull {name}`, then try again. "
                "Or change `pull_policy` or `image` and restart Jupyter.",
            )
    progress("asking the registry", 0, 0)
    login = await find_login(name)
    if login.error:
        logger.warning("%s The pull goes ahead without a login.", login.error)
    message = await pull(engine.client, name, login.headers, progress)
    if message:
        raise explain_pull(engine, name, message, login.error)
    image = await find_image(engine, name)
    if image is None:
        raise explain_pull(engine, name, "not found")
    progress("downloaded", 0, 0)
    return image


def version_label(image: Image) -> str:
    """Return the Label Studio version by the image's label, or an empty string."""
    label = (image.labels or {}).get("org.opencontainers.image.version", "")
    if match := re.match(r"v?(\d+(?:\.\d+)+)(?:$|[^\d.])", label):
        with contextlib.suppress(InvalidVersion):
            return str(Version(match[1]))
    return ""


async def find_image(engine: Engine, name: str) -> Image | None:
    """Return the image `name` if it is on this machine; raises Problem."""
    try:
        return await engine.ask(lambda client: client.images.get(name))
    except ImageNotFound:
        return None
    except APIError as error:
        raise explain_pull(engine, name, error.explanation or str(error)) from error


@dataclass(frozen=True)
class Login:
    """The user's login to one registry, as `docker login` stored it."""

    headers: Mapping[str, str] = field(default_factory=dict)  # of the pull request
    error: str = ""  # why the login could not be read


async def find_login(name: str) -> Login:
    """Return the user's login to the registry of the image `name`; never raises."""
    try:
        return await asyncio.wait_for(
            call_in_thread(lambda: _read_login(name), "credentials"), HELPER_SECONDS
        )
    except asyncio.TimeoutError:
        file = find_config_file()
        return Login(error=f"The credential helper that {file} names did not respond.")


def _read_login(name: str) -> Login:
    found: Mapping[str, str] | None = None
    error = ""
    try:
        registry, _ = resolve_repository_name(parse_repository_tag(name)[0])
        config = load_config()
        # Used if the credential helper fails.
        found = AuthConfig({"auths": config.auths}).resolve_authconfig(registry)
        found = config.resolve_authconfig(registry)
    # The file and the helper's output may hold anything.
    except (DockerException, OSError, ValueError, LookupError, TypeError, AttributeError) as reason:
        error = f"Docker's logins in {find_config_file()} could not be read: {reason}."
    return Login({"X-Registry-Auth": encode_header(found).decode()} if found else {}, error)
