"""Label Studio's data directory: make it, check it, and read its owner and secret key."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import re
import secrets
import shlex
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
TEMPORARY = "temporary"  # in the proxy folder
SOCKET = f"{PROXY_FOLDER}/socket/label-studio.sock"  # in the data directory

# With less, a start would fail during the migrations: a migrated, empty database and its journal
# take about 3 MB, the log 4 MB.
MINIMUM_FREE_BYTES = 20 * 1024 * 1024
# With less, a failed request is explained by the full disk. SQLite has rolled back what did not
# fit, so some space may be free again.
LITTLE_FREE_BYTES = 2 * 1024 * 1024
# The errors of a write on a full disk, or with a disk quota that is used up.
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Account:
    """A Label Studio account."""

    id: int
    email: str
    active: bool
    personal_tokens: bool  # whether its organisation allows personal access tokens


@dataclass(frozen=True)
class DataDirectory:
    """A plain Label Studio data directory at `path`, with a hidden folder of labelstudio-proxy."""

    path: Path

    @property
    def proxy_folder(self) -> Path:
        """The folder with the lock, the version record and the backups from before upgrades.

        It is on the same disk and moves with the directory. Label Studio ignores it. Users may
        delete it while Label Studio is stopped.
        """
        return self.path / PROXY_FOLDER

    @property
    def database(self) -> Path:
        """Label Studio's own SQLite file."""
        return self.path / DATABASE

    @property
    def temporary(self) -> Path:
        """The folder for temporary files while Label Studio runs; cleaners may remove TMPDIR."""
        return self.proxy_folder / TEMPORARY

    @property
    def socket(self) -> Path:
        """The socket of a Label Studio in a container, in a folder that both sides see."""
        return self.path / SOCKET

    def clear_temporary(self) -> None:
        """Make the folder for temporary files, without those of a Label Studio that was killed.

        Only the holder of the lock may call it. Raises Problem.
        """
        try:
            if self.temporary.is_symlink():
                self.temporary.unlink()
            shutil.rmtree(self.temporary, ignore_errors=True)
            self.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self.unusable(error) from error

    def prepare(self) -> None:
        """Make the directory, make it private and check it; raises Problem if it cannot be used."""
        self.check_owner()
        try:
            interrupted_restore.check(self.path)
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            raise Problem(
                f"The data directory {self.path} is not a folder.",
                "A file or a broken link has its name.",
                "Move it away, then try again. Or set `data_dir` to another folder and restart Jupyter.",
            ) from None
        except OSError as error:
            raise self.unusable(error) from error
        try:
            # A plain Label Studio makes files that all users can read.
            if self.path.stat().st_uid == os.getuid():
                self.path.chmod(0o700)
                for file in (self.database, self.path / ".env"):
                    if file.is_file() and file.stat().st_mode & 0o077:
                        file.chmod(0o600)
            self.check_free_space()
            self.write_a_little()
        except OSError as error:
            raise self.unusable(error) from error
        if self.database.exists() and not os.access(self.database, os.R_OK | os.W_OK):
            raise Problem(
                f"Label Studio's database {self.database} cannot be written.",
                "The file is marked read-only.",
                f"Run `chmod u+rw {shlex.quote(str(self.database))}`, then try again. Or set "
                "`data_dir` to another folder and restart Jupyter.",
            )
        self.secret_key()

    def give_to(self, user: str) -> None:
        """Change the owner of root's files here to `user` (uid:gid), as whom a container runs. Blocks.

        Does nothing if this process does not run as root. Raises Problem.
        """
        uid, gid = (int(number) for number in user.split(":"))
        if os.getuid() or not uid:
            return
        try:
            for folder, folders, files in os.walk(self.path):
                for path in (Path(folder, name) for name in (*folders, *files)):
                    if path.lstat().st_uid == 0:
                        os.lchown(path, uid, gid)
        except OSError as error:
            raise self.unusable(error) from error

    def check_owner(self) -> None:
        """Raise Problem if this user cannot use files here that belong to another one."""
        if os.getuid() == 0 or not self.path.exists():
            return
        path = self.path.resolve()  # by its own name, chown would not follow a link
        places = [path]
        with contextlib.suppress(OSError):
            places += path.iterdir()
        for place in places:
            try:
                owner = place.lstat().st_uid
                wanted = os.R_OK | os.W_OK | (os.X_OK if place.is_dir() else 0)
                usable = owner == os.getuid() or os.access(place, wanted)
            except OSError:
                continue
            if not usable:
                raise Problem(
                    f"The data directory {path} belongs to another user.",
                    f"{place} belongs to {name_of(owner)}, and this user may not write it. A "
                    "container that ran there may have made it.",
                    'Run `sudo chown -R "$(id -u):$(id -g)" '
                    f"{shlex.quote(str(path))}` in a terminal, then try again. Or set `data_dir` "
                    "to another folder and restart Jupyter.",
                )

    def free_space_problem(self) -> Problem | None:
        """Return a Problem if too little space is free to save anything; raises OSError."""
        free = shutil.disk_usage(self.path).free
        if free < LITTLE_FREE_BYTES:
            return self._not_saved("The disk is full", f"Only {free // 1024} kB more")
        return None

    def full_disk_problem(self) -> Problem | None:
        """Return a Problem if the disk is full or the user's quota is used up: writes a little."""
        if found := self.free_space_problem():
            return found
        try:
            self.write_a_little()
        except OSError as error:
            if error.errno in DISK_FULL:
                quota = error.errno == errno.EDQUOT
                full = "Your disk quota is used up" if quota else "The disk is full"
                return self._not_saved(full, "No more")
        return None

    def _not_saved(self, full: str, left: str) -> Problem:
        return Problem(
            f"{full}: this was not saved.",
            f"{left} can be written to the data directory {self.path}. Everything saved before is "
            "kept.",
            "Free some space, then save again.",
        )

    def check_free_space(self) -> None:
        """Raise Problem if a start would fail for a full disk."""
        free = shutil.disk_usage(self.path).free
        if free < MINIMUM_FREE_BYTES:
            raise Problem(
                f"The disk of the data directory {self.path} is full.",
                f"Only {free // 1024} kB are free; Label Studio needs at least "
                f"{MINIMUM_FREE_BYTES // 1024 // 1024} MB to start safely.",
                "Free some space, then try again. Or set `data_dir` to a folder on another disk and "
                "restart Jupyter.",
            )

    def write_a_little(self) -> None:
        """Write a file and remove it; raises OSError.

        Only a write shows what is left of a quota, and on a network file system only one that has
        reached the server.
        """
        probe = self.path / f"{private_file.UNFINISHED}{secrets.token_hex(4)}"
        try:
            with private_file.create(probe) as file:
                file.write(secrets.token_bytes(LITTLE_FREE_BYTES))  # no file system compresses it
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)

    def recover(self) -> None:
        """Let SQLite roll back an unfinished write of a Label Studio that was killed.

        A read-only connection cannot do this, and cannot read before. Raises sqlite3.Error.
        """
        if not self.database.exists():
            return
        uri = sqlite_uri(self.database, "rw")
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def secret_key(self) -> str:
        """Return the `SECRET_KEY` in the directory's `.env`, with which Label Studio signs.

        Makes one if there is none yet. Raises Problem if the file cannot be read or written.
        """
        env = self.path / ".env"
        try:
            if found := self.present_secret_key():
                return found
            text = env.read_bytes().decode() if env.exists() else ""
            # Letters and digits only: Label Studio reads it with django-environ, for which $ and
            # quotes have a meaning.
            made = secrets.token_hex(32)
            line_end = "" if not text or text.endswith("\n") else "\n"
            # Resolved: a link stays a link.
            private_file.write(env.resolve(), f"{text}{line_end}SECRET_KEY={made}\n".encode())
        except (OSError, UnicodeDecodeError) as error:
            raise Problem(
                f"The secret key in {env} cannot be read.",
                f"{error}. Label Studio needs the key to recognise its users.",
                f"Make {env} readable for this user, then try again.",
            ) from error
        return made

    def present_secret_key(self) -> str:
        """Return the `SECRET_KEY`, or an empty string if there is none yet.

        Raises OSError and UnicodeDecodeError.
        """
        env = self.path / ".env"
        text = env.read_bytes().decode() if env.exists() else ""
        return _value(text, "SECRET_KEY") or ""

    def has_accounts(self) -> bool:
        """Return True if there is an account."""
        return self.first_account() is not None

    def first_account(self) -> Account | None:
        """Return the oldest account, the owner; None before the first start.

        Reads the SQLite file. Raises sqlite3.Error if it is damaged.
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
        """Return the id of the uploaded file `name`, as in `upload/<project>/<file>`, or None.

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

    def unusable(self, error: OSError) -> Problem:
        """Return the Problem of a directory in which a file cannot be made or written."""
        if error.errno in DISK_FULL:
            quota = error.errno == errno.EDQUOT
            disk, full = ("Your quota on the disk", "used up") if quota else ("The disk", "full")
            return Problem(
                f"{disk} of the data directory {self.path} is {full}.",
                f"Label Studio could not write there: {error.strerror or error}.",
                "Free some space, then try again. Or set `data_dir` to a folder on another disk and "
                "restart Jupyter.",
            )
        why, remedy = f"{error.strerror or error}.", "Correct that"
        if error.errno == errno.EROFS:
            why, remedy = "Its file system is mounted read-only.", "Mount it writable"
        elif error.errno in {errno.EACCES, errno.EPERM}:
            why = f"{error.strerror}: this user may not write there."
            remedy = "Make the folder writable for this user"
        return Problem(
            f"The data directory {self.path} cannot be used.",
            why,
            f"{remedy}, then try again. Or set `data_dir` to another folder and restart Jupyter.",
        )


def name_of(uid: int) -> str:
    """Return a user as a part of a sentence."""
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:  # common for the user of an image
        return f"the user with the id {uid}"


def _value(text: str, name: str) -> str | None:
    """Return the value of `name` in a `.env` file, by the rules of django-environ's `read_env`."""
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
