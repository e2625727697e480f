"""Label Studio without a gateway: a migrated data directory, and a server."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import jwt
import requests

from labelstudio_proxy.data_directory import template
from labelstudio_proxy.data_directory.directory import DataDirectory

from .http import Http
from .processes import Process, clean_environment, free_port

EXECUTABLE = Path(sys.executable).with_name("label-studio")


def environment(data_dir: Path, home: Path) -> dict[str, str]:
    """Return an environment without variables of the caller, in which nothing calls out."""
    return clean_environment(home) | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir),
        "LATEST_VERSION_CHECK": "false",
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "CORS_ALLOW_ALL_ORIGINS": "false",
        # set to no-where, so that the working directory does not decide
        "LOCAL_FILES_SERVING_ENABLED": "false",
        "PYTHONUNBUFFERED": "1",
    }


def new_data_dir(path: Path) -> Path:
    """Make a data directory with the package's migrated database, without account or secret."""
    path.mkdir()
    assert template.place(DataDirectory(path), template.VERSION)
    return path


def migrate(data_dir: Path, home: Path, executable: Path = EXECUTABLE) -> None:
    """Have Label Studio apply its migrations, which takes some 40 s in a new data directory."""
    done = subprocess.run(
        [executable, "init", "-q"],
        check=False,
        env=environment(data_dir, home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
    with contextlib.closing(sqlite3.connect(data_dir / "label_studio.sqlite3")) as database:
        accounts = database.execute("SELECT count(*) FROM htx_user").fetchone()[0]
        database.execute("VACUUM")
    assert accounts == 0, f"{accounts} accounts in a new database"
    # every copy makes its own secret key
    (data_dir / ".env").unlink(missing_ok=True)


def access_token(data_dir: Path, user_id: int | None = None, *, lifetime: int = 3600) -> str:
    """Return an access token, by default of the first account; `lifetime` in seconds."""
    if user_id is None:
        database = sqlite3.connect(data_dir / "label_studio.sqlite3")
        with contextlib.closing(database):
            user_id = database.execute("SELECT min(id) FROM htx_user").fetchone()[0]
    assert user_id is not None, "no account in the data directory"
    lines = (data_dir / ".env").read_text().splitlines()
    key = next(line.partition("=")[2] for line in lines if line.startswith("SECRET_KEY="))
    now = int(time.time())
    claims = {
        "token_type": "access",
        "exp": now + lifetime,
        "iat": now,
        "jti": uuid.uuid4().hex,
        "user_id": str(user_id),
    }
    return jwt.encode(claims, key, algorithm="HS256")


class BareLabelStudio(Http):
    """`label-studio start` on a loopback port: no gateway, no prefix. Ready when constructed.

    With `email` that account is made at the start, unless the data directory has it. It is
    asked as the first account. `stop()` it.
    """

    def __init__(
        self, data_dir: Path, *, email: str = "", env: Mapping[str, str] | None = None
    ) -> None:
        port = free_port()
        super().__init__(f"http://127.0.0.1:{port}/", lambda: f"Bearer {self.access_token()}")
        self.data_dir = data_dir
        self._home = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))
        variables = environment(data_dir, self._home)
        if email:
            variables |= {"LABEL_STUDIO_USERNAME": email, "LABEL_STUDIO_PASSWORD": uuid.uuid4().hex}
        address = ["--internal-host", "127.0.0.1", "--port", str(port)]
        self.process = Process(
            [str(EXECUTABLE), "start", "--no-browser", *address],
            env=variables | dict(env or {}),
            cwd=self._home,
            log=self._home / "label-studio.log",
        )
        try:
            self.process.wait_until(self._is_healthy, what="Label Studio's /health", timeout=300)
        except BaseException:
            self.stop()
            raise

    def _is_healthy(self) -> bool:
        try:
            return self.get("health", anonymous=True, timeout=10).ok
        except requests.ConnectionError:
            return False

    def access_token(self, user_id: int | None = None, *, lifetime: int = 3600) -> str:
        """See `access_token`."""
        return access_token(self.data_dir, user_id, lifetime=lifetime)

    def stop(self) -> None:
        self.close()
        self.process.stop()
        shutil.rmtree(self._home, ignore_errors=True)
