"""What `connect` returns where Label Studio's SDK is not installed."""

from __future__ import annotations

import pytest

from labelstudio_proxy.client.connection import Connection
from labelstudio_proxy.client.sdk import sdk_client
from labelstudio_proxy.problem import Problem


def test_without_the_sdk_every_use_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def unused() -> None:
        raise AssertionError

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    client = sdk_client(Connection(unused, ""))  # type: ignore[arg-type]
    with pytest.raises(Problem, match="pip install label-studio-sdk"):
        client.projects.list()
    assert "pip install label-studio-sdk" in repr(client)
    assert not hasattr(client, "_repr_html_")  # which a notebook looks for
