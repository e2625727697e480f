"""`labelstudio-proxy install` behind a company's proxy, with the real uv and the real pip."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from support import company_network
from support.company_network import CompanyNetwork
from support.package_index import PackageIndex
from support.processes import clean_environment

from labelstudio_proxy.installation.filling import Filling
from labelstudio_proxy.installation.tools import find_uv
from labelstudio_proxy.problem import Problem

TOOLS = [
    "pip",
    pytest.param("uv", marks=pytest.mark.skipif(not find_uv(), reason="uv is not installed")),
]
SECRETS = (company_network.PASSWORD, company_network.PROXY_PASSWORD, "wrong-pass")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompanyNetwork]:
    folder = tmp_path_factory.mktemp("company")
    packages = PackageIndex(folder / "packages")
    packages.add("1.0")
    network = CompanyNetwork(folder, packages)
    with network.running():
        yield network


def install(
    folder: Path, settings: Mapping[str, str], *arguments: str, **variables: str
) -> tuple[dict[str, Any], str]:
    """Return the last object that the command prints, and all that it prints."""
    configuration = folder / "pip.conf"
    configuration.write_text(company_network.pip_conf(settings))
    environment = clean_environment(folder / "home") | variables
    environment |= {"PIP_CONFIG_FILE": str(configuration), "UV_HTTP_RETRIES": "0"}
    command = [sys.executable, "-m", "labelstudio_proxy", "install", "--json"]
    done = subprocess.run(
        [*command, "--path", folder / "installation", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found, done.stdout


@pytest.mark.parametrize("tool", TOOLS)
def test_each_obstacle_is_named_with_what_helps(
    tool: str, network: CompanyNetwork, tmp_path: Path
) -> None:
    venv.create(tmp_path / "environment")
    python = tmp_path / "environment" / "bin" / "python"
    configuration = tmp_path / "pip.conf"
    environment = clean_environment(tmp_path / "home")
    environment |= {"PIP_CONFIG_FILE": str(configuration), "UV_HTTP_RETRIES": "0"}
    printed: list[str] = []

    def meet(version: str = "1.0", **changes: str) -> str:
        configuration.write_text(company_network.pip_conf(network.settings(**changes)))
        fill = Filling(version, tmp_path, tmp_path, tool, lambda *_, **__: None, printed.append)
        with mock.patch.dict(os.environ, environment, clear=True), pytest.raises(Problem) as caught:
            fill(python, "this Python")
        text = caught.value.as_sentence()
        printed.append(text)
        return text

    for (what, remedy), text in {
        ("The certificate of the package index is not trusted.", "global.cert"): meet(cert=""),
        ("The proxy wants a user name and a password.", "USER:PASSWORD@HOST:PORT"): meet(
            proxy=network.proxy_url()
        ),
        ("The package index refuses access.", "401"): meet(
            index_url=network.index_url(password="wrong-pass")
        ),
        ("The package index refuses access.", "403"): meet(
            index_url=network.index_url("forbidden/")
        ),
        ("The package index has an error.", "502"): meet(index_url=network.index_url("broken/")),
        ("A package did not arrive whole.", "Try again"): meet(index_url=network.index_url("cut/")),
        ("The package index has no Label Studio 9.9.", "--version"): meet("9.9"),
    }.items():
        assert text.startswith(what), text
        assert remedy in text
    assert not any(secret in line for secret in SECRETS for line in printed), printed


@pytest.mark.parametrize("tool", TOOLS)
def test_the_settings_of_pip_lead_through(
    tool: str, network: CompanyNetwork, tmp_path: Path
) -> None:
    """Also where Jupyter's environment names another proxy and another certificate."""
    variables = {"HTTPS_PROXY": network.proxy_url(), "SSL_CERT_FILE": str(tmp_path / "none")}
    arguments = ("--tool", tool, "--version", "1.0")
    found, printed = install(tmp_path, network.settings(), *arguments, **variables)
    assert found.get("version") == "1.0", printed
    assert not any(secret in printed for secret in SECRETS), printed


@pytest.mark.skipif(not find_uv(), reason="uv is not installed")
def test_pip_goes_on_if_uv_does_not_trust_the_certificate(
    network: CompanyNetwork, tmp_path: Path
) -> None:
    """As where only pip knows the authority: by the system, or by this variable."""
    variables = {"REQUESTS_CA_BUNDLE": str(network.certificate)}
    settings = network.settings(cert="")
    found, printed = install(tmp_path, settings, "--version", "1.0", **variables)
    assert found.get("version") == "1.0", printed
    assert "with uv" in printed
    assert "with pip" in printed
