"""The logins that a pull uses, without an engine."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import docker.auth
import pytest
from support.gateway import script

from labelstudio_proxy.backends.docker import image
from labelstudio_proxy.backends.docker.image import find_login

IMAGE = "registry.example/a/label-studio:1"
HUB = "heartexlabs/label-studio:1"
OTHER = "other.example/label-studio:1"
LOGIN = {"auth": base64.b64encode(b"ada:lock and key").decode()}


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], Path]:
    """Write Docker's configuration file."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def write(config: object) -> Path:
        path = tmp_path / "config.json"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return path

    return write


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install the credential helper `keys`, which runs these shell commands."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def install(*commands: str) -> None:
        script(tmp_path / "docker-credential-keys", "cat >/dev/null", *commands)

    return install


def decoded(login: image.Login) -> dict[str, str]:
    """What the pull request sends as login."""
    header = login.headers.get("X-Registry-Auth")
    return json.loads(base64.urlsafe_b64decode(header)) if header else {}


async def test_a_login_is_used_for_its_registry_only(
    docker_config: Callable[[object], Path],
) -> None:
    docker_config({"auths": {"registry.example": LOGIN, docker.auth.INDEX_URL: LOGIN}})
    for name in (IMAGE, HUB):
        found = await find_login(name)
        assert (decoded(found)["username"], decoded(found)["password"]) == ("ada", "lock and key")
        assert not found.error
    assert await find_login(OTHER) == image.Login()


@pytest.mark.filterwarnings("ignore:docker-credential-desktop not installed")
async def test_a_missing_helper_is_named_and_plain_logins_still_work(
    docker_config: Callable[[object], Path],
) -> None:
    path = docker_config({"auths": {"registry.example": LOGIN}, "credsStore": "desktop"})
    found, other = await find_login(IMAGE), await find_login(HUB)
    assert decoded(found)["username"] == "ada"
    assert not other.headers
    for each in (found, other):
        assert "docker-credential-desktop not installed" in each.error
        assert str(path) in each.error


@pytest.mark.parametrize(
    "command", ["echo 'no such bus' && exit 1", "echo nonsense", "echo '{}'", "echo '[]'"]
)
async def test_a_failing_helper_is_an_error_for_its_registry_only(
    docker_config: Callable[[object], Path], helper: Callable[..., None], command: str
) -> None:
    helper(command)
    path = docker_config({"credHelpers": {"registry.example": "keys"}})
    found = await find_login(IMAGE)
    assert not found.headers
    assert str(path) in found.error
    assert not (await find_login(HUB)).error


async def test_a_helper_without_a_login_is_no_error(
    docker_config: Callable[[object], Path], helper: Callable[..., None]
) -> None:
    helper("echo 'credentials not found in native keychain'", "exit 1")
    docker_config({"credsStore": "keys"})
    assert await find_login(IMAGE) == image.Login()


async def test_a_helper_that_hangs_is_given_up(
    docker_config: Callable[[object], Path],
    helper: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = tmp_path / "release"
    helper(f"until [ -e '{release}' ]; do sleep 0.05; done", "exit 1")
    path = docker_config({"credsStore": "keys"})
    monkeypatch.setattr(image, "HELPER_SECONDS", 0.1)
    found = await find_login(IMAGE)
    release.touch()
    assert not found.headers
    assert found.error == f"The credential helper that {path} names did not respond."


@pytest.mark.parametrize(
    "config", ["", "{", "[]", '{"auths": []}', '{"auths": {"registry.example": {"auth": "!"}}}']
)
async def test_a_damaged_configuration_file_is_no_login(
    docker_config: Callable[[object], Path], config: str
) -> None:
    docker_config(config)
    assert not (await find_login(IMAGE)).headers
