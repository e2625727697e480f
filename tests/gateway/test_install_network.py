"""`labelstudio-proxy install` behind a company's proxy, with the real uv and the real pip."""

from __future__ import annotations

import json
import os
import signal
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
from support.package_index import HangingBuild, PackageIndex
from support.processes import clean_environment

from labelstudio_proxy.installation.installer import Installer
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
    packages.add("2.0", "hangs")
    network = CompanyNetwork(folder, packages)
    with network.running():
        yield network


def start(
    folder: Path, settings: Mapping[str, str], *arguments: str, **variables: str
) -> subprocess.Popen[str]:
    configuration = folder / "pip.conf"
    configuration.write_text(company_network.pip_conf(settings))
    environment = clean_environment(folder / "home") | variables
    environment |= {"PIP_CONFIG_FILE": str(configuration), "UV_HTTP_RETRIES": "0"}
    command = [sys.executable, "-m", "labelstudio_proxy", "install", "--json"]
    return subprocess.Popen(
        [*command, "--path", folder / "installation", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def install(
    folder: Path, settings: Mapping[str, str], *arguments: str, **variables: str
) -> tuple[dict[str, Any], str]:
    """Return the last object that the command prints, and all that it prints."""
    with start(folder, settings, *arguments, **variables) as process:
        printed, _ = process.communicate(timeout=120)
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found, printed


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
        installer = Installer(
            version, tmp_path, tmp_path, tool, lambda *_, **__: None, printed.append
        )
        with mock.patch.dict(os.environ, environment, clear=True), pytest.raises(Problem) as caught:
            installer.install_for(python, "this Python")
        text = caught.value.as_sentence()
        printed.append(text)
        return text

    for (what, remedy), text in {
        ("The certificate of the package index is not trusted.", "global.cert"): meet(cert=""),
        ("The proxy wants a user name and a password.", "USER:PASSWORD@HOST:PORT"): meet(
            proxy=network.proxy_url()
        ),
        ("The proxy to the package index cannot be used.", "`%23` for #"): meet(
            proxy=network.proxy_url(f"bob:{company_network.PROXY_PASSWORD}/@#@")
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


@pytest.mark.parametrize("tool", TOOLS)
def test_a_cancelled_installation_continues_with_what_was_downloaded(
    tool: str, network: CompanyNetwork, tmp_path: Path
) -> None:
    more = PackageIndex(tmp_path / "more")
    hanging = HangingBuild(more, tmp_path / "building")
    settings = network.settings(find_links=str(more.folder))
    arguments = ("--tool", tool, "--version", "2.0")
    network.downloads.clear()
    with start(tmp_path, settings, *arguments) as process:
        hanging.wait()
        process.send_signal(signal.SIGTERM)
    downloads = list(network.downloads)  # two if uv has looked into it first
    assert set(downloads) == {"label_studio-2.0-py3-none-any.whl"}
    assert not list((tmp_path / "installation").glob("environment-*"))
    hanging.end()
    found, printed = install(tmp_path, settings, *arguments)
    assert found.get("version") == "2.0", printed
    assert network.downloads == downloads
