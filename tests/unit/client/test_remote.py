"""The address of a Jupyter server, as users copy it."""

from __future__ import annotations

import pytest

from labelstudio_proxy.client.remote import RemoteGateway


@pytest.mark.parametrize(
    ("url", "server", "token"),
    [
        ("https://hub.example/user/ada", "https://hub.example/user/ada/", ""),
        ("https://hub.example/user/ada/lab/tree/a/b.ipynb", "https://hub.example/user/ada/", ""),
        ("https://hub.example/user/lab/lab?reset", "https://hub.example/user/lab/", ""),
        ("http://localhost:8888/tree?token=abc", "http://localhost:8888/", "abc"),
        ("http://localhost:8888/labelstudio/projects/1/data", "http://localhost:8888/", ""),
        (" https://x.example/jupyter/default/ ", "https://x.example/jupyter/default/", ""),
    ],
)
def test_an_address_may_have_a_page_and_a_token(url: str, server: str, token: str) -> None:
    gateway = RemoteGateway.at(url, None)
    assert (gateway.server, gateway.token) == (server, token)
    assert RemoteGateway.at(url, "given").token == "given"
    assert "given" not in repr(RemoteGateway.at(url, "given"))
