"""A real nginx with servers as the documents describe them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from certipy.certipy import Certipy

from .processes import Process, clean_environment

# nginx is in /usr/sbin, which is not on every user's PATH.
PROGRAM = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
# What Debian's has around the servers, with files in the folder of the test.
CONFIG = """\
daemon off;
{user}
pid {home}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  sendfile on;
  gzip on;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  {servers}
}}
"""


class Nginx:
    """`stop()` it.

    `servers`: what would be in /etc/nginx/conf.d. `CERTIFICATE` and `KEY` in it become the paths of
    a certificate for `host` and of its key.
    """

    def __init__(self, servers: Sequence[str], host: str) -> None:
        assert PROGRAM is not None
        self.home = Path(tempfile.mkdtemp(prefix="nginx-", dir="/tmp"))
        store = self.home / "certificates"
        certificates = Certipy(store_dir=str(store))
        certificates.create_ca("tests")
        certificates.create_signed_pair(host, "tests", alt_names=[f"DNS:{host}"])
        text = "\n".join(servers)
        text = text.replace("CERTIFICATE", str(store / host / f"{host}.crt"))
        text = text.replace("KEY", str(store / host / f"{host}.key"))
        user = "user root;" if os.geteuid() == 0 else ""  # otherwise it cannot enter its folder
        config = self.home / "nginx.conf"
        config.write_text(CONFIG.format(home=self.home, user=user, servers=text))
        self.process = Process(
            [PROGRAM, "-e", "stderr", "-p", str(self.home), "-c", str(config)],
            env=clean_environment(self.home),
            cwd=self.home,
            log=self.home / "nginx.log",
        )
        try:
            self.process.wait_until((self.home / "nginx.pid").exists, what="nginx", timeout=20)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self.process.stop()
        shutil.rmtree(self.home, ignore_errors=True)
