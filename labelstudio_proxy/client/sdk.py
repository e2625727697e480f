"""Label Studio's SDK, signed in through the gateway; imported when it is used."""

from __future__ import annotations

import importlib.util
import ssl
from typing import TYPE_CHECKING, Any

from ..problem import Problem
from ..shell_command import pip_install
from .connection import Connection, Gateway
from .remote import RemoteGateway

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 60.0  # the SDK's own default


def sdk_client(connection: Connection) -> Any:
    """Return a `label_studio_sdk.LabelStudio`, or a `NoSDK` where the SDK is not installed.

    Raises Problem if the gateway cannot be found.
    """
    if importlib.util.find_spec("label_studio_sdk") is None:
        return NoSDK()
    import label_studio_sdk

    client: Any = label_studio_sdk.LabelStudio
    # The SDK insists on a key. The transport replaces it.
    return client(
        base_url=_base_url(connection.gateway()),
        api_key="this-user",
        httpx_client=_http_client(connection),
    )


class NoSDK:
    """What `connect` returns without the SDK: every attribute raises the Problem that says so."""

    def __getattr__(self, name: str) -> Any:
        """Raise Problem; AttributeError for names that notebooks and other tools look for."""
        if name.startswith("_"):
            raise AttributeError(name)
        raise Problem(
            "Label Studio's SDK is not installed here.",
            "`label`, `project` and `projects` work without it.",
            f"Install it with `{pip_install('label-studio-sdk')}`.",
        )

    def __repr__(self) -> str:
        """Return what is missing."""
        return f"<Label Studio, without its SDK: {pip_install('label-studio-sdk')}>"


def _http_client(connection: Connection) -> httpx.Client:
    """Return a client of HTTP that reaches the gateway, also after a restart of it."""
    import httpx

    class Transport(httpx.BaseTransport):
        """Sends each request to the gateway that runs now, and starts Label Studio if needed."""

        def __init__(self) -> None:
            self._gateway: Gateway | None = None
            self._inner: httpx.BaseTransport | None = None

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = self._send(request)
            if response.status_code == 503:  # Label Studio is stopped, or starts
                response.close()
                connection.start()
                response = self._send(request)
            return response

        def _send(self, request: httpx.Request) -> httpx.Response:
            gateway = connection.gateway()
            if self._inner is None or gateway != self._gateway:
                self.close()
                self._gateway, self._inner = gateway, _transport_to(gateway)
            request.headers["Authorization"] = gateway.authorization
            return self._inner.handle_request(request)

        def close(self) -> None:
            if self._inner is not None:
                self._inner.close()

    return httpx.Client(transport=Transport(), timeout=TIMEOUT_SECONDS, follow_redirects=True)


def _base_url(gateway: Gateway) -> str:
    if isinstance(gateway, RemoteGateway):
        return gateway.address.rstrip("/")
    if gateway.unix_socket:
        return "http://localhost"
    return f"http://127.0.0.1:{gateway.port}{gateway.prefix.rstrip('/')}"


def _transport_to(gateway: Gateway) -> httpx.BaseTransport:
    import httpx

    if not isinstance(gateway, RemoteGateway) and gateway.unix_socket:
        return httpx.HTTPTransport(uds=gateway.unix_socket)
    # As for the requests without the SDK: with the certificates of the system.
    return httpx.HTTPTransport(verify=ssl.create_default_context())
