"""What the backends are made of, without running Label Studio."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from labelstudio_proxy.backends.process.backend import find_installation, interpreter_of
from labelstudio_proxy.label_studio.environment import external_database, labelstudio_environment
from labelstudio_proxy.label_studio.exit_reasons import explain_exit
from labelstudio_proxy.problem import Problem

DATA = Path("/data")


def environment(
    inherited: dict[str, str] | None = None,
    extra: dict[str, str] | None = None,
    files_root: Path | None = None,
) -> dict[str, str]:
    return labelstudio_environment(
        inherited or {}, data_dir=DATA, files_root=files_root, extra=extra or {}
    )


def test_only_what_a_program_needs_is_inherited() -> None:
    inherited = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "HOST": "x86_64-conda-linux-gnu",
        "DEBUG": "maybe",
        "SECRET_KEY": "foreign",
        "LABEL_STUDIO_PORT": "tcp://10.0.0.1:80",
        "JUPYTER_TOKEN": "secret",
        "JUPYTERHUB_API_TOKEN": "secret",
        "DJANGO_DB": "postgresql",
        "CI": "true",
    }
    made = environment(inherited)
    assert made["PATH"] == "/bin"
    assert made["LC_ALL"] == "C"
    assert made["DEBUG"] == "false"
    assert made["DJANGO_DB"] == "sqlite"
    for name in ("HOST", "SECRET_KEY", "LABEL_STUDIO_PORT", "CI"):
        assert name not in made
    assert "secret" not in made.values()


def test_nothing_calls_out_and_nobody_signs_up() -> None:
    made = environment()
    assert made["SENTRY_DSN"] == made["FRONTEND_SENTRY_DSN"] == ""
    assert made["COLLECT_ANALYTICS"] == made["LATEST_VERSION_CHECK"] == "false"
    assert made["DISABLE_SIGNUP_WITHOUT_LINK"] == "true"
    assert made["CORS_ALLOW_ALL_ORIGINS"] == "false"


def test_addresses_of_this_machine_are_refused_unless_the_user_says_else() -> None:
    inherited = {"SSRF_PROTECTION_ENABLED": "false", "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "0"}
    made = environment(inherited)
    assert [made[name] for name in made if "SSRF" in name] == ["true"]
    made = environment(extra={"LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "false"})
    assert [made[name] for name in made if "SSRF" in name] == ["false"]


def test_local_files_are_the_files_roots() -> None:
    assert environment()["LOCAL_FILES_SERVING_ENABLED"] == "false"
    made = environment(files_root=Path("/notebooks"))
    assert made["LOCAL_FILES_SERVING_ENABLED"] == "true"
    assert made["LOCAL_FILES_DOCUMENT_ROOT"] == "/notebooks"


@pytest.mark.parametrize("name", ["DJANGO_DB", "LABEL_STUDIO_DJANGO_DB", "HEARTEX_DJANGO_DB"])
def test_the_users_own_variables_win_under_each_of_their_names(name: str) -> None:
    made = environment(extra={name: "default"})
    assert [made[each] for each in made if each.endswith("DJANGO_DB")] == ["default"]
    assert external_database({name: "default"})
    assert not external_database({name: "sqlite"})


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["OSError: [Errno 28] No space left on device"], "disk"),
        (["OSError: [Errno 122] Disk quota exceeded: 'media'"], "quota"),
        (["django.db.utils.OperationalError: database is locked"], "Another program"),
        (["sqlite3.DatabaseError: file is not a database"], "damaged"),
        (["PermissionError: [Errno 13] Permission denied: 'media'"], "may not write"),
        (["ModuleNotFoundError: No module named 'label_studio'"], "incomplete"),
        (['connection to server at "db" failed'], "could not be reached"),
        (["Traceback", "ValueError: something else", ""], "ValueError: something else"),
        ([], "printed nothing"),
    ],
)
def test_the_last_words_are_explained(lines: list[str], told: str) -> None:
    problem = explain_exit("exit status 1", lines)
    assert "exit status 1" in problem.what
    assert told in problem.why
    assert problem.remedy


def test_a_kill_from_outside_is_told() -> None:
    assert "memory" in explain_exit("signal SIGKILL", ["fine"]).why


@pytest.mark.parametrize(
    "head",
    [
        "#!{python}\n",
        "#!{python} -s\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_the_interpreter_of_a_script_of_pip_is_found(tmp_path: Path, head: str) -> None:
    folder = tmp_path / "an environment" if '"' in head else tmp_path
    folder.mkdir(exist_ok=True)
    python = folder / "python3"
    python.symlink_to(sys.executable)
    script = tmp_path / "label-studio"
    script.write_text(head.format(python=python) + "import sys\n")
    assert interpreter_of(script) == python


@pytest.mark.parametrize("head", ["#!/bin/sh\nexec conda run label-studio\n", "\x7fELF\n", ""])
def test_other_programs_have_none(tmp_path: Path, head: str) -> None:
    script = tmp_path / "label-studio"
    script.write_text(head)
    assert interpreter_of(script) is None


async def test_the_label_studio_of_this_environment_is_found() -> None:
    pytest.importorskip("label_studio_sdk")
    found = await find_installation("")
    assert found.python == Path(sys.executable)
    assert found.wsgi_server
    assert found.version[0].isdigit()


async def test_a_label_studio_of_another_environment_is_looked_into() -> None:
    executable = Path(sys.executable).with_name("label-studio")
    if not executable.exists():
        pytest.skip("Label Studio is not installed")
    found = await find_installation(str(executable))
    assert found.wsgi_server
    assert found.version == (await find_installation("")).version


@pytest.mark.parametrize(("make", "told"), [("nothing", "nothing"), ("folder", "a folder")])
async def test_a_path_with_no_program_is_told(tmp_path: Path, make: str, told: str) -> None:
    path = tmp_path / "label-studio"
    if make == "folder":
        path.mkdir()
    with pytest.raises(Problem, match="There is no Label Studio") as problem:
        await find_installation(str(path))
    assert told in problem.value.why


async def test_a_file_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    path = tmp_path / "label-studio"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o644)
    with pytest.raises(Problem, match="cannot be run") as problem:
        await find_installation(str(path))
    assert "chmod +x" in problem.value.remedy
    assert not os.access(path, os.X_OK)
