"""The gateway alone, as jupyter-server-proxy runs it, and exact requests to it."""

from __future__ import annotations

import base64
import contextlib
import json
import shlex
import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from labelstudio_proxy.config.handoff import VARIABLE, Handoff
from labelstudio_proxy.config.settings import LabelStudioProxy
from labelstudio_proxy.jupyter.entry_point import ENVIRONMENT

from .processes import Process, clean_environment, kill_all_that_mention, wait_for

Headers = Iterable[tuple[str, str]]

ECHO = Path(__file__).with_name("echo_label_studio.py")
# Lines of a shell script: run the echo as the server of Label Studio; say that one is installed.
RUN_ECHO = f'exec {shlex.quote(sys.executable)} {shlex.quote(str(ECHO))} "$@"'
SAYS_INSTALLED = """echo '{"label-studio": "echo"}'"""
HOST = "hub.example"
# a program's, in the place of Jupyter's own
TOKEN = "jupyter-token-5f2c"
PROGRAM = ("Authorization", f"token {TOKEN}")
# an environment in which a body that has stalled is given up after so many seconds
STALL_SECONDS = 2.0
IMPATIENT = {
    "PYTHONPATH": str(Path(__file__).with_name("impatient")),
    "STALL_SECONDS": str(STALL_SECONDS),
}


@dataclass(frozen=True)
class Response:
    """A response as it was received: header values are bytes seen as Latin-1, `body` is complete."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Arrived:
    """A request as the echo in Label Studio's place received it."""

    head: bytes
    method: str
    target: str
    headers: list[tuple[str, str]]
    length: int
    sha256: str
    body: bytes

    @classmethod
    def of(cls, response: Response) -> Arrived:
        assert response.status == 200, (response.status, response.body[:2000])
        fields = response.json()
        fields["headers"] = [(name, value) for name, value in fields["headers"]]
        for name in ("head", "body"):
            fields[name] = base64.b64decode(fields[name])
        return cls(**fields)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


def respond_with(
    *, status: int = 200, headers: Headers = (), body: str = "", rest: int = 0, cut: bool = False
) -> tuple[str, str]:
    """Return the header that makes the echo respond so. `body` and header values are sent as Latin-1.

    `rest`: so many more bytes, once the test asks for `/-/release`; `cut`: they never come. With
    status 0 it closes the connection without a response.
    """
    wanted = {"status": status, "headers": list(headers), "body": body, "rest": rest, "cut": cut}
    return "X-Response", base64.b64encode(json.dumps(wanted).encode()).decode()


def add_account(data_dir: Path, email: str, *, user_id: int = 1) -> None:
    """Add an account without an organisation, enough to be the owner of a data directory."""
    values: dict[str, object] = dict.fromkeys(
        ("password", "first_name", "last_name", "phone", "avatar"), ""
    )
    values |= dict.fromkeys(("date_joined", "last_activity", "activity_at"), "2026-01-01 00:00:00")
    values |= {"id": user_id, "username": email, "email": email}
    values |= {"is_active": True, "is_superuser": True, "is_staff": True}
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    with (
        contextlib.closing(sqlite3.connect(data_dir / "label_studio.sqlite3")) as database,
        database,
    ):
        database.execute(f"INSERT INTO htx_user ({names}) VALUES ({marks})", tuple(values.values()))


def script(path: Path, *lines: str) -> Path:
    """Make an executable shell script."""
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return path


def stand_in(folder: Path, *lines: str, probe: str = SAYS_INSTALLED) -> Path:
    """A `label-studio` in `folder`, for the setting; its server runs these lines of a shell script.

    Without lines it is the echo. Its interpreter is a script, which runs the line `probe` when it
    is asked what is installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    python = script(
        folder / "python", f'if [ "$2" = probe ]; then {probe}; exit; fi', *(lines or (RUN_ECHO,))
    )
    executable = folder / "label-studio"
    executable.write_text(f"#!{python}\n")
    executable.chmod(0o755)
    return executable


class Gateway:
    """`labelstudio-proxy serve` on a unix socket. It responds once constructed; `stop()` it.

    Without `label_studio` in `settings`, the echo is run in Label Studio's place. `cache`: the
    user's folder for caches, in the place of an empty one; `env`: more of its environment;
    `python`: of another environment.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        prefix: str = "/user/alice/labelstudio/",
        settings: Mapping[str, Any] | None = None,
        cache: Path | None = None,
        env: Mapping[str, str] | None = None,
        python: str | Path = sys.executable,
        **handoff: Any,
    ) -> None:
        self.data_dir = data_dir
        self.prefix = prefix
        # short, since paths of sockets are limited to some 100 characters
        self.home = Path(tempfile.mkdtemp(prefix="gw-", dir="/tmp"))
        self.socket = self.home / "gateway.sock"
        echo = stand_in(self.home / "echo")
        chosen = {"data_dir": str(data_dir), "label_studio": str(echo)} | dict(settings or {})
        given = Handoff(LabelStudioProxy(**chosen), root_dir=str(self.home), **handoff)
        command = [str(python), "-m", "labelstudio_proxy", "serve"]
        self.process = Process(
            [*command, "--unix-socket", str(self.socket), "--base-url", prefix],
            env=clean_environment(self.home)
            | ENVIRONMENT
            | {VARIABLE: given.dump()}
            | ({"XDG_CACHE_HOME": str(cache)} if cache else {})
            | dict(env or {}),
            cwd=self.home,
            log=self.home / "gateway.log",
        )
        try:
            self.process.wait_until(self._answers, what="the gateway's socket", timeout=60)
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/_proxy/state").status == 200
        except OSError:
            return False

    def wait_until_listed(self) -> Path:
        """Wait until commands find this gateway, a little after its first response; return its file."""
        name = f"labelstudio-proxy-{self.process.pid}.json"
        (file,) = wait_for(lambda: list(self.home.rglob(name)), what="the gateway's file")
        return file

    @contextlib.contextmanager
    def connection(self, timeout: float = 60) -> Iterator[socket.socket]:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
            sock.settimeout(timeout)
            sock.connect(str(self.socket))
            yield sock

    def ask(
        self,
        method: str,
        target: str | bytes,
        headers: Headers = (),
        body: bytes | None = None,
        *,
        chunks: Sequence[bytes] | None = None,
    ) -> Response:
        """Send exactly this, with a `Host` unless there is one; `chunks`: a chunked body."""
        with self.connection() as sock:
            sock.sendall(head(method, target, headers, body, chunked=chunks is not None))
            for chunk in chunks or ():
                sock.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            if chunks is not None:
                sock.sendall(b"0\r\n\r\n")
            if body:
                sock.sendall(body)
            return read_response(sock, method)

    def arrived(
        self,
        method: str,
        target: str | bytes,
        headers: Headers = (),
        body: bytes | None = None,
        **options: Any,
    ) -> Arrived:
        """Send such a request, and return what of it reaches Label Studio."""
        return Arrived.of(self.ask(method, target, headers, body, **options))

    def state(self) -> str:
        state: str = self.ask("GET", "/_proxy/state").json()["state"]
        return state

    def start(self) -> None:
        """Start Label Studio and wait until it is ready."""
        self.ask("POST", "/_proxy/start", [PROGRAM])
        self.until("ready")

    def stop_label_studio(self) -> None:
        self.ask("POST", "/_proxy/stop", [PROGRAM])
        self.until("stopped")

    def until(self, state: str) -> None:
        def reached() -> bool:
            found = self.state()
            assert state == "failed" or found != "failed", self.ask("GET", "/_proxy/state").body
            return found == state

        wait_for(reached, what=f"Label Studio {state}", timeout=60)

    def stop(self) -> None:
        self.process.stop()
        kill_all_that_mention(self.home)
        shutil.rmtree(self.home, ignore_errors=True)


def head(
    method: str,
    target: str | bytes,
    headers: Headers = (),
    body: bytes | None = None,
    *,
    chunked: bool = False,
) -> bytes:
    """Return the first bytes of a request, up to its body."""
    fields = list(headers)
    names = {name.lower() for name, _ in fields}
    if "host" not in names:
        fields.insert(0, ("Host", HOST))
    if body is not None and "content-length" not in names:
        fields.append(("Content-Length", str(len(body))))
    if chunked:
        fields.append(("Transfer-Encoding", "chunked"))
    raw = target.encode() if isinstance(target, str) else target
    lines = [b"%s %s HTTP/1.1" % (method.encode(), raw)]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def read_response(sock: socket.socket, method: str) -> Response:
    with contextlib.closing(HTTPResponse(sock, method=method)) as response:
        response.begin()
        return Response(response.status, response.getheaders(), response.read())
