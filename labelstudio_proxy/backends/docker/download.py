"""An image's layers, fetched by ourselves and kept until all are there.

Docker's classic image store throws an interrupted download away, finished layers included (Podman
and Docker's containerd store keep them). So for that one the layers are fetched here, and then loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import aiohttp
from docker.utils import parse_repository_tag

from ...aio import call_in_thread
from .download_folder import Folder
from .registry import ODD, Blob, Manifest, NotForUs, Repository, registry_of

CHUNK = 1024 * 1024
AT_ONCE = 3  # layers, as Docker does
ATTEMPTS = 5
WRONG = 2  # times that a layer may come with other bytes than it should
PAUSE_SECONDS = 2.0


class Interrupted(Exception):
    """The connection broke off; what has been fetched is kept."""


def can_download(name: str, info: Mapping[str, Any]) -> bool:
    """Whether the engine (its `info`) would lose layers, and has no ways of its own to the registry."""
    settings = info.get("RegistryConfig") or {}
    keeps = any("containerd" in str(value) for value in info.get("DriverStatus") or [])
    ways = settings.get("Mirrors") or info.get("HttpProxy") or info.get("HttpsProxy")
    digest = "@" in name  # an image that is loaded is not known by its digest
    return bool(settings and registry_of(name)) and not (keeps or ways or digest)


class Download:
    """One image's way into a folder, and from there into an engine as an archive.

    First `look`, then `run`, then the `archive`; all while the folder is `held`.
    """

    def __init__(
        self,
        name: str,
        info: Mapping[str, Any],
        credentials: Mapping[str, str],
        progress: Callable[[int, int, int, int], None],
    ) -> None:
        """`info`: the engine's; `progress`: layers done, of how many; bytes done, of how many."""
        self._name = name
        self._info = info
        self._repository = Repository(name, info, credentials)
        self._progress = progress
        self._manifest: Manifest | None = None
        self._layers: tuple[Blob, ...] = ()  # to be fetched
        self._done: dict[str, int] = {}
        self.folder = Folder(self._repository.name)

    async def look(self) -> str:
        """What the registry has: the image's id, as the classic store has it. Raises NotForUs."""
        async with self._repository.session() as session:
            self._manifest = await self._repository.manifest(session, self._info)
        return self._manifest.config.digest

    async def run(self, held: Callable[[Sequence[str]], Awaitable[int]]) -> int:
        """Fetch what is missing. Raises NotForUs or Interrupted.

        `held` is told the digests of the unpacked layers, the lowest first, and says how many of
        them the engine has; these are not fetched. Gives how many these are.
        """
        assert self._manifest is not None, "look() comes first"
        whole = self._manifest
        try:
            async with self._repository.session() as session:
                self.folder.make(whole.config.size)
                blobs = (whole.config, *whole.layers)
                self.folder.keep_only({self._path(b, end).name for b in blobs for end in ENDINGS})
                await self._fetch_all(session, (whole.config,))
                unpacked = self._unpacked()
                known = await held(unpacked) if len(unpacked) == len(whole.layers) else 0
                self._layers = whole.layers[known:]
                self.folder.make(sum(b.size - self._kept(b) for b in set(self._layers)))
                await self._fetch_all(session, self._layers)
        except OSError as error:
            # Nobody else's fault, and not worth a start: the engine has its own disk. That of the
            # user's home shall not stay full.
            self.folder.clear()
            raise _unusable(self.folder, error) from error
        return known

    def archive(self) -> Iterator[bytes]:
        """What `docker load` takes, without the layers that the engine has. Raises NotForUs."""
        try:
            yield from self._archive()
        except OSError as error:
            raise _unusable(self.folder, error) from error

    def _archive(self) -> Iterator[bytes]:
        assert self._manifest is not None, "look() comes first"
        config, layers = self._manifest.config, self._manifest.layers
        repository, tag = parse_repository_tag(self._name)
        listing = [
            {
                "Config": f"{_hex(config)}.json",
                "RepoTags": [f"{repository}:{tag or 'latest'}"],
                "Layers": [f"{_hex(layer)}/layer.tar" for layer in layers],
            }
        ]
        yield from _member("manifest.json", io.BytesIO(json.dumps(listing).encode()))
        files = {f"{_hex(config)}.json": config}
        files |= {f"{_hex(layer)}/layer.tar": layer for layer in self._layers}
        for name, blob in files.items():
            with self._path(blob).open("rb") as file:
                yield from _member(name, file)
        yield bytes(2 * tarfile.BLOCKSIZE)

    # ---- fetching

    async def _fetch_all(self, session: aiohttp.ClientSession, blobs: Sequence[Blob]) -> None:
        wanted = set(blobs)
        for blob in wanted:  # what an earlier try has fetched
            self._count(blob, self._kept(blob))
        gate = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.create_task(self._fetch(session, blob, gate)) for blob in wanted]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(
        self, session: aiohttp.ClientSession, blob: Blob, gate: asyncio.Semaphore
    ) -> None:
        path, part = self._path(blob), self._path(blob, PART)
        if await _is_whole(path, blob):
            self._count(blob, blob.size)
            return
        failure, in_vain, wrong = "", 0, 0
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
                if await _is_whole(part, blob):
                    part.replace(path)
                    return
                part.unlink(missing_ok=True)
                self._count(blob, 0)
                wrong += 1
                if wrong == WRONG:
                    msg = f"{blob.digest} has other bytes than it should"
                    raise NotForUs(msg)
        raise Interrupted(failure)

    async def _append(self, session: aiohttp.ClientSession, blob: Blob, part: Path) -> None:
        """Fetch what the file lacks; raises aiohttp.ClientError or asyncio.TimeoutError."""
        begin = _size(part)
        if begin >= blob.size:
            return
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        async with await self._repository.get(session, f"blobs/{blob.digest}", headers) as answer:
            if answer.status == 416:  # the registry has less than we have
                await asyncio.to_thread(part.unlink)
                return
            if 400 <= answer.status < 500 and answer.status != 408:
                msg = f"the registry answered {answer.status}"
                raise NotForUs(msg)
            answer.raise_for_status()
            if answer.status != 206:
                begin = 0
            with _opened(part, "ab" if begin else "wb") as file:
                async for chunk in answer.content.iter_chunked(CHUNK):
                    begin += len(chunk)
                    if begin > blob.size:
                        break
                    await asyncio.to_thread(file.write, chunk)
                    self._count(blob, begin)

    def _unpacked(self) -> list[str]:
        """The digests of the unpacked layers, by the image's configuration."""
        assert self._manifest is not None
        try:
            config = json.loads(self._path(self._manifest.config).read_bytes())
            return [str(digest) for digest in config["rootfs"]["diff_ids"]]
        except ODD as error:
            msg = f"the image's configuration makes no sense: {error!r}"
            raise NotForUs(msg) from error

    def _count(self, blob: Blob, done: int) -> None:
        self._done[blob.digest] = done
        layers = self._layers
        if blob in layers:
            finished = sum(self._done.get(layer.digest, 0) >= layer.size for layer in layers)
            total = sum(layer.size for layer in layers)
            fetched = sum(self._done.get(layer.digest, 0) for layer in layers)
            self._progress(finished, len(layers), fetched, total)

    def _kept(self, blob: Blob) -> int:
        return min(max(_size(self._path(blob, ending)) for ending in ENDINGS), blob.size)

    def _path(self, blob: Blob, ending: str = "") -> Path:
        return self.folder.path / f"{_hex(blob)}{ending}"


PART = ".part"
ENDINGS = ("", PART)


def _unusable(folder: Folder, error: OSError) -> NotForUs:
    return NotForUs(f"the folder {folder.path} cannot be used: {error}")


def _hex(blob: Blob) -> str:
    return blob.digest.partition(":")[2]


def _opened(path: Path, mode: str) -> IO[bytes]:
    """Not in a thread: cancelled, it would leave the file open."""
    return path.open(mode)


async def _is_whole(path: Path, blob: Blob) -> bool:
    def look() -> bool:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            found = hashlib.sha256()
            while chunk := file.read(CHUNK):
                found.update(chunk)
            return f"sha256:{found.hexdigest()}" == blob.digest
        return False

    return await call_in_thread(look, "digest")


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
