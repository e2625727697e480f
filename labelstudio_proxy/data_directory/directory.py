"""Label Studio's data directory: making it, checking it, and reading who owns it."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .. import private_file
from ..problem import Problem
from . import interrupted_restore

DATABASE = "label_studio.sqlite3"
PROXY_FOLDER = ".labelstudio-proxy"

# Below this, a start would fail half-way through its migrations: an empty migrated database with
# its journal takes about 3 MB, the log 4 MB.
MINIMUM_FREE_BYTES = 20 * 1024 * 1024
# Below this, what fails while people work fails for that: a transaction that did not fit has been
# taken back by then.
LITTLE_FREE_BYTES = 2 * 1024 * 1024
# How a write fails where the disk is full, or what it gives to this user is used up.
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Account:
    """A Label Studio account, as far as identity needs it."""

    id: int
    email: str
    active: bool
    personal_tokens: bool  # the "personal access tokens" switch of its organisation


@dataclass(frozen=True)
class DataDirectory:
    """A plain Label Studio data directory at `path`, with one hidden folder of ours in it."""

    path: Path

    @property
    def proxy_folder(self) -> Path:
        """What is kept about the directory: the version that had it last, backups.

        In it, since it must be on the same disk, and go where the directory goes. Label Studio
        takes no notice of it, and it may be deleted while Label Studio is stopped.
        """
        return self.path / PROXY_FOLDER

    @property
    def database(self) -> Path:
        """Label Studio's own SQLite file."""
        return self.path / DATABASE

    def prepare(self) -> None:
        """Make the directory private and fit for a start; raises Problem where it cannot be."""
        try:
            interrupted_restore.check(self.path)
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            raise Problem(
                f"The data directory {self.path} is not a folder.",
                "A file, or a link that leads nowhere, is in its place.",
                "Move it away, or set `data_dir` to another folder, then try again.",
            ) from None
        except OSError as error:
            raise self._unusable(error) from error
        try:
            # Files that an earlier, plain Label Studio made may be readable by everybody.
            if self.path.stat().st_uid == os.getuid():
                self.path.chmod(0o700)
                for file in (self.database, self.path / ".env"):
                    if file.is_file() and file.stat().st_mode & 0o077:
                        file.chmod(0o600)
            self._check_room()
            self._write_a_little()
        except OSError as error:
            raise self._unusable(error) from error
        if self.database.exists() and not os.access(self.database, os.R_OK | os.W_OK):
            raise Problem(
                f"Label Studio's database {self.database} cannot be written.",
                "The file belongs to another user, or is marked read-only.",
                f"Give it to this user, for example `sudo chown -R {os.getuid()}:{os.getgid()} "
                f"{self.path}`, or set `data_dir` to another folder, then try again.",
            )
        self.secret_key()

    def out_of_room(self) -> Problem | None:
        """Why nothing can be saved, where the disk is full or the user's quota used up."""
        full, left = "The disk is full", "No more"
        free = shutil.disk_usage(self.path).free
        if free < LITTLE_FREE_BYTES:
            left = f"Only {free // 1024} kB more"
        else:
            try:
                self._write_a_little()
                return None
            except OSError as error:
                if error.errno not in NO_ROOM:
                    return None
                if error.errno == errno.EDQUOT:
                    full = "Your disk quota is used up"
        return Problem(
            f"{full}: this was not saved.",
            f"{left} can be written to the data directory {self.path}. All that was saved before is "
            "kept.",
            "Free some space, then save again.",
        )

    def _check_room(self) -> None:
        """Raise Problem where a start would fail half-way."""
        free = shutil.disk_usage(self.path).free
        if free < MINIMUM_FREE_BYTES:
            raise Problem(
                f"The disk of the data directory {self.path} is full.",
                f"Only {free // 1024} kB are free; Label Studio needs at least "
                f"{MINIMUM_FREE_BYTES // 1024 // 1024} MB to start safely.",
                "Free some space, or set `data_dir` to a folder on another disk, then try again.",
            )

    def _write_a_little(self) -> None:
        """And take it away again; raises OSError.

        What is left of a quota, only a write tells, and on another machine's disk only one that
        has arrived there.
        """
        probe = self.path / f".write-test-{secrets.token_hex(4)}"
        try:
            with private_file.create(probe) as file:
                file.write(secrets.token_bytes(LITTLE_FREE_BYTES))  # no disk compresses these
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)

    def recover(self) -> None:
        """Have SQLite take back what a Label Studio that was killed had half written.

        Only who may write can do it, and until then nobody can read. Raises sqlite3.Error.
        """
        if not self.database.exists():
            return
        uri = sqlite_uri(self.database, "rw")
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def secret_key(self) -> str:
        """The `SECRET_KEY` of the directory's `.env`, which Label Studio signs with.

        Made here where Label Studio has not made one yet. Raises Problem if it cannot be read.
        """
        env = self.path / ".env"
        try:
            text = env.read_bytes().decode() if env.exists() else ""
            found = _value(text, "SECRET_KEY")
            if found:
                return found
            # Letters and digits only: django-environ, which Label Studio reads it with, takes a
            # leading $ for a reference and unwraps quotes.
            made = secrets.token_hex(32)
            line_end = "" if not text or text.endswith("\n") else "\n"
            # Resolved: a link stays a link.
            private_file.write(env.resolve(), f"{text}{line_end}SECRET_KEY={made}\n".encode())
        except (OSError, UnicodeDecodeError) as error:
            raise Problem(
                f"The secret key in {env} cannot be read.",
                f"{error}. Without it, Label Studio cannot know who is calling.",
                f"Make {env} readable for this user, then try again.",
            ) from error
        return made

    def has_accounts(self) -> bool:
        """Whether anybody has an account yet."""
        return self.first_account() is not None

    def first_account(self) -> Account | None:
        """The oldest account, which the Jupyter user works as; None before the first start.

        Read from the SQLite file, read-only; raises sqlite3.Error if that is damaged.
        """
        if not self.database.exists():
            return None
        with closing(self._read_only()) as connection:
            try:
                row = connection.execute(
                    "SELECT u.id, u.email, u.is_active, COALESCE(j.api_tokens_enabled, 1)"
                    " FROM htx_user u LEFT JOIN jwt_auth_jwtsettings j"
                    " ON j.organization_id = u.active_organization_id ORDER BY u.id LIMIT 1"
                ).fetchone()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # not migrated yet
                    return None
                raise
        return Account(row[0], row[1], bool(row[2]), bool(row[3])) if row else None

    def upload_id(self, name: str, project: int) -> int | None:
        """The id of the uploaded file `name` (as in `upload/<project>/<file>`), if it is known.

        Raises sqlite3.Error if the database is damaged.
        """
        with closing(self._read_only()) as connection:
            row = connection.execute(
                "SELECT id FROM data_import_fileupload WHERE project_id = ? AND file = ?"
                " ORDER BY id DESC LIMIT 1",
                (project, name),
            ).fetchone()
        return int(row[0]) if row else None

    def _read_only(self) -> sqlite3.Connection:
        return sqlite3.connect(sqlite_uri(self.database, "ro"), uri=True, timeout=5)

    def _unusable(self, error: OSError) -> Problem:
        if error.errno in NO_ROOM:
            quota = error.errno == errno.EDQUOT
            disk, full = ("Your quota on the disk", "used up") if quota else ("The disk", "full")
            return Problem(
                f"{disk} of the data directory {self.path} is {full}.",
                f"Label Studio could not write there: {error.strerror or error}.",
                "Free some space, or set `data_dir` to a folder on another disk, then try again.",
            )
        return Problem(
            f"The data directory {self.path} cannot be used.",
            f"{error.strerror or error}: this user may not write there, or the disk is "
            "mounted read-only.",
            "Make the folder writable for this user, or set `data_dir` to another folder, "
            "then try again.",
        )


def _value(text: str, name: str) -> str | None:
    """The value of `name` in a `.env` file, by the rules of django-environ's `read_env`."""
    value = None
    for line in text.splitlines():
        match = re.fullmatch(rf"(?:export )?{name}=(.*)", line)
        if not match:
            continue
        value = match[1]
        if single := re.fullmatch(r"'(.*)'", value):
            value = single[1]
        if double := re.fullmatch(r'"(.*)"', value):
            value = re.sub(r"\\([^rnt])", r"\1", double[1])
    return value


def sqlite_uri(path: Path, mode: str) -> str:
    """Return the URI of a database, see https://sqlite.org/uri.html; `mode`: "ro" or "rw"."""
    quoted = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?mode={mode}"
