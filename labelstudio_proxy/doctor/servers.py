"""The running Jupyter servers: base URL, version, data directory, and the proxies in front."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .._version import __version__
from ..gateway_client import JupyterServer, Refused, running_gateways, running_jupyter_servers
from .finding import Finding, error, ok, warning
from .situation import Arrival, Situation

SUBJECT = "Jupyter server"
ANSWER_SECONDS = 5.0


def check(situation: Situation) -> Iterator[Finding]:
    """Ask each running Jupyter server of this user. Starts nothing."""
    servers = running_jupyter_servers()
    if not servers:
        yield ok(SUBJECT, "none of this user runs on this machine")
    for server in servers:
        yield from _server(server, situation)
    if situation.prefix:
        yield _arrival(situation.arrival)


def _server(server: JupyterServer, situation: Situation) -> Iterator[Finding]:
    try:
        state = server.ask(seconds=ANSWER_SECONDS)
    except Refused as refusal:
        yield warning(
            SUBJECT,
            f"{server.url} (base URL {server.base_url}) does not answer for Label Studio: {refusal}.",
            "If it should have the tile, install labelstudio-proxy into its environment, and restart "
            "it.",
        )
        return
    except (OSError, ValueError) as failure:
        yield error(
            SUBJECT,
            f"{server.url} (base URL {server.base_url}) does not respond: {failure}.",
            "Restart that Jupyter.",
        )
        return
    runs = str(state.get("versions", {}).get("labelstudio-proxy", ""))
    if runs != __version__:
        yield warning(
            SUBJECT,
            f"{server.url} runs labelstudio-proxy {runs}, and {__version__} is installed here.",
            "Restart that Jupyter.",
        )
    here = os.path.realpath(situation.directory.path)
    if os.path.realpath(state["data_dir"]) != here:
        yield warning(
            SUBJECT,
            f"{server.url} uses the data directory {state['data_dir']}, not {here}.",
            "Its settings come from its command line, its environment or its files.",
        )
    yield _through(server, str(state["prefix"]), str(state["state"]))


def _through(server: JupyterServer, prefix: str, state: str) -> Finding:
    """Return the finding about a request that goes through Jupyter to the gateway, if that runs."""
    here = f"{server.url} (base URL {server.base_url}): Label Studio is {state}"
    if not any(each.parent == server.pid for each in running_gateways()):
        return ok(SUBJECT, here)
    try:
        server.request("GET", f"{prefix}_proxy/snapshot", ANSWER_SECONDS)
    except (OSError, ValueError) as failure:
        return error(
            SUBJECT,
            f"{server.url} does not pass requests for {prefix} on to Label Studio: {failure}.",
            "Restart that Jupyter. Look at its log for other extensions that handle this path.",
        )
    return ok(SUBJECT, f"{here}, and requests for {prefix} reach it")


def _arrival(arrival: Arrival | None) -> Finding:
    subject = "Proxy headers"
    if arrival is None:
        return ok(subject, "no browser has sent a request since this gateway started")
    told = f"The browser opened {arrival.origin}, and Host was {arrival.host}"
    if arrival.forwarded_host:
        told += f", X-Forwarded-Host {arrival.forwarded_host}"
    told += f", X-Forwarded-Proto {arrival.forwarded_proto or '(not sent)'}"
    if arrival.is_here:
        return ok(subject, told)
    return warning(
        subject,
        f"{told}. So a proxy has changed Host, or another site sent the request.",
        "Let the proxy in front of Jupyter forward the header `Host` (in nginx: "
        "`proxy_set_header Host $http_host;`), or add the header `X-Forwarded-Host`.",
    )
