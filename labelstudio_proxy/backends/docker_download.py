"""An image's layers, fetched from the registry by ourselves and kept until all are there.

Docker's classic image store throws an interrupted download away, finished layers included (Podman
and Docker's containerd store keep them). So for that one the layers are fetched here, over the
registries' own protocol (https://github.com/opencontainers/distribution-spec), and then loaded. What
the registry refuses, or what needs more than a plain connection to it, is left to the engine.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import platformdirs
from docker.auth import INDEX_NAME, resolve_repository_name
from docker.utils import parse_repository_tag

CHUNK = 1024 * 1024
AT_ONCE = 3  # layers, as Docker does
ATTEMPTS = 5
PAUSE_SECONDS = 2.0
STALL_SECONDS = 30.0
MANIFEST_BYTES = 4 * 1024 * 1024

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class NotForUs(Exception):
    """The engine is to pull this one itself: it has ways that we have not, and tells what it lacks."""


class Interrupted(Exception):
    """The connection broke off; what has been fetched is kept."""


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
    """The host, and port, of the registry that an image's name leads to."""
    registry, _ = resolve_repository_name(parse_repository_tag(name)[0])
    return f"index.{INDEX_NAME}" if registry == INDEX_NAME else registry


def can_download(name: str, info: Mapping[str, Any]) -> bool:
    """Whether the engine (its `info`) would lose layers, and has no ways of its own to the registry."""
    settings = info.get("RegistryConfig") or {}
    keeps = any("containerd" in str(value) for value in info.get("DriverStatus") or [])
    ways = settings.get("Mirrors") or info.get("HttpProxy") or info.get("HttpsProxy")
    digest = "@" in name  # an image that is loaded is not known by its digest
    return bool(settings) and not (keeps or ways or digest)


class Download:
    """One image's way into a folder, and from there into an engine as an archive."""

    def __init__(
        self,
        name: str,
        info: Mapping[str, Any],
        credentials: Mapping[str, str] | None,
        progress: Callable[[int, int, int, int], None],
    ) -> None:
        """`info`: the engine's; `progress`: layers done, of how many; bytes done, of how many."""
        self._name = name
        registry, repository = resolve_repository_name(parse_repository_tag(name)[0])
        if registry == INDEX_NAME and "/" not in repository:
            repository = f"library/{repository}"
        self._repository = repository
        self._tag = parse_repository_tag(name)[1] or "latest"
        host = registry_of(name)
        self._url = f"{'http' if _is_insecure(host, info) else 'https'}://{host}/v2/{repository}"
        self._platform = (str(info.get("OSType", "linux")), _architecture(info))
        # The SDK spells them one way or the other.
        self._credentials = {key.lower(): value for key, value in (credentials or {}).items()}
        self._progress = progress
        self._token = ""
        self._done: dict[str, int] = {}
        self.manifest: Manifest | None = None
        key = hashlib.sha256(f"{host}/{repository}".encode()).hexdigest()[:12]
        self.folder = platformdirs.user_cache_path("labelstudio-proxy") / "images" / key

    async def run(self) -> None:
        """Fetch what is missing. Raises NotForUs, Interrupted, or OSError (the disk is full)."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=STALL_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
            try:
                self.manifest = await self._manifest(session)
            except (aiohttp.ClientError, asyncio.TimeoutError, ValueError, KeyError) as error:
                raise NotForUs(str(error)) from error
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            wanted = {self.manifest.config, *self.manifest.layers}
            for blob in wanted:  # what an earlier try has fetched
                kept = max(_size(self._path(blob)), _size(self._path(blob, ".part")))
                self._count(blob, min(kept, blob.size))
            gate = asyncio.Semaphore(AT_ONCE)
            tasks = [asyncio.create_task(self._fetch(session, blob, gate)) for blob in wanted]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def archive(self) -> Iterator[bytes]:
        """What `docker load` takes; the folder is not needed any more when it is loaded."""
        assert self.manifest is not None, "run() comes first"
        config, layers = self.manifest.config, self.manifest.layers
        listing = [
            {
                "Config": f"{_hex(config)}.json",
                "RepoTags": [f"{parse_repository_tag(self._name)[0]}:{self._tag}"],
                "Layers": [f"{_hex(layer)}/layer.tar" for layer in layers],
            }
        ]
        yield from _member("manifest.json", io.BytesIO(json.dumps(listing).encode()))
        files = {f"{_hex(config)}.json": config}
        files |= {f"{_hex(layer)}/layer.tar": layer for layer in layers}
        for name, blob in files.items():
            with self._path(blob).open("rb") as file:
                yield from _member(name, file)
        yield bytes(2 * tarfile.BLOCKSIZE)

    def clear(self) -> None:
        """Forget what has been fetched."""
        for path in self.folder.glob("*"):
            path.unlink(missing_ok=True)
        self.folder.rmdir()

    # ---- the registry

    async def _manifest(self, session: aiohttp.ClientSession) -> Manifest:
        reference = self._tag
        for _ in range(2):  # an index of platforms, then one of its manifests
            accept = ", ".join((*MANIFESTS, *INDEXES))
            async with await self._get(
                session, f"manifests/{reference}", {"Accept": accept}
            ) as answer:
                if answer.status != 200:
                    msg = f"the registry answered {answer.status}"
                    raise NotForUs(msg)
                body = await answer.content.read(MANIFEST_BYTES)
                while more := await answer.content.read(MANIFEST_BYTES):
                    body += more
                kind = answer.content_type
            if reference != self._tag and _digest(body) != reference:
                msg = "the manifest is another one"
                raise NotForUs(msg)
            found = json.loads(body)
            if kind in MANIFESTS:
                return Manifest(
                    _blob(found["config"]), tuple(_blob(layer) for layer in found["layers"])
                )
            system, machine = self._platform
            reference = next(
                each["digest"]
                for each in found.get("manifests", [])
                if each.get("platform", {}).get("os") == system
                and each["platform"].get("architecture") == machine
            )
        msg = "an index of indexes"
        raise NotForUs(msg)

    async def _fetch(
        self, session: aiohttp.ClientSession, blob: Blob, gate: asyncio.Semaphore
    ) -> None:
        path, part = self._path(blob), self._path(blob, ".part")
        if await asyncio.to_thread(_is_whole, path, blob):
            self._count(blob, blob.size)
            return
        failure, in_vain = "", 0
        async with gate:
            while in_vain < ATTEMPTS:
                await asyncio.sleep(PAUSE_SECONDS * in_vain)
                before = _size(part)
                try:
                    await self._append(session, blob, part)
                except (aiohttp.ClientError, asyncio.TimeoutError) as error:
                    failure = str(error) or type(error).__name__
                    in_vain = 0 if _size(part) > before else in_vain + 1
                    continue
                if await asyncio.to_thread(_is_whole, part, blob):
                    part.replace(path)
                    return
                part.unlink()
                failure, in_vain = f"{blob.digest} has other bytes than it should", in_vain + 1
        raise Interrupted(failure)

    async def _append(self, session: aiohttp.ClientSession, blob: Blob, part: Path) -> None:
        """Fetch what the file lacks; raises aiohttp.ClientError or asyncio.TimeoutError."""
        begin = _size(part)
        if begin >= blob.size:
            return
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        async with await self._get(session, f"blobs/{blob.digest}", headers) as answer:
            if answer.status in {401, 403, 404}:
                msg = f"the registry answered {answer.status}"
                raise NotForUs(msg)
            answer.raise_for_status()
            if answer.status != 206:
                begin = 0
            with await asyncio.to_thread(part.open, "ab" if begin else "wb") as file:
                async for chunk in answer.content.iter_chunked(CHUNK):
                    begin += len(chunk)
                    if begin > blob.size:
                        break
                    await asyncio.to_thread(file.write, chunk)
                    self._count(blob, begin)

    async def _get(
        self, session: aiohttp.ClientSession, path: str, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """The answer, after the token was got that the registry may want to see."""
        for _ in range(2):
            token = {"Authorization": self._token} if self._token else {}
            answer = await session.get(f"{self._url}/{path}", headers={**headers, **token})
            if answer.status != 401:
                return answer
            challenge = answer.headers.get("WWW-Authenticate", "")
            answer.release()
            self._token = await self._authorization(session, challenge)
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
        realm = fields.pop("realm")
        if self._url.startswith("https:") and not realm.startswith("https:"):
            msg = "the registry would have a password sent in the open"
            raise NotForUs(msg)
        async with session.get(realm, params=fields, headers=basic) as answer:
            if answer.status != 200:
                msg = f"the registry's token service answered {answer.status}"
                raise NotForUs(msg)
            found = json.loads(await answer.read())
        return f"Bearer {found.get('token') or found['access_token']}"

    def _count(self, blob: Blob, done: int) -> None:
        assert self.manifest is not None
        self._done[blob.digest] = done
        layers = self.manifest.layers
        finished = sum(self._done.get(layer.digest, 0) >= layer.size for layer in layers)
        total = sum(layer.size for layer in layers)
        fetched = sum(self._done.get(layer.digest, 0) for layer in layers)
        self._progress(finished, len(layers), fetched, total)

    def _path(self, blob: Blob, ending: str = "") -> Path:
        return self.folder / f"{_hex(blob)}{ending}"


def _is_insecure(host: str, info: Mapping[str, Any]) -> bool:
    """Whether the engine, too, would speak to this registry without TLS."""
    if re.fullmatch(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?", host):
        return True
    known = (info.get("RegistryConfig") or {}).get("IndexConfigs") or {}
    return host in known and not known[host].get("Secure", True)


def _architecture(info: Mapping[str, Any]) -> str:
    """The machine's, in the registries' words."""
    machine = str(info.get("Architecture", ""))
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _blob(descriptor: Mapping[str, Any]) -> Blob:
    if "zstd" in descriptor.get("mediaType", "") or not DIGEST.fullmatch(descriptor["digest"]):
        msg = "a layer of a kind that older engines cannot load"
        raise NotForUs(msg)
    return Blob(descriptor["digest"], int(descriptor["size"]))


def _hex(blob: Blob) -> str:
    return blob.digest.partition(":")[2]


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _is_whole(path: Path, blob: Blob) -> bool:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        found = hashlib.sha256()
        while chunk := file.read(CHUNK):
            found.update(chunk)
        return f"sha256:{found.hexdigest()}" == blob.digest
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _member(name: str, file: Any) -> Iterator[bytes]:
    """A file in a tar archive, header and padding included."""
    entry = tarfile.TarInfo(name)
    entry.size = file.seek(0, io.SEEK_END)
    file.seek(0)
    yield entry.tobuf()
    while chunk := file.read(CHUNK):
        yield chunk
    yield bytes(-entry.size % tarfile.BLOCKSIZE)
