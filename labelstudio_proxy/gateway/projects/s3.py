"""Objects in S3, which Label Studio lists and shows: the gateway itself has no S3 client."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from ...label_studio import paths
from ...problem import Problem
from .label_studio_api import LabelStudioAPI, Rejected
from .leftovers import UNFINISHED
from .s3_problems import HIDDEN, nothing_there, problem_of

SCHEME = "s3://"
# Label Studio stops a list after 30 seconds, and then its last entry is none.
MOST_KEYS = 1_000_000
SCRATCH = "(looking into S3)"


@dataclass(frozen=True)
class Location:
    """A bucket, or the objects below a prefix in it; `prefix` has no slash at its ends."""

    bucket: str
    prefix: str = ""
    recursive: bool = True

    @classmethod
    def parse(cls, url: str, *, recursive: bool = True) -> Location:
        """Return the location that `s3://bucket/prefix` names; raises Problem."""
        bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
        if not url.startswith(SCHEME) or not bucket:
            raise Problem(
                f"{url!r} names no location in S3.", "", "Write it as `s3://bucket/prefix`."
            )
        return cls(bucket, prefix.strip("/"), recursive)

    @classmethod
    def around(cls, uris: Iterable[str]) -> list[Location]:
        """Return a location for each bucket, with the longest prefix that all its objects share."""
        keys: dict[str, list[str]] = {}
        for uri in uris:
            found = cls.parse(uri)
            keys.setdefault(found.bucket, []).append(found.prefix)
        return [
            # RUF071: `commonpath` changes `a//b`
            cls(bucket, os.path.commonprefix(each).rpartition("/")[0].strip("/"))  # noqa: RUF071
            for bucket, each in keys.items()
        ]

    @property
    def url(self) -> str:
        """The location as people write it."""
        return self.uri(self.prefix) if self.prefix else f"{SCHEME}{self.bucket}"

    def uri(self, key: str) -> str:
        """Return the URI of an object in the bucket, as Label Studio writes it: not encoded."""
        return f"{SCHEME}{self.bucket}/{key}"


async def keys_in(api: LabelStudioAPI, location: Location, *, allowed: bool) -> list[str]:
    """Return the keys of the objects in a location; raises Problem if there are none.

    `allowed`: the setting `aws_credentials`.
    """
    entries = await _entries(api, location, MOST_KEYS, allowed=allowed)
    if entries[-1]["size"] is None:
        raise Problem(
            f"{location.url} has too many objects.",
            f"Label Studio listed {len(entries) - 1:,} in the time that it has for it.",
            "Name a longer prefix, and add others with `project.add`.",
        )
    return [entry["key"] for entry in entries]


async def check(api: LabelStudioAPI, location: Location, *, allowed: bool) -> None:
    """Raise Problem if Label Studio finds no objects in a location; `allowed`: as for `keys_in`."""
    await _entries(api, location, 1, allowed=allowed)


async def _entries(
    api: LabelStudioAPI, location: Location, most: int, *, allowed: bool
) -> list[dict[str, Any]]:
    """Return Label Studio's list of at least one object. A last entry without a size means that there are more."""
    async with _scratch_project(api) as project:
        fields = _storage(project, location)
        try:
            found = await api.send("POST", paths.S3_FILES, {**fields, "limit": most})
        except Rejected as rejected:
            reason = rejected.why
            if HIDDEN.search(reason):
                reason = await _hidden_reason(api, fields) or reason
            raise problem_of(location.url, reason, allowed=allowed) from rejected
    entries: list[dict[str, Any]] = found["files"]
    if not entries:
        raise nothing_there(location.url)
    return entries


async def connect(api: LabelStudioAPI, number: int, location: Location) -> None:
    """Let a project show the objects in the bucket; raises Problem."""
    there = await api.get(paths.S3_STORAGES, project=number)
    if any(each["bucket"] == location.bucket for each in there):
        return
    try:
        await api.send("POST", paths.S3_STORAGES, _storage(number, location))
    except Rejected as rejected:
        raise problem_of(location.url, rejected.why, allowed=True) from rejected


def _storage(project: int, location: Location) -> dict[str, Any]:
    """Return the fields of a storage without keys: boto3 finds them, and the endpoint."""
    return {
        "project": project,
        "title": location.url[:256],
        "bucket": location.bucket,
        "prefix": location.prefix,
        "use_blob_urls": True,
        "recursive_scan": location.recursive,
        # Through Label Studio: the browser may not reach the endpoint, a page under https may not load
        # from one under http, and the bucket would need a CORS rule.
        "presign": False,
        # Label Studio would add our items once more. `label` adds the new ones.
        "synchronizable": False,
    }


@contextlib.asynccontextmanager
async def _scratch_project(api: LabelStudioAPI) -> AsyncIterator[int]:
    """Make a project for the block: Label Studio lists a bucket for a project only."""
    number = await api.make_project(title=SCRATCH, description=UNFINISHED)
    try:
        yield number
    finally:
        with contextlib.suppress(Problem):  # Label Studio stopped, which the block reports
            # A client that left cancels the block, and must not cancel the removal.
            await asyncio.shield(api.delete_project(number))


async def _hidden_reason(api: LabelStudioAPI, fields: dict[str, Any]) -> str:
    """Return why S3 refused, such as expired credentials: only a sync says so."""
    try:
        storage = await api.send("POST", paths.S3_STORAGES, {**fields, "synchronizable": True})
        await api.send("POST", paths.sync_s3(storage["id"]), {})
    except Rejected as rejected:
        return rejected.why
    return ""
