"""The compared ways to Label Studio, each with the servers that it needs."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.engine import PATH
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import BareLabelStudio, access_token
from support.processes import Process, clean_environment, free_port, wait_for

from labelstudio_proxy.gateway.assets.background import COMPLETE

from .bench import Bench, NotPossible


@dataclass(frozen=True)
class Way:
    """The address of a server: `url` ends with a slash, `query` is added to every request."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    socket: str = ""  # of a unix socket; empty: TCP
    query: str = ""

    def address(self, path: str) -> str:
        """Return the URL of `path`, which is relative to Label Studio's `/`."""
        separator = "&" if "?" in path else "?"
        return self.url + path + (separator + self.query if self.query else "")


def files(root: Path) -> dict[str, str]:
    """Return the environment with which a bare Label Studio reads local files, as in the chain."""
    return {"LOCAL_FILES_SERVING_ENABLED": "true", "LOCAL_FILES_DOCUMENT_ROOT": str(root)}


class Chain:
    """JupyterLab with the package and a ready Label Studio."""

    def __init__(self, bench: Bench, data_dir: Path, **options: Any) -> None:
        self.data_dir = data_dir
        config = {"data_dir": str(data_dir), "backend": "process", **options.pop("config", {})}
        self.jupyter = bench.keep(JupyterLab(config=config, **options))
        self.studio = LabelStudioClient(self.jupyter)
        bench.stack.callback(self.studio.close)
        self.studio.wait_ready()
        token = {"Authorization": f"token {self.jupyter.token}"}
        self.whole = Way(self.studio.url, token)
        entries = (self.jupyter.home / "run" / "jupyter").glob("labelstudio-proxy-*.json")
        entry = json.loads(max(entries, key=lambda path: path.stat().st_mtime).read_text())
        self.gateway_pid: int = entry["pid"]
        # Only Jupyter checks the token; the programs behind it accept any.
        self.gateway = Way("http://localhost/", token, socket=entry["unix_socket"])

    def wait_for_compression(self) -> None:
        """Wait until Label Studio's large assets are compressed, which begins at its start."""
        cache = self.jupyter.home / ".cache"
        wait_for(lambda: any(cache.rglob(COMPLETE)), what="the compressed assets", timeout=120)

    @property
    def label_studio(self) -> Way:
        """The way to the Label Studio of the chain, directly and as its owner."""
        bearer = {"Authorization": f"Bearer {access_token(self.data_dir)}"}
        (socket,) = (self.jupyter.home / "run" / "jupyter").glob(
            "labelstudio-proxy-*/label-studio.sock"
        )
        return Way("http://localhost/", bearer, socket=str(socket))


def way_to(bare: BareLabelStudio) -> Way:
    """Return the way to Label Studio alone."""
    return Way(bare.url, {"Authorization": f"Bearer {bare.access_token()}"})


class PlainProxy:
    """jupyter-server-proxy in front of a bare Label Studio, without us: `/proxy/<port>/`."""

    def __init__(self, bare: BareLabelStudio) -> None:
        self._jupyter = JupyterLab(
            server_config={"ServerApp": {"jpserver_extensions": {"labelstudio_proxy": False}}}
        )
        port = bare.url.rstrip("/").rpartition(":")[2]
        # Jupyter reads its token from the URL, too, and forwards both to Label Studio, which
        # needs `Authorization` itself.
        self.way = Way(
            f"{self._jupyter.url}proxy/{port}/",
            way_to(bare).headers,
            query=f"token={self._jupyter.token}",
        )

    def stop(self) -> None:
        self._jupyter.stop()


NGINX = """\
daemon off;
{user}
worker_processes auto;
pid {home}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
  include /etc/nginx/mime.types;
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  proxy_cache_path {home}/cache keys_zone=assets:10m;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  gzip_proxied any;
  gzip_types text/css text/javascript application/javascript application/json image/svg+xml;
  upstream label_studio {{ server 127.0.0.1:{upstream}; keepalive 16; }}
  # compresses each asset once, and the cache in front keeps the result
  server {{
    listen unix:{home}/packing.sock;
    gzip on;
    gzip_comp_level 6;
    location / {{ proxy_pass http://label_studio; }}
  }}
  server {{
    listen 127.0.0.1:{port};
    gzip on;
    location / {{ proxy_pass http://label_studio; }}
    location ~ ^/(static|react-app)/ {{
      gzip off;
      proxy_pass http://unix:{home}/packing.sock;
      proxy_cache assets;
      proxy_cache_key $request_uri$http_accept_encoding;
      proxy_cache_valid 200 1h;
      # Label Studio starts a session with every response, assets included
      proxy_ignore_headers Vary Cache-Control Expires Set-Cookie;
      proxy_hide_header Set-Cookie;
    }}
  }}
}}
"""


class Nginx:
    """nginx in front of a bare Label Studio: compresses text, caches compressed assets."""

    def __init__(self, bare: BareLabelStudio) -> None:
        program = shutil.which("nginx", path=PATH)
        if program is None:
            raise NotPossible("nginx is not installed")
        self._home = Path(tempfile.mkdtemp(prefix="nginx-", dir="/tmp"))
        port = free_port()
        config = self._home / "nginx.conf"
        upstream = bare.url.rstrip("/").rpartition(":")[2]
        user = "user root;" if os.geteuid() == 0 else ""  # otherwise it cannot enter its folder
        config.write_text(NGINX.format(home=self._home, port=port, upstream=upstream, user=user))
        self.way = Way(f"http://127.0.0.1:{port}/", way_to(bare).headers)
        self._process = Process(
            [program, "-e", "stderr", "-p", str(self._home), "-c", str(config)],
            env=clean_environment(self._home),
            cwd=self._home,
            log=self._home / "nginx.log",
        )
        try:
            self._process.wait_until(
                self._home.joinpath("nginx.pid").exists, what="nginx", timeout=20
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._process.stop()
        shutil.rmtree(self._home, ignore_errors=True)
