"""Label Studio's API, as far as projects need it, with the owner's identity."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

import aiohttp
from yarl import URL

from ...aio import finished
from ...data_directory.directory import DataDirectory
from ...label_studio import paths
from ...label_studio.upstream import HOST, url_of
from ...problem import Problem
from ..proxy.forward import Upstream
from .failures import is_locked, locked, stopped

# Label Studio's projects on one page of a list.
PAGE = 1000
# Characters of a title that Label Studio accepts.
SHORTEST_TITLE, LONGEST_TITLE = 3, 50
CHUNK_BYTES = 1024 * 1024
# Characters of Label Studio's own words in a message.
DETAIL = 500


class LabelStudioAPI:
    """Sends requests to the Label Studio that is ready now."""

    def __init__(self, upstream: Upstream, directory: DataDirectory) -> None:
        """`directory`: its disk may be full, which Label Studio does not say."""
        self._upstream = upstream
        self._directory = directory

    async def get(self, path: str, **query: str | int) -> Any:
        """Return the JSON response; raises as `send` does."""
        return await self.send("GET", path, query=query)

    async def send(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str | int] | None = None
    ) -> Any:
        """Return the JSON response, None without one.

        Raises Rejected if Label Studio rejects the request, and Problem if it cannot be reached, its
        disk is full, or its database locked.
        """
        headers = {
            "Host": HOST,
            "Authorization": self._upstream.identity.authorization(has_body=body is not None),
            "Content-Type": "application/json",
        }
        url = URL(url_of(self._upstream.endpoint, path), encoded=True).with_query(query or {})
        data = None if body is None else json.dumps(body).encode()
        try:
            async with self._upstream.session.request(
                method, url, headers=headers, data=data, allow_redirects=False
            ) as response:
                text = await response.text()
                if response.status >= 400:
                    await self._check_disk(response.status, text)
                    raise Rejected(response.status, text)
                return json.loads(text) if text else None
        except (aiohttp.ClientError, asyncio.TimeoutError, ValueError) as error:
            raise stopped() from error

    async def download(
        self, path: str, query: Mapping[str, str], file: Path, report: Callable[[int], None]
    ) -> str:
        """Write a response into a new `file`; return the suffix of the name that it has.

        `report` gets the bytes that have arrived. Raises as `send` does, also for a redirect, and
        OSError.
        """
        headers = {"Host": HOST, "Authorization": self._upstream.identity.authorization()}
        url = URL(url_of(self._upstream.endpoint, path), encoded=True).update_query(query)
        done = 0
        try:
            async with self._upstream.session.get(
                url, headers=headers, allow_redirects=False
            ) as response:
                if response.status >= 300:
                    await self._check_disk(response.status, await response.text())
                    raise Rejected(response.status, await response.text())
                with file.open("xb") as opened:
                    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                        await asyncio.to_thread(opened.write, chunk)
                        done += len(chunk)
                        report(done)
                return PurePath(response.headers.get("filename", "")).suffix
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            raise stopped() from error

    async def _check_disk(self, status: int, text: str) -> None:
        """Raise Problem if the disk or the database explains an error of Label Studio's."""
        if status < 500:
            return
        if is_locked(text):
            raise locked()
        if problem := await asyncio.to_thread(self._directory.full_disk_problem):
            raise problem

    # ---- Projects

    async def projects(self) -> list[dict[str, Any]]:
        """Return all projects with their counts, newest first."""
        found: list[dict[str, Any]] = []
        fields = ",".join(FIELDS)
        while True:
            number = len(found) // PAGE + 1
            page = await self.get(paths.PROJECTS, page_size=PAGE, include=fields, page=number)
            found += page["results"]
            if not page["results"] or len(found) >= page["count"]:
                return found

    async def project(self, number: int) -> dict[str, Any] | None:
        """Return a project with its counts; None if there is none."""
        try:
            found: dict[str, Any] = await self.get(paths.project(number))
        except Rejected as rejected:
            if rejected.status == 404:
                return None
            raise
        return found

    async def make_project(self, **fields: Any) -> int:
        """Make a project; return its number."""
        made: dict[str, int] = await self.send("POST", paths.PROJECTS, fields)
        return made["id"]

    async def change_project(self, number: int, **fields: Any) -> None:
        """Change some fields of a project."""
        await self.send("PATCH", paths.project(number), fields)

    async def check_interface(self, number: int, config: str) -> None:
        """Raise Rejected if annotations or drafts have labels that the interface has not.

        `change_project` accepts that.
        """
        await self.send("POST", paths.check_interface(number), {"label_config": config})

    async def delete_project(self, number: int) -> None:
        """Delete a project with everything in it."""
        await self.send("DELETE", paths.project(number))

    async def add_tasks(self, number: int, items: list[dict[str, Any]]) -> None:
        """Add tasks, as `{"data": …, "meta": …}`.

        Label Studio continues an import whose client left. So a cancellation waits for its end: what
        it adds could not be removed before.
        """
        await finished(self.send("POST", paths.import_into(number), items))

    # ---- Predictions

    async def has_predictions(self, number: int, version: str) -> bool:
        """Return True if a model version has predictions."""
        counts = await self.get(paths.model_versions(number), extended="true")
        return any(each["model_version"] == version for each in counts["static"])

    async def predictions(self, number: int, version: str) -> list[dict[str, Any]]:
        """Return the predictions of one model version."""
        if not await self.has_predictions(number, version):
            return []
        found: list[dict[str, Any]] = await self.get(paths.PREDICTIONS, project=number)
        return [each for each in found if each["model_version"] == version]

    async def add_predictions(self, number: int, predictions: list[dict[str, Any]]) -> int:
        """Add predictions, as `{"task": …, "result": …, …}`; return how many were added.

        A cancellation waits, as for `add_tasks`.
        """
        answer = await finished(self.send("POST", paths.import_predictions(number), predictions))
        created: int = answer["created"]
        return created

    async def delete_predictions(self, number: int, version: str) -> None:
        """Delete all predictions of one model version."""
        await self.send("DELETE", paths.model_versions(number), {"model_version": version})

    async def delete_prediction(self, number: int) -> None:
        """Delete one prediction."""
        await self.send("DELETE", paths.prediction(number))

    # ---- Folders

    async def folders(self, number: int) -> list[str]:
        """Return the folders that a project reads local files from."""
        found = await self.get(paths.LOCAL_STORAGES, project=number)
        return [each["path"] for each in found]

    async def add_folder(self, number: int, folder: str) -> None:
        """Let a project read the local files in `folder`."""
        fields = {"project": number, "title": "Files", "path": folder, "use_blob_urls": True}
        await self.send("POST", paths.LOCAL_STORAGES, fields)


# The fields of each project in a list.
FIELDS = (
    *("id", "title", "created_at", "label_config", "task_number", "num_tasks_with_annotations"),
    *("total_annotations_number", "model_version", "description"),
)


class Rejected(Problem):
    """Label Studio did not accept a request; `why` has its reason."""

    def __init__(self, status: int, text: str) -> None:
        """`text`: the body of the response."""
        remedy = "Run it again. Label Studio's log says why it failed." if status >= 500 else ""
        why = _reason(text) or f"Status {status}."
        super().__init__("Label Studio rejected this.", why, remedy)
        self.status = status


def _reason(text: str) -> str:
    """Return the words for people in an error of Label Studio's API."""
    try:
        data = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(data, dict):
        return str(data)[:DETAIL]
    found = data.get("validation_errors") or data.get("detail") or data
    if isinstance(found, dict):
        found = list(found.values())
    while isinstance(found, list):
        found = found[0] if len(found) == 1 else " ".join(map(str, found))
    return str(found)[:DETAIL]
