"""What Jupyter answers itself, in place of the gateway."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tornado import httputil, web

from labelstudio_proxy.jupyter import entry_point
from labelstudio_proxy.jupyter.proxy_handler import (
    StreamingServerProcess,
    _NoConnection,
    is_visitor,
)
from labelstudio_proxy.jupyter.unavailable import GatewayUnavailable
from labelstudio_proxy.problem import Problem


def test_jupyterlabs_frame_shows_the_page_on_a_hub() -> None:
    """JupyterHub lets Jupyter forbid every frame, but only after the settings have been read."""
    server = StreamingServerProcess(
        name=entry_point.NAME,
        frame_ancestors="'self' https://portal.example",
        **entry_point.process_fields(new_browser_tab=False),
    )
    handler, arguments = server.make_proxy_handler()
    application = web.Application(
        headers={"Content-Security-Policy": "frame-ancestors 'none'"},
        base_url="/user/ada/",
    )
    line = httputil.RequestStartLine("GET", "/", "HTTP/1.0")
    request = httputil.HTTPServerRequest(start_line=line, connection=_NoConnection())
    made = handler(application, request, **arguments)
    made._is_navigation = True
    made._explain(GatewayUnavailable(Problem("It failed.", "", "")))
    policy = made._headers["Content-Security-Policy"]
    assert "frame-ancestors 'self' https://portal.example;" in policy
    assert "'none'" not in policy.partition(";")[0]


@pytest.mark.parametrize(
    ("hub_user", "visits"),
    [
        ({"kind": "user", "name": "bob"}, True),
        ({"kind": "user", "name": "ada"}, False),
        ({"kind": "service", "name": "bob"}, False),
        (None, False),
    ],
)
def test_a_visitor_is_another_user_of_the_hub(
    hub_user: dict[str, str] | None, visits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = SimpleNamespace(hub_user=hub_user)
    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    assert not is_visitor(user)
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    assert is_visitor(user) == visits
    assert not is_visitor(None)
