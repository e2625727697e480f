"""A registry asked for an image's manifest and blobs, over the registries' own protocol.

See https://github.com/opencontainers/distribution-spec. What needs more than a plain connection, and
what the registry refuses, is not for us: the engine has more ways, and its words are what people know.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from docker.auth import INDEX_NAME, resolve_repository_name
from docker.errors import DockerException
from docker.utils import parse_repository_tag

MANIFEST_BYTES = 4 * 1024 * 1024
CONNECT_SECONDS = 10.0
STALL_SECONDS = 30.0

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

# The machine's architecture, as `uname -m` has it, in the registries' words: its name, and those of
# its variants that the machine can run, the best first. As containerd's package `platforms` has it.
ARCHITECTURES = {
    "x86_64": ("amd64", ("", "v1")),
    "aarch64": ("arm64", ("", "v8")),
    "armv8l": ("arm", ("v8", "v7", "", "v6", "v5")),
    "armv7l": ("arm", ("v7", "", "v6", "v5")),
    "armv6l": ("arm", ("v6", "v5")),
    "i386": ("386", ("",)),
    "i686": ("386", ("",)),
}

# What a reply that is not as it should be makes of the code that reads it.
ODD = (ValueError, KeyError, TypeError, AttributeError)


class NotForUs(Exception):
    """The engine is to pull this one itself: it has ways that we have not, and tells what it lacks."""


@dataclass(frozen=True)
class Blob:
    """A layer, or the image's configuration."""

    digest: str
    size: int  # bytes


@dataclass(frozen=True)
class Manifest:
    """What an image is made of."""

    config: Blob
    layers: tuple[Blob, ...]


def registry_of(name: str) -> str:
    """The registry that an image's name leads to, as logins are filed; empty: it is no name."""
    try:
        return str(resolve_repository_name(parse_repository_tag(name)[0])[0])
    except DockerException:
        return ""


class Repository:
    """The images of one name in a registry."""

    def __init__(self, name: str, info: Mapping[str, Any], credentials: Mapping[str, str]) -> None:
        """`name`: an image's; `info`: the engine's; `credentials`: as docker's configuration has them."""
        registry = registry_of(name)
        repository, tag = parse_repository_tag(name)
        path = resolve_repository_name(repository)[1]
        self.tag = tag or "latest"
        if registry == INDEX_NAME:
            registry = f"index.{INDEX_NAME}"
            path = path if "/" in path else f"library/{path}"
        self.name = f"{registry}/{path}"
        self._url = f"{'http' if _is_insecure(registry, info) else 'https'}://{registry}/v2/{path}"
        # The SDK spells them one way or the other.
        self._credentials = {key.lower(): value for key, value in credentials.items()}
        self._token = ""

    def session(self) -> aiohttp.ClientSession:
        """To ask with; to be closed."""
        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=STALL_SECONDS
            ),
            # Digests are of what is not compressed on the way.
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
        )

    async def manifest(self, session: aiohttp.ClientSession, info: Mapping[str, Any]) -> Manifest:
        """The image's for the engine's machine; raises NotForUs."""
        try:
            return await self._manifest(session, info)
        except (aiohttp.ClientError, asyncio.TimeoutError, *ODD) as error:
            raise NotForUs(str(error) or type(error).__name__) from error

    async def _manifest(self, session: aiohttp.ClientSession, info: Mapping[str, Any]) -> Manifest:
        reference = self.tag
        for _ in range(2):  # an index of platforms, then one of its manifests
            accept = ", ".join((*MANIFESTS, *INDEXES))
            async with await self.get(
                session, f"manifests/{reference}", {"Accept": accept}
            ) as answer:
                if answer.status != 200:
                    msg = f"the registry answered {answer.status}"
                    raise NotForUs(msg)
                body = b""
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > MANIFEST_BYTES:
                        msg = "the manifest is too long"
                        raise NotForUs(msg)
                kind = answer.content_type
            if reference != self.tag and digest_of(body) != reference:
                msg = "the manifest is another one"
                raise NotForUs(msg)
            found = json.loads(body)
            if kind in MANIFESTS:
                return Manifest(
                    _blob(found["config"]), tuple(_blob(layer) for layer in found["layers"])
                )
            if kind not in INDEXES:
                msg = f"a manifest of another kind: {kind}"
                raise NotForUs(msg)
            reference = choose(found["manifests"], info)
        msg = "an index of indexes"
        raise NotForUs(msg)

    async def get(
        self, session: aiohttp.ClientSession, path: str, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """The answer, after the token was got that the registry may want to see; raises NotForUs.

        A token may expire at any time, and so is asked for whenever the one we have is refused.
        """
        for _ in range(2):
            token = {"Authorization": self._token} if self._token else {}
            # aiohttp follows redirects, and shows the token to no other host or port.
            answer = await session.get(f"{self._url}/{path}", headers={**headers, **token})
            if answer.status != 401:
                return answer
            challenge = answer.headers.get("WWW-Authenticate", "")
            answer.release()
            try:
                self._token = await self._authorization(session, challenge)
            except ODD as error:
                msg = f"the registry's token service made no sense: {error!r}"
                raise NotForUs(msg) from error
        msg = "the registry wants to know who asks"
        raise NotForUs(msg)

    async def _authorization(self, session: aiohttp.ClientSession, challenge: str) -> str:
        """What to send after a 401, see https://distribution.github.io/distribution/spec/auth/."""
        name, secret = self._credentials.get("username"), self._credentials.get("password")
        basic = {}
        if name and secret:
            encoded = base64.b64encode(f"{name}:{secret}".encode()).decode()
            basic = {"Authorization": f"Basic {encoded}"}
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and basic:
            return basic["Authorization"]
        fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if scheme.lower() != "bearer" or "realm" not in fields:
            msg = "the registry wants to know who asks"
            raise NotForUs(msg)
        realm = fields["realm"]
        if self._url.startswith("https:") and not realm.startswith("https:"):
            msg = "the registry would have a password sent in the open"
            raise NotForUs(msg)
        asked = {key: fields[key] for key in ("service", "scope") if key in fields}
        async with session.get(realm, params=asked, headers=basic) as answer:
            if answer.status != 200:
                msg = f"the registry's token service answered {answer.status}"
                raise NotForUs(msg)
            found = json.loads(await answer.read())
        return f"Bearer {found.get('token') or found['access_token']}"


def choose(manifests: Sequence[Mapping[str, Any]], info: Mapping[str, Any]) -> str:
    """The digest, in an index, of what fits the engine's machine best; raises NotForUs."""
    system, machine = str(info.get("OSType", "linux")), str(info.get("Architecture", ""))
    architecture, variants = ARCHITECTURES.get(machine, (machine, ("",)))
    fitting: dict[str, str] = {}
    for each in manifests:
        platform = each.get("platform") or {}
        if (platform.get("os"), platform.get("architecture")) == (system, architecture):
            fitting.setdefault(str(platform.get("variant") or ""), str(each["digest"]))
    for variant in variants:
        if variant in fitting:
            return fitting[variant]
    msg = f"the registry has none for {system} on {machine}"
    raise NotForUs(msg)


def digest_of(data: bytes) -> str:
    """The name that registries give to these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _blob(descriptor: Mapping[str, Any]) -> Blob:
    if "zstd" in descriptor.get("mediaType", "") or not DIGEST.fullmatch(descriptor["digest"]):
        msg = "a layer of a kind that older engines cannot load"
        raise NotForUs(msg)
    return Blob(descriptor["digest"], int(descriptor["size"]))


def _is_insecure(host: str, info: Mapping[str, Any]) -> bool:
    """Whether the engine, too, would speak to this registry without TLS."""
    if re.fullmatch(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?", host):
        return True
    known = (info.get("RegistryConfig") or {}).get("IndexConfigs") or {}
    return host in known and not known[host].get("Secure", True)
