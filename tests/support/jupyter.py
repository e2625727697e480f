"""A real JupyterLab with separate settings, which leaves no process behind."""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import requests

from .http import Http
from .processes import (
    Process,
    clean_environment,
    command_line,
    free_port,
    give,
    kill_all_that_mention,
    pids_that_mention,
    wait_for,
)

# Of JupyterLab's page.
PAGE_CONFIG = {
    # this extension fetches news from jupyter.org, and asks the user whether it may
    "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True},
    # this check runs Node.js each time that JupyterLab's page opens
    "buildCheck": False,
}


def write_page_config(folder: Path) -> None:
    """Write PAGE_CONFIG into a folder of Jupyter's configuration."""
    (folder / "labconfig").mkdir(parents=True)
    (folder / "labconfig" / "page_config.json").write_text(json.dumps(PAGE_CONFIG))


class JupyterLab(Http):
    """`jupyter lab` on a loopback port, or another server of Jupyter's.

    Ready when constructed; `stop()` it.

    As an `Http` it sends requests to Jupyter's own API with its token; `LabelStudioClient` does so
    for `labelstudio/`.

    - `config`: settings of `LabelStudioProxy`; `server_config`: other sections of
      jupyter_server_config.json, as `{"ServerApp": {...}}`.
    - `config_py`: the text of jupyter_server_config.py, such as a document's.
    - `env` is added to an otherwise clean environment.
    - `umask`: in place of the tests' own.
    - `program`: the module to run, in place of JupyterLab.
    - `python`: run it from another environment.
    - `terminal`: run it in a terminal, for `process.type`.
    - `user`: Popen's arguments for another user than that of the tests.
    - `launcher`: the begin of the command, which runs the rest.
    - `cache`: the user's cache, in place of a new one in the home folder.
    """

    def __init__(
        self,
        *,
        base_url: str = "/",
        token: str | None = None,
        root_dir: Path | None = None,
        config: Mapping[str, Any] | None = None,
        server_config: Mapping[str, Mapping[str, Any]] | None = None,
        config_py: str = "",
        argv: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        umask: int = -1,
        program: str = "jupyterlab",
        python: str | Path = sys.executable,
        terminal: bool = False,
        user: Mapping[str, Any] | None = None,
        launcher: Sequence[str] = (),
        cache: Path | None = None,
    ) -> None:
        self.base_url = base_url
        self.token = secrets.token_hex(16) if token is None else token
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.prefix = f"{base_url}labelstudio/"
        super().__init__(self.origin + base_url, lambda: f"token {self.token}")
        # Short, since the path of a socket has some 100 characters at most.
        self.home = Path(tempfile.mkdtemp(prefix="jl-", dir="/tmp"))
        self.root_dir = root_dir or self.home / "notebooks"
        self.root_dir.mkdir(exist_ok=True)
        self._write_config(config or {}, server_config or {})
        if config_py:
            (self.home / ".jupyter" / "jupyter_server_config.py").write_text(config_py)
        self.environment = self._environment() | dict(env or {})
        if cache is not None:
            self.environment["XDG_CACHE_HOME"] = str(cache)
        if user:
            give(self.home, user["user"], user["group"])
        self._launch = functools.partial(
            Process,
            [*launcher, str(python), "-m", program, *argv],
            env=self.environment,
            cwd=self.home,
            log=self.home / "jupyter.log",
            umask=umask,
            terminal=terminal,
            user=user,
        )
        self._start()

    def _start(self) -> None:
        self.process = self._launch()
        try:
            self.process.wait_until(self._responds, what="Jupyter's /api", timeout=120)
        except BaseException:
            self.close()
            self.process.stop()
            self._clean_up()
            raise

    @contextlib.contextmanager
    def restarted(self) -> Iterator[None]:
        """Stop it, and start it again after the block: at the same address, with the same files."""
        self.process.stop()
        yield
        self._start()

    @property
    def log(self) -> Path:
        return self.process.log

    @property
    def gateway_pid(self) -> int:
        """The pid of the newest gateway."""
        entries = (self.home / "run" / "jupyter").glob("labelstudio-proxy-*.json")
        newest = max(entries, key=lambda entry: entry.stat().st_mtime)
        return int(newest.stem.rpartition("-")[2])

    def _environment(self) -> dict[str, str]:
        return clean_environment(self.home) | {
            "JUPYTER_CONFIG_DIR": str(self.home / ".jupyter"),
            "JUPYTER_DATA_DIR": str(self.home / ".local" / "share" / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(self.home / "run" / "jupyter"),
        }

    def _write_config(
        self, config: Mapping[str, Any], server_config: Mapping[str, Mapping[str, Any]]
    ) -> None:
        ours: dict[str, dict[str, Any]] = {
            "ServerApp": {
                "ip": "127.0.0.1",
                "port": self.port,
                "port_retries": 0,
                "base_url": self.base_url,
                "root_dir": str(self.root_dir),
                "open_browser": False,
                "allow_root": True,
            },
            "IdentityProvider": {"token": self.token},
            "LabelStudioProxy": dict(config),
        }
        for section, values in server_config.items():
            ours[section] = ours.get(section, {}) | dict(values)
        folder = self.home / ".jupyter"
        write_page_config(folder)
        (folder / "jupyter_server_config.json").write_text(json.dumps(ours))

    def _responds(self) -> bool:
        try:
            return self.get("api", timeout=10).ok
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        """Stop it with SIGTERM, as a hub does; AssertionError if a process stays.

        A second call does nothing.
        """
        if not self.home.exists():
            return
        self.close()
        in_time = self.process.stop()
        try:
            wait_for(
                lambda: not pids_that_mention(self.home),
                what=lambda: (
                    f"Jupyter has left processes behind: {self._descendants()}\n"
                    f"{self.process.log_tail()}"
                ),
                timeout=20,
            )
            assert in_time, f"Jupyter still ran 20 s after SIGTERM\n{self.process.log_tail()}"
        finally:
            self._clean_up()

    def _descendants(self) -> list[str]:
        return [f"{pid}: {command_line(pid)}" for pid in pids_that_mention(self.home)]

    def _clean_up(self) -> None:
        kill_all_that_mention(self.home)
        shutil.rmtree(self.home, ignore_errors=True)


class Server(Protocol):
    """A server whose Label Studio is at `origin` and `prefix`, for programs that have the `token`."""

    origin: str
    prefix: str
    token: str


class LabelStudioClient(Http):
    """A user's program: sends requests to Label Studio's prefix with the server's token."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.origin + server.prefix, lambda: f"token {server.token}")

    def state(self) -> dict[str, Any]:
        """Return the gateway's snapshot with the log."""
        answer = self.get("_proxy/state")
        assert answer.ok, f"{answer.status_code} {answer.reason}: {answer.text[:2000]}"
        snapshot: dict[str, Any] = answer.json()
        return snapshot

    def start(self) -> dict[str, Any]:
        answer = self.post("_proxy/start")
        assert answer.status_code == 202, f"{answer.status_code}: {answer.text[:2000]}"
        snapshot: dict[str, Any] = answer.json()
        return snapshot

    def wait_for_state(self, *wanted: str, timeout: float = 300) -> dict[str, Any]:
        """Return the first snapshot in one of the states `wanted`; a failed start is an error."""
        snapshot: dict[str, Any] = {}

        def reached() -> bool:
            snapshot.update(self.state())
            return snapshot["state"] in {*wanted, "failed"}

        wait_for(reached, what=lambda: _describe(snapshot), timeout=timeout)
        assert snapshot["state"] in wanted, _describe(snapshot)
        return snapshot

    def wait_ready(self, timeout: float = 300) -> dict[str, Any]:
        """Start Label Studio if it is stopped; return the snapshot when it is ready."""
        if self.state()["state"] == "stopped":
            self.start()
        return self.wait_for_state("ready", timeout=timeout)


def _describe(snapshot: Mapping[str, Any]) -> str:
    lines = "\n".join(line for _, line in snapshot.get("log", []))
    return f"state {snapshot.get('state')}, error {snapshot.get('error')}\n{lines}"
