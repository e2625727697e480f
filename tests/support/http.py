"""One way to send requests to Jupyter, the gateway behind it, and Label Studio itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests


class Http:
    """Requests below `url`, authorized as `authorization()` says at that moment.

    Redirects are answers, not followed. `close()` it.
    """

    def __init__(self, url: str, authorization: Callable[[], str]) -> None:
        assert url.endswith("/")
        self.url = url
        self._authorization = authorization
        self._session = requests.Session()
        # no proxy and no .netrc of the machine's
        self._session.trust_env = False

    def request(
        self, method: str, path: str, *, anonymous: bool = False, **options: Any
    ) -> requests.Response:
        """`path` is relative to `url`; `options` are those of `requests`.

        `anonymous` leaves out the authorization, and the cookie that Jupyter gives for it.
        """
        headers = dict(options.pop("headers", None) or {})
        options = {"timeout": 120, "allow_redirects": False} | options
        url = self.url + path.removeprefix("/")
        if anonymous:
            with requests.Session() as session:
                session.trust_env = False
                return session.request(method, url, headers=headers, **options)
        headers.setdefault("Authorization", self._authorization())
        return self._session.request(method, url, headers=headers, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> requests.Response:
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> requests.Response:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self.request("DELETE", path, **options)

    def close(self) -> None:
        self._session.close()
