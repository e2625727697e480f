"""The specification of a container: name, labels, digest, archive, folders."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from support.container_plans import KEY, plan

from labelstudio_proxy.backends.docker import container_spec
from labelstudio_proxy.backends.docker.container_spec import (
    DATA_DIR,
    check_paths,
    container_environment,
)
from labelstudio_proxy.backends.docker.jupyter_container import Bind
from labelstudio_proxy.problem import Problem


def test_similar_user_names_make_different_container_names() -> None:
    users = ["a-b", "a--b", "a b", "ü", "ö", "a@b", "a.b", "A-B", "-", "..", "x" * 200]
    names = {plan(user_name=user).name for user in users}
    assert len(names) == len(users)
    for name in names:
        assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}", name), name


def test_each_data_directory_and_each_uid_has_its_own_container() -> None:
    other = (Bind("/home/ada/other", DATA_DIR, False),)
    assert len({plan().name, plan(binds=other).name, plan(user="1001:1000").name}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"image": "sha256:2"},
        {"environment": {"DEBUG": "true"}},
        {"private": {"POSTGRE_PASSWORD": "hunter3"}},
        {"memory": "2g"},
        {"cpus": 1.5},
        {"network": "other"},
        {"groups": (2000,)},
        {"hidden": ("/home/ada/engine.sock",)},
        {"directory": 4711},
        {"binds": (Bind("/home/ada/data", DATA_DIR, False), Bind("/home/ada", "/home/ada", False))},
    ],
)
def test_a_changed_setting_changes_the_digest_and_not_the_name(change: dict[str, Any]) -> None:
    assert plan(**change).digest(KEY) != plan().digest(KEY)
    assert plan(**change).name == plan().name


@pytest.mark.parametrize(("name", "value"), [("PROCESSES", 7), ("__version__", "0.0.0")])
def test_another_version_changes_the_digest(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    before = plan().digest(KEY)
    monkeypatch.setattr(container_spec, name, value)
    assert plan().digest(KEY) != before


def test_the_digest_depends_on_a_secret() -> None:
    assert plan().digest(KEY) == plan().digest(KEY)
    assert plan().digest(KEY) != plan().digest("another")


def test_the_engine_shows_no_secret() -> None:
    shown = json.dumps(plan().options(KEY))
    assert "hunter2" not in shown
    assert KEY not in shown


def test_only_the_user_can_read_the_archive() -> None:
    archived = plan().files({"LABEL_STUDIO_PASSWORD": "once"})
    with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
        entries = {entry.name: entry for entry in archive}
        file = archive.extractfile("environment.json")
        assert file is not None
        private = json.load(file)
    assert all((e.uid, e.gid) == (1000, 1000) for e in entries.values())
    assert all(entry.mtime for name, entry in entries.items() if name.endswith(".py"))
    modes = {name: entry.mode for name, entry in entries.items() if "gunicorn" not in name}
    assert modes == {
        "labelstudio_server.py": 0o400,
        "labelstudio_settings.py": 0o400,
        "labelstudio_uploads.py": 0o400,
        "labelstudio_files.py": 0o400,
        "labelstudio_imports.py": 0o400,
        "labelstudio_urls.py": 0o400,
        "environment.json": 0o400,
        "temporary": 0o700,
    }
    assert private == {"POSTGRE_PASSWORD": "hunter2", "LABEL_STUDIO_PASSWORD": "once"}


def test_the_archive_is_readable_for_mapped_users() -> None:
    with tarfile.open(fileobj=io.BytesIO(plan(user_namespace="host").files({}))) as archive:
        modes = {entry.name: entry.mode for entry in archive if "gunicorn" not in entry.name}
    assert modes == {
        "labelstudio_server.py": 0o444,
        "labelstudio_settings.py": 0o444,
        "labelstudio_uploads.py": 0o444,
        "labelstudio_files.py": 0o444,
        "labelstudio_imports.py": 0o444,
        "labelstudio_urls.py": 0o444,
        "environment.json": 0o444,
        "temporary": 0o1777,
    }


def test_the_container_does_not_inherit_the_notebooks_environment() -> None:
    inherited = {"PATH": "/opt/conda/bin", "HTTP_PROXY": "http://me:secret@proxy", "TZ": "CET"}
    result = container_environment(inherited, Path("/nb"), {"LABEL_STUDIO_DEBUG": "true"})
    assert result["TZ"] == "CET"
    assert not {"PATH", "HTTP_PROXY", "LABEL_STUDIO_DEBUG", "DEBUG"} & set(result)
    assert result["LOCAL_FILES_DOCUMENT_ROOT"] == "/nb"
    assert result["LABEL_STUDIO_BASE_DATA_DIR"] == DATA_DIR


@pytest.mark.parametrize(
    "path",
    [
        "/home/ada",
        "/home/a:b,c d",
        "/srv/Bücher/日本",
        "/tmp/x",
        "/usr/local/share/nb",
        "/mnt",
        "/d'q\"",
    ],
)
def test_ordinary_folders_are_accepted(path: str) -> None:
    check_paths([("data_dir", Path("/etc/anywhere")), ("files_root", Path(path))])


@pytest.mark.parametrize(
    ("setting", "path", "why"),
    [
        ("files_root", "/", "the system or to Label Studio itself"),
        ("files_root", "/usr", "the system"),
        ("files_root", "/etc/jupyter", "the system"),
        ("files_root", "/home/../etc/jupyter", "the system"),
        ("files_root", "/run/user/1000", "the system"),
        ("files_root", "/var/run", "the system"),
        ("files_root", "/label-studio/data/x", "Label Studio itself"),
        ("files_root", "/home/a\nb", "control character"),
        ("data_dir", "/home/a\nb", "control character"),
        ("data_dir", os.fsdecode(b"/home/\xff"), "UTF-8"),
    ],
)
def test_impossible_folders_are_refused(setting: str, path: str, why: str) -> None:
    with pytest.raises(Problem) as problem:
        check_paths([(setting, Path(path))])
    assert why in problem.value.why
    assert setting in problem.value.remedy


def test_podman_accepts_no_commas_and_quotation_marks(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a,b")
    with pytest.raises(Problem, match="Podman cannot"):
        check_paths([("files_root", tmp_path / "link")], unquoted=True)
    check_paths([("files_root", Path("/home/a:b c"))], unquoted=True)
    with pytest.raises(Problem, match="Podman cannot"):
        check_paths([("files_root", Path("/home/a,b"))], unquoted=True)
