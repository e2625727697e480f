from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from labelstudio_proxy.data_directory import directory as datadir
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.problem import Problem


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    return DataDirectory(tmp_path / "ü %?#" / "data")


def test_new_directory_is_private_with_any_umask(directory: DataDirectory) -> None:
    before = os.umask(0)
    try:
        directory.prepare()
    finally:
        os.umask(before)
    assert mode(directory.path) == 0o700
    assert mode(directory.path / ".env") == 0o600


def test_directory_that_all_users_could_read_is_made_private(directory: DataDirectory) -> None:
    directory.path.mkdir(parents=True, mode=0o755)
    directory.prepare()
    assert mode(directory.path) == 0o700


def test_secret_key_is_made_once(directory: DataDirectory) -> None:
    directory.prepare()
    key = directory.secret_key()
    directory.prepare()
    assert len(key) >= 50
    assert directory.secret_key() == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("SECRET_KEY=plain", "plain"),
        ("\nSECRET_KEY=*j*hj(0=&4(d!*a4w#=s)*5\n", "*j*hj(0=&4(d!*a4w#=s)*5"),
        ("SECRET_KEY='sing'le'\n", "sing'le"),
        ('SECRET_KEY="dou\\"ble"\n', 'dou"ble'),
        ("export SECRET_KEY=x\nDEBUG=1\n", "x"),
        ("SECRET_KEY=first\nSECRET_KEY=last\n", "last"),
        ("#SECRET_KEY=no\nMY_SECRET_KEY=no\nSECRET_KEY=yes\n", "yes"),
    ],
)
def test_secret_key_is_read_as_label_studio_reads_it(
    directory: DataDirectory, text: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = pytest.importorskip("environ")
    directory.path.mkdir(parents=True)
    (directory.path / ".env").write_text(text)
    assert directory.secret_key() == key
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setattr(environ.Env, "ENVIRON", {})
    environ.Env.read_env(str(directory.path / ".env"))
    assert environ.Env.ENVIRON["SECRET_KEY"] == key


def test_secret_key_is_added_to_an_existing_file(directory: DataDirectory) -> None:
    directory.path.mkdir(parents=True)
    (directory.path / ".env").write_text("DEBUG=false")
    key = directory.secret_key()
    assert (directory.path / ".env").read_text() == f"DEBUG=false\nSECRET_KEY={key}\n"


def test_file_with_the_name_of_the_directory_is_a_problem(directory: DataDirectory) -> None:
    directory.path.parent.mkdir()
    directory.path.write_text("mine")
    with pytest.raises(Problem, match="is not a folder"):
        directory.prepare()
    assert directory.path.read_text() == "mine"


def test_directory_that_cannot_be_made_is_a_problem() -> None:
    with pytest.raises(Problem, match="cannot be used"):
        DataDirectory(Path("/proc/labels")).prepare()


def test_disk_with_too_little_space_is_a_problem(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datadir, "MINIMUM_FREE_BYTES", 1 << 60)
    with pytest.raises(Problem, match="is full") as told:
        directory.prepare()
    assert "kB are free" in told.value.why


def test_directory_without_a_database_has_no_accounts(directory: DataDirectory) -> None:
    directory.prepare()
    assert not directory.has_accounts()


def test_migrated_database_has_no_accounts_at_first(data_dir: Path) -> None:
    assert not DataDirectory(data_dir).has_accounts()


@pytest.mark.parametrize(
    ("number", "said"), [(errno.EDQUOT, "Your quota"), (errno.ENOSPC, "The disk")]
)
def test_failed_write_before_a_start_means_a_full_disk_or_quota(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    """The disk still reports free space, as with a user's quota."""
    refuse_writes(monkeypatch, number)
    with pytest.raises(Problem) as caught:
        directory.prepare()
    assert caught.value.what.startswith(said)
    assert str(directory.path) in caught.value.what
    assert os.strerror(number) in caught.value.why
    assert "Free some space" in caught.value.remedy
    assert list(directory.path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "said"), [(errno.EDQUOT, "Your disk quota is used up"), (errno.ENOSPC, "The disk")]
)
def test_full_disk_or_quota_explains_a_failed_request(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    directory.prepare()
    assert directory.full_disk_problem() is None
    refuse_writes(monkeypatch, number)
    problem = directory.full_disk_problem()
    assert problem is not None
    assert problem.what.startswith(said)
    assert problem.what.endswith(": this was not saved.")
    # Other errors do not mean that the disk is full.
    refuse_writes(monkeypatch, errno.EIO)
    assert directory.full_disk_problem() is None
    assert [path.name for path in directory.path.iterdir()] == [".env"]


def refuse_writes(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Fail when the data are written to the disk, as on a network file system."""

    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)


NOBODY = 65534
IMAGE_USER = 1001


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as other users")
@pytest.mark.parametrize("name", ["", ".env", "label_studio.sqlite3", "media"])
def test_another_users_folder_is_refused_with_the_command_and_is_not_changed(name: str) -> None:
    """As the folder of a container that ran as the user of Label Studio's image."""
    with tempfile.TemporaryDirectory(dir="/tmp") as outer:
        Path(outer).chmod(0o755)
        path = Path(outer, "my data")
        (path / "media").mkdir(parents=True)
        for file in (".env", "label_studio.sqlite3"):
            (path / file).touch(0o600)
        for each in (path, *path.iterdir()):
            os.chown(each, NOBODY, NOBODY)
        os.chown(path / name, IMAGE_USER, 0)
        (path / name).chmod(0o755 if (path / name).is_dir() else 0o600)

        def state() -> list[tuple[str, int, int, float]]:
            found = [(each, each.stat()) for each in (path, *sorted(path.rglob("*")))]
            return [(each.name, s.st_mode, s.st_uid, s.st_ctime) for each, s in found]

        before = state()
        said = as_nobody(lambda: DataDirectory(path).prepare())
        assert f"The data directory {path} belongs to another user." in said
        assert f"""`sudo chown -R "$(id -u):$(id -g)" '{path}'`""" in said
        assert f"the user with the id {IMAGE_USER}" in said
        assert state() == before

        for each in (path, *path.iterdir()):
            os.chown(each, NOBODY, NOBODY)
        assert as_nobody(lambda: DataDirectory(path).prepare()) == ""


def as_nobody(call: Callable[[], None]) -> str:
    """Return the sentences of the Problem that the call raises as another user, or nothing."""
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            call()
        except Problem as problem:
            os.write(writer, problem.as_sentence().encode())
        except OSError as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as file:
        return file.read()
