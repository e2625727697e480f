"""A pull without an engine: who fetches, how far it is, who logs in, and why it fails."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient
from support.gateway import script

from labelstudio_proxy.backends.docker.credentials import find_credentials
from labelstudio_proxy.backends.docker.download import can_download
from labelstudio_proxy.backends.docker.engine import Engine
from labelstudio_proxy.backends.docker.engine_problems import Address
from labelstudio_proxy.backends.docker.pull_problems import REFUSED, explain_pull
from labelstudio_proxy.backends.docker.pull_progress import PullProgress, size
from labelstudio_proxy.backends.docker.registry import registry_of

# ---- progress

EVENTS: list[dict[str, Any]] = [
    {"status": "Pulling from label-studio", "id": "1.23.2"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "a"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "b"},
    {"status": "Already exists", "progressDetail": {}, "id": "c"},
    {"status": "Downloading", "progressDetail": {"current": 1000, "total": 4000}, "id": "a"},
    {"status": "Downloading", "progressDetail": {"current": 2000, "total": 6000}, "id": "b"},
]


def test_progress_counts_layers_bytes_and_rate() -> None:
    progress = PullProgress()
    for second, event in enumerate(EVENTS):
        progress.take(event, float(second))
    assert (progress.done, progress.total) == (3000, 10_000)
    assert progress.text() == "1 of 3 layers · 3 kB of 10 kB · 750 B/s"
    for name in "ab":
        progress.take({"status": "Download complete", "id": name}, 6.0)
    progress.take({"status": "Extracting", "progressDetail": {"current": 1}, "id": "a"}, 7.0)
    assert (progress.done, progress.total) == (10_000, 10_000)
    assert progress.text() == "3 of 3 layers · 10 kB of 10 kB · unpacking"
    progress.take({"status": "Status: Downloaded newer image"}, 8.0)
    assert progress.text().startswith("3 of 3 layers")


def test_progress_says_what_it_is_doing_before_there_is_any() -> None:
    assert PullProgress().text() == "asking the registry"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "2 kB"), (1.2e7, "12 MB"), (1.25e9, "1.2 GB")],
)
def test_sizes(number: float, text: str) -> None:
    assert size(number) == text


# ---- by whom

CLASSIC = {"RegistryConfig": {"Mirrors": []}, "DriverStatus": [["Supports d_type", "true"]]}


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("heartexlabs/label-studio:1.23.2", {}, True),
        ("heartexlabs/label-studio@sha256:" + "0" * 64, {}, False),
        ("x", {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}, False),
        ("x", {"RegistryConfig": {"Mirrors": ["https://mirror.example/"]}}, False),
        ("x", {"HttpsProxy": "http://proxy.example:3128"}, False),
        ("x", {"RegistryConfig": None}, False),  # Podman
        ("https://registry.example/x", {}, False),
    ],
)
def test_layers_are_fetched_by_ourselves_where_the_engine_would_lose_them(
    name: str, changes: dict[str, Any], expected: bool
) -> None:
    assert can_download(name, CLASSIC | changes) is expected


@pytest.mark.parametrize(
    ("name", "registry"),
    [
        ("127.0.0.1:5000/x:1", "127.0.0.1:5000"),
        ("registry.example/a/b@sha256:1", "registry.example"),
        ("heartexlabs/label-studio", "docker.io"),
        ("https://registry.example/a/b", ""),
        ("-registry.example/x", ""),
    ],
)
def test_registries_of_names(name: str, registry: str) -> None:
    assert registry_of(name) == registry


# ---- logins


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], Path]:
    """Write docker's configuration file."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def write(config: object) -> Path:
        path = tmp_path / "config.json"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return path

    return write


LOGIN = {"auth": base64.b64encode(b"ada:lock and key").decode()}


async def test_a_login_is_found_for_its_registry_alone(
    docker_config: Callable[[object], Path],
) -> None:
    docker_config({"auths": {"registry.example": LOGIN, "https://index.docker.io/v1/": LOGIN}})
    for registry in ("registry.example", "docker.io"):
        found = await find_credentials(registry)
        assert (found.found["username"], found.found["password"]) == ("ada", "lock and key")
        assert found.header
        assert not found.fault
    other = await find_credentials("other.example")
    assert (dict(other.found), other.header, other.fault) == ({}, {}, "")


async def test_a_helper_that_is_not_installed_is_named_and_other_logins_hold(
    docker_config: Callable[[object], Path],
) -> None:
    path = docker_config({"auths": {"registry.example": LOGIN}, "credsStore": "desktop"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = await find_credentials("registry.example")
        other = await find_credentials("docker.io")
    assert found.found["username"] == "ada"
    assert not other.found
    for each in (found, other):
        assert "`docker-credential-desktop`" in each.fault
        assert str(path) in each.fault
        assert "not installed" in each.fault


@pytest.mark.parametrize(
    "printed", ["echo 'no such bus' && exit 1", "echo nonsense", "echo '{}'", "echo '[]'"]
)
async def test_a_helper_that_fails_is_named(
    docker_config: Callable[[object], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    printed: str,
) -> None:
    script(tmp_path / "docker-credential-keys", "cat >/dev/null", printed)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    docker_config({"credHelpers": {"registry.example": "keys"}})
    found = await find_credentials("registry.example")
    assert not found.found
    assert "`docker-credential-keys`" in found.fault
    assert not (await find_credentials("docker.io")).fault


async def test_a_helper_without_a_login_is_no_fault(
    docker_config: Callable[[object], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "credentials not found in native keychain"
    script(tmp_path / "docker-credential-keys", "cat >/dev/null", f"echo '{said}'", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    docker_config({"credsStore": "keys"})
    found = await find_credentials("registry.example")
    assert (dict(found.found), found.fault) == ({}, "")


@pytest.mark.parametrize(
    "config", ["", "{", "[]", '{"auths": []}', '{"auths": {"registry.example": {"auth": "!"}}}']
)
async def test_a_file_of_logins_that_is_damaged_stops_nothing(
    docker_config: Callable[[object], Path], config: str
) -> None:
    docker_config(config)
    assert not (await find_credentials("registry.example")).found


# ---- why it fails

IMAGE = "heartexlabs/label-studio:1.23.2"
# with what is looked for in messages
DIGEST = "sha256:404e0f5" + "503" * 19
NETWORK = "cannot be reached, or the connection broke off"
NONE = "no image of that name and tag"
OTHERS = "other processors"
UNTRUSTED = "certificate is not trusted"
NO_SPACE = "keeps its images is full"
DENIED = "does not let this user have it"


@pytest.fixture
def engine_at() -> Iterator[Callable[..., Engine]]:
    """An engine that nothing is asked of."""
    made: list[Engine] = []

    def make(url: str = "unix:///var/run/docker.sock", name: str = "Docker") -> Engine:
        client = DockerClient("unix:///nowhere/engine.sock", version="1.41")
        version = {"Components": [{"Name": f"{name} Engine"}]}
        made.append(Engine(Address(url, "it is made up"), client, client, version))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.mark.parametrize(
    ("said", "why", "remedy"),
    [
        # Docker
        (
            (
                'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on '
                "1.1.1.1:53: no such host"
            ),
            NETWORK,
            "network",
        ),
        (
            'Get "http://127.0.0.1:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
            NETWORK,
            "docker save",
        ),
        ('Get "https://registry.example/v2/": net/http: TLS handshake timeout', NETWORK, "network"),
        (
            (
                'Get "https://registry.example/v2/": net/http: request canceled while waiting for '
                "connection (Client.Timeout exceeded while awaiting headers)"
            ),
            NETWORK,
            "network",
        ),
        ('Head "https://registry.example/v2/a/manifests/1": EOF', NETWORK, "try again"),
        ("unexpected EOF", NETWORK, "try again"),
        ("dial tcp 10.0.0.1:443: connect: permission denied", NETWORK, "network"),
        (f"filesystem layer verification failed for digest {DIGEST}", NETWORK, "try again"),
        ("received unexpected HTTP status: 503 Service Unavailable", NETWORK, "try again"),
        (
            (
                "error pulling image configuration: download failed after attempts=6: dial tcp: lookup "
                "cdn.example: no such host"
            ),
            NETWORK,
            "network",
        ),
        (
            f"manifest for {IMAGE} not found: manifest unknown: manifest unknown",
            NONE,
            "`image`",
        ),
        ("error parsing HTTP 404 response body: invalid character '<'", NONE, "`image`"),
        (
            (
                "pull access denied for heartexlabs/label-studio, repository does not exist or may "
                "require 'docker login': denied: requested access to the resource is denied"
            ),
            DENIED,
            "docker login",
        ),
        (
            'Head "http://127.0.0.1:5000/v2/x/manifests/1": no basic auth credentials',
            DENIED,
            "docker login",
        ),
        ("unauthorized: authentication required", DENIED, "docker login"),
        (
            (
                f"failed to register layer: Error processing tar file(exit status 1): write /{DIGEST}: "
                "no space left on device"
            ),
            NO_SPACE,
            "docker image prune",
        ),
        (
            (
                "toomanyrequests: You have reached your pull rate limit. You may increase the limit by "
                "authenticating and upgrading: https://www.docker.com/increase-rate-limit"
            ),
            "too many",
            "docker login",
        ),
        ("invalid reference format", "not the name of an image", "image"),
        (
            "no matching manifest for linux/arm64/v8 in the manifest list entries",
            OTHERS,
            "`image`",
        ),
        (
            'Get "https://registry.example/v2/": x509: certificate signed by unknown authority',
            UNTRUSTED,
            "trust",
        ),
        (
            'Get "https://registry.example/v2/": http: server gave HTTP response to HTTPS client',
            UNTRUSTED,
            "trust",
        ),
        # Podman
        (
            (
                f"initializing source docker://{IMAGE}: reading manifest 1.23.2 in "
                "docker.io/heartexlabs/label-studio: manifest unknown: manifest unknown"
            ),
            NONE,
            "`image`",
        ),
        (
            (
                f"initializing source docker://{IMAGE}: pinging container registry 127.0.0.1:5000: Get "
                '"http://127.0.0.1:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused'
            ),
            NETWORK,
            "docker save",
        ),
        (
            (
                f"choosing an image from manifest list docker://{IMAGE}: no image found in manifest "
                'list for architecture amd64, variant "", OS linux'
            ),
            OTHERS,
            "`image`",
        ),
        (
            (
                f"copying system image from manifest list: reading blob {DIGEST}: fetching blob: "
                "received unexpected HTTP status: 502 Bad Gateway"
            ),
            NETWORK,
            "try again",
        ),
        (
            (
                f"initializing source docker://{IMAGE}: reading manifest 1.23.2 in "
                "docker.io/heartexlabs/label-studio: unauthorized: authentication required"
            ),
            DENIED,
            "docker login",
        ),
        (
            (
                f"initializing source docker://{IMAGE}: Requesting bearer token: invalid status code "
                "from registry 403 (Forbidden)"
            ),
            DENIED,
            "docker login",
        ),
        (
            (
                f'writing blob: adding layer with blob "{DIGEST}": Error processing tar file(exit '
                "status 1): write /layer2: no space left on device"
            ),
            NO_SPACE,
            "docker image prune",
        ),
        (
            (
                'short-name "x" did not resolve to an alias and no unqualified-search registries are '
                'defined in "/etc/containers/registries.conf"'
            ),
            "in which registry",
            "docker.io/",
        ),
        # ours
        ("stalled", NETWORK, "network"),
        ("engine gone: Connection aborted", "ended, or was restarted", "systemctl start docker"),
    ],
)
def test_pulls_that_fail_are_told_apart(
    engine_at: Callable[..., Engine], said: str, why: str, remedy: str
) -> None:
    problem = explain_pull(engine_at(), IMAGE, said)
    assert IMAGE in problem.what
    assert why in problem.why
    assert said in problem.why
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "said",
    [
        f"something new about {DIGEST}",
        "something new about 404e0f5503503",
        "something new about registry.example/denied/eof/not-found:404",
        "something new about registry.example/denied/eof/not-found",
        'something new: Get "https://registry.example/v2/unauthorized/timeout/404"',
        "something new after 512 bytes and 5031 ms of geofencing",
        "open /var/lib/docker/tmp/x: permission denied",
    ],
)
def test_digests_names_and_parts_of_words_explain_nothing(
    engine_at: Callable[..., Engine], said: str
) -> None:
    name = "registry.example/denied/eof/not-found:404"
    problem = explain_pull(engine_at(), name, said)
    assert problem.why == f"The container engine said: {said}"
    assert f"docker pull {name}" in problem.remedy


@pytest.mark.parametrize(
    ("url", "name", "command"),
    [
        ("unix:///var/run/docker.sock", "Docker", "`sudo systemctl start docker`"),
        ("unix:///run/user/1000/docker.sock", "Docker", "`systemctl --user start docker`"),
        ("unix:///run/podman/podman.sock", "Podman", "`sudo systemctl start podman.socket`"),
        (
            "unix:///run/user/1000/podman/podman.sock",
            "Podman",
            "`systemctl --user start podman.socket`",
        ),
    ],
)
def test_remedies_are_those_of_the_engine(
    engine_at: Callable[..., Engine], url: str, name: str, command: str
) -> None:
    engine = engine_at(url, name)
    gone = explain_pull(engine, IMAGE, "engine gone: Connection aborted")
    assert command in gone.remedy
    denied = explain_pull(engine, IMAGE, "unauthorized: authentication required")
    assert f"`{name.lower()} login`" in denied.remedy


def test_a_login_that_could_not_be_had_is_told_where_it_may_be_why(
    engine_at: Callable[..., Engine],
) -> None:
    fault = "The credential helper `docker-credential-desktop` is not installed."
    refused = explain_pull(engine_at(), IMAGE, "unauthorized: authentication required", fault)
    assert refused.why.startswith(f"{REFUSED} {fault}")
    assert "docker login" in refused.remedy
    assert fault not in explain_pull(engine_at(), IMAGE, "unexpected EOF", fault).why
