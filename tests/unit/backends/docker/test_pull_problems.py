"""Failed pulls: their explanation from the engine's message, without an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from docker import DockerClient

from labelstudio_proxy.backends.docker.engine import Engine
from labelstudio_proxy.backends.docker.engine_problems import Address
from labelstudio_proxy.backends.docker.pull_problems import (
    REFUSED,
    explain_pull,
    is_broken_connection,
)

IMAGE = "heartexlabs/label-studio:1.23.2"
# Its digits are words that the patterns look for.
DIGEST = "sha256:404e0f5" + "503" * 19
NETWORK = "cannot be reached, or the connection broke"
NONE = "no image of that name and tag"
OTHERS = "other processors"
UNTRUSTED = "certificate is not trusted"
NO_SPACE = "disk of the container engine's images is full"
DENIED = "refuses this user"


@pytest.fixture
def engine_at() -> Iterator[Callable[..., Engine]]:
    """Make an engine that receives no request."""
    made: list[Engine] = []

    def make(url: str = "unix:///var/run/docker.sock", name: str = "Docker") -> Engine:
        client = DockerClient("unix:///nowhere/engine.sock", version="1.41")
        version = {"Components": [{"Name": f"{name} Engine"}]}
        made.append(Engine(Address(url, "for this test"), client, client, version))
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
                'Get "https://registry.example/v2/": dial tcp: lookup registry.example on '
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
            "limits the downloads",
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
        # our own
        ("stalled", NETWORK, "network"),
        ("engine lost: Connection aborted", "stopped or restarted", "systemctl start docker"),
    ],
)
def test_a_failed_pull_is_explained(
    engine_at: Callable[..., Engine], said: str, why: str, remedy: str
) -> None:
    problem = explain_pull(engine_at(), IMAGE, said)
    assert IMAGE in problem.what
    assert why in problem.why
    assert said in problem.why
    assert remedy in problem.remedy
    assert is_broken_connection(IMAGE, said) is (why == NETWORK)


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
def test_words_in_digests_and_names_are_ignored(
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
def test_a_remedy_names_the_engines_own_commands(
    engine_at: Callable[..., Engine], url: str, name: str, command: str
) -> None:
    engine = engine_at(url, name)
    lost = explain_pull(engine, IMAGE, "engine lost: Connection aborted")
    assert command in lost.remedy
    denied = explain_pull(engine, IMAGE, "unauthorized: authentication required")
    assert f"`{name.lower()} login`" in denied.remedy


def test_an_unreadable_login_is_shown_only_if_the_registry_refuses(
    engine_at: Callable[..., Engine],
) -> None:
    error = "Docker's logins in config.json could not be read."
    refused = explain_pull(engine_at(), IMAGE, "unauthorized: authentication required", error)
    assert refused.why.startswith(f"{REFUSED} {error}")
    assert "docker login" in refused.remedy
    assert error not in explain_pull(engine_at(), IMAGE, "unexpected EOF", error).why
