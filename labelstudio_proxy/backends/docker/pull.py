"""A long request to the engine, whose answer is a stream of events, which can be given up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests
from docker import DockerClient
from docker.errors import DockerException

from ...aio import call_in_thread

# What fails on our side, or at the engine; what else it says stands for itself.
STALLED = "stalled"
ENGINE_GONE = "engine gone"

Event = Mapping[str, Any]


class Stream:
    """A POST. By hand, since the SDK's own can be neither stopped nor given a time-out."""

    def __init__(
        self,
        client: DockerClient,
        path: str,
        *,
        stall: float,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Iterator[bytes] | None = None,
    ) -> None:
        """`path`: below the API's version; `stall`: how long the engine may say nothing, in seconds."""
        self._api = client.api
        self._path = path
        self._stall = stall
        self._parameters = parameters
        self._headers = headers
        self._body = body
        self._response: requests.Response | None = None
        self._stopped = False

    async def run(self, take: Callable[[Event], object]) -> str:
        """Give each of the engine's events to `take`; says what failed, else nothing.

        Raises what reading the body raises. Cancelled, it lets the engine see that nobody waits.
        """
        loop = asyncio.get_running_loop()

        def post(event: Event) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(take, event)

        try:
            return await call_in_thread(lambda: self._run(post), self._path)
        finally:
            self._stop()

    def _run(self, take: Callable[[Event], object]) -> str:
        try:
            self._response = self._api.post(
                f"{self._api.base_url}/v{self._api.api_version}/{self._path}",
                params=self._parameters,
                headers=self._headers,
                data=None if self._body is None else self._until_stopped(self._body),
                stream=True,
                timeout=self._stall,
            )
            with self._response as response:
                if not response.ok:
                    return _message(response.text)
                for line in response.iter_lines():
                    if self._stopped:
                        break
                    event = json.loads(line or b"{}")
                    if "error" in event:
                        return str(event["error"])
                    take(event)
        except _Stopped:
            pass
        except requests.exceptions.RequestException as error:
            timed_out = isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error)
            return STALLED if timed_out else f"{ENGINE_GONE}: {error}"
        except (DockerException, ValueError, OSError) as error:
            return str(error)
        return ""

    def _until_stopped(self, body: Iterator[bytes]) -> Iterator[bytes]:
        for piece in body:
            if self._stopped:
                raise _Stopped  # the engine forgets what has no end
            yield piece

    def _stop(self) -> None:
        self._stopped = True
        if self._response is not None:
            with contextlib.suppress(Exception):  # as it may be closed, or of an older urllib3
                self._response.raw.shutdown()


class _Stopped(Exception):
    """Nobody waits any more."""


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()
