from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

from labelstudio_proxy.config import settings as config
from labelstudio_proxy.config.handoff import Handoff
from labelstudio_proxy.config.notebook_files import NotebookFiles
from labelstudio_proxy.config.settings import LabelStudioProxy, resolve, user_name
from labelstudio_proxy.problem import Problem


def settings_of(**values: object) -> Config:
    return Config({"LabelStudioProxy": values})


def settle(
    command_line: Config | None = None,
    environment: dict[str, str] | None = None,
    files: Config | None = None,
) -> tuple[LabelStudioProxy, list[Problem]]:
    return resolve(
        command_line=command_line or Config(),
        environment=environment or {},
        files=files or Config(),
    )


def test_defaults_apply_if_nothing_is_set() -> None:
    settings, problems = settle()
    assert problems == []
    assert (settings.backend, settings.start_timeout, settings.new_browser_tab) == (
        "auto",
        600,
        True,
    )


def test_command_line_overrides_environment_overrides_files_overrides_defaults() -> None:
    files = settings_of(start_timeout=1.0, label_studio="/from/files", data_dir="/from/files")
    environment = {
        "LABELSTUDIO_PROXY_START_TIMEOUT": "2",
        "LABELSTUDIO_PROXY_LABEL_STUDIO": "/from/environment",
    }
    command_line = settings_of(start_timeout=DeferredConfigString("3"))
    settings, problems = settle(command_line, environment, files)
    assert problems == []
    assert settings.start_timeout == 3
    assert settings.label_studio == "/from/environment"
    assert settings.data_dir == "/from/files"
    assert settings.files_writable is False


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("new_browser_tab", "false", False),
        ("new_browser_tab", "1", True),
        ("start_timeout", "12.5", 12.5),
        (
            "environment",
            '{"POSTGRE_HOST": "db", "A": "\\"b\\""}',
            {"POSTGRE_HOST": "db", "A": '"b"'},
        ),
        ("files_root", "", ""),
        ("data_dir", "/labels/ü x", "/labels/ü x"),
    ],
)
def test_environment_can_set_every_type(name: str, text: str, value: object) -> None:
    settings, problems = settle(environment={f"LABELSTUDIO_PROXY_{name.upper()}": text})
    assert problems == []
    assert getattr(settings, name) == value


def test_configuration_file_may_update_a_dictionary() -> None:
    files = Config()
    files.LabelStudioProxy.environment.update({"A": "b"})
    settings, problems = settle(files=files)
    assert problems == []
    assert settings.environment == {"A": "b"}


@pytest.mark.parametrize(
    ("why", "arguments"),
    [
        (
            "The command line sets it to 'soon'.",
            {"command_line": settings_of(start_timeout=DeferredConfigString("soon"))},
        ),
        (
            "The environment variable LABELSTUDIO_PROXY_START_TIMEOUT sets it to 'soon'.",
            {"environment": {"LABELSTUDIO_PROXY_START_TIMEOUT": "soon"}},
        ),
        ("The configuration files set it to 'soon'.", {"files": settings_of(start_timeout="soon")}),
    ],
)
def test_problem_of_a_wrong_value_names_its_source_and_the_default_stays(
    why: str, arguments: dict[str, Any]
) -> None:
    settings, (problem,) = settle(**arguments)
    assert problem.what == (
        "`start_timeout` must be a number of seconds, at least 1, for example 600."
    )
    assert problem.why == why
    assert problem.remedy == "Correct the setting `start_timeout`, then restart Jupyter."
    assert settings.start_timeout == 600


# A wrong value of each setting, and words of the rule that its message must have.
WRONG: dict[str, tuple[object, str]] = {
    "allow_install": ("maybe", "`True` or `False`"),
    "aws_credentials": ("maybe", "`True` or `False`"),
    "backend": ("podman", "`process`"),
    "cpu_limit": (-1, "processors"),
    "data_dir": ("~no-such-user-here", "a folder"),
    "docker_network": ("container:other", "`bridge`"),
    "environment": ("{", "names with texts"),
    "files_root": (3, "a folder"),
    "files_writable": ("maybe", "`True` or `False`"),
    "idle_timeout": ("half-an-hour", "seconds"),
    "image": ("two words", "an image"),
    "keep_labels": ("labels.csv", "`labels.jsonl`"),
    "install_dir": ("~no-such-user-here", "a folder"),
    "label_studio": ("~no-such-user-here/label-studio", "a program"),
    "memory_limit": ("2 GB", "`2g`"),
    "new_browser_tab": ("maybe", "`True` or `False`"),
    "owner_email": ("ada@", "e-mail address"),
    "prewarm": ("maybe", "`True` or `False`"),
    "pull_policy": ("sometimes", "`always`"),
    "tile": ("maybe", "`True` or `False`"),
    "start_timeout": (0, "seconds"),
}


@pytest.mark.parametrize("name", LabelStudioProxy.class_trait_names(config=True))
def test_problem_of_a_wrong_value_says_what_the_setting_must_be(name: str) -> None:
    value, rule = WRONG[name]
    settings, (problem,) = settle(files=settings_of(**{name: value}))
    assert problem.what.startswith(f"`{name}` must be ")
    assert rule in problem.what
    assert getattr(settings, name) == getattr(LabelStudioProxy(), name)


@pytest.mark.parametrize("name", ["data_dir", "files_root", "install_dir", "label_studio"])
@pytest.mark.parametrize("value", ["~no-such-user-here/x", "labels", "./labels", " ", "/a\0b"])
def test_path_that_depends_on_the_current_folder_or_names_none_is_wrong(
    name: str, value: str
) -> None:
    settings, (problem,) = settle(files=settings_of(**{name: value}))
    assert problem.what.startswith(f"`{name}` must be the absolute path of a ")
    assert not getattr(settings, name)


@pytest.mark.parametrize("name", ["cpu_limit", "start_timeout", "idle_timeout"])
@pytest.mark.parametrize("value", ["nan", "inf", "1e999"])
def test_number_without_an_end_is_wrong(name: str, value: str) -> None:
    settings, (problem,) = settle(environment={f"LABELSTUDIO_PROXY_{name.upper()}": value})
    assert problem.what.startswith(f"`{name}` must be a number of ")
    assert getattr(settings, name) == getattr(LabelStudioProxy(), name)


def test_wrong_value_leaves_the_right_ones() -> None:
    settings, problems = settle(
        environment={"LABELSTUDIO_PROXY_BACKEND": "kubernetes", "LABELSTUDIO_PROXY_DATA_DIR": "/d"}
    )
    assert len(problems) == 1
    assert settings.data_dir == "/d"


def test_problem_of_a_misspelt_setting_suggests_the_right_one() -> None:
    _, (problem,) = settle(files=settings_of(dat_dir="/d"))
    assert problem.what == "There is no setting `dat_dir`."
    assert "Did you mean `data_dir`?" in problem.remedy


def test_variables_of_kubernetes_with_similar_names_are_ignored() -> None:
    # Kubernetes makes these for a service called labelstudio-proxy.
    _, problems = settle(environment={"LABELSTUDIO_PROXY_PORT": "tcp://10.0.0.1:80"})
    assert problems == []


@pytest.mark.parametrize(
    "environment",
    [
        {"LABEL_STUDIO_HOST": "https://hub.example/secret-value"},
        {"HOST": "secret-value"},
        {"HEARTEX_PORT": "secret-value"},
        {"LABEL_STUDIO_BASE_DATA_DIR": "secret-value"},
        {"POSTGRE_PASSWORD": ["secret-value"]},
        "secret-value",
    ],
)
def test_reserved_variables_are_refused_and_no_value_is_shown(
    environment: object,
) -> None:
    settings, (problem,) = settle(files=settings_of(environment=environment))
    assert settings.environment == {}
    assert "secret-value" not in str(problem.as_json())


@pytest.mark.parametrize("email", ["ada", "ada@", "a b@localhost"])
def test_owner_email_must_be_an_address(email: str) -> None:
    _, (problem,) = settle(files=settings_of(owner_email=email))
    assert "owner_email" in problem.what


def test_owner_is_the_jupyterhub_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ada lovelace@example.org")
    settings, named = LabelStudioProxy(), LabelStudioProxy(owner_email="x@y")
    assert settings.owner() == "ada-lovelace@localhost"
    assert settings.owner_name() == named.owner_name() == "ada lovelace@example.org"
    assert named.owner() == "x@y"


def test_owner_of_a_service_of_a_hub_is_not_named_for_the_account_that_runs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "root")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_NAME", "label-studio")
    assert LabelStudioProxy(owner_email="team@hub.example").owner_name() == ""


def test_owner_name_has_no_backslash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", r"LAB\ada")
    assert LabelStudioProxy().owner_name() == "LAB/ada"
    assert LabelStudioProxy().owner() == "LAB-ada@localhost"


def test_owner_without_a_hub_has_the_name_of_the_user_unless_the_address_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    assert LabelStudioProxy().owner_name() == user_name()
    assert LabelStudioProxy(owner_email="x@y").owner_name() == ""


def test_files_root_can_be_set_and_be_empty(tmp_path: Path) -> None:
    assert LabelStudioProxy(files_root="").notebook_files("/notebooks") is None
    chosen = LabelStudioProxy(files_root=str(tmp_path)).notebook_files("/notebooks")
    assert chosen == NotebookFiles(tmp_path, tmp_path, fixed=True)


def test_default_data_dir_survives_a_sagemaker_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert LabelStudioProxy().data_directory() == Path("/home/ada/.local/share/labelstudio-proxy")
    volume = tmp_path / "ec2-user" / "SageMaker"
    volume.mkdir(parents=True)
    monkeypatch.setattr(config, "SAGEMAKER_VOLUME", volume)
    monkeypatch.setenv("HOME", str(volume.parent))
    assert LabelStudioProxy().data_directory() == volume / ".labelstudio-proxy"
    monkeypatch.setenv("HOME", "/home/ada")
    account = SimpleNamespace(pw_name="ec2-user")
    monkeypatch.setattr(pwd, "getpwuid", lambda _: account)
    assert LabelStudioProxy().data_directory() == volume / ".labelstudio-proxy"


SHOW_DEFAULT = (
    "from labelstudio_proxy.config.settings import default_data_dir; print(default_data_dir())"
)


@pytest.mark.parametrize(
    ("home", "found"),
    [
        ("/root", "/root/.local/share/labelstudio-proxy"),
        ("/home/ec2-user", "/home/ec2-user/SageMaker/.labelstudio-proxy"),
    ],
)
def test_sagemaker_folder_of_another_user_is_not_the_default(home: str, found: str) -> None:
    """Root may write into it, on any machine."""
    if shutil.which("unshare") is None or os.getuid():
        pytest.skip("only root can mount, and with unshare")
    script = 'mount -t tmpfs tmpfs /home; mkdir -p /home/ec2-user/SageMaker; exec "$@"'
    told = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", sys.executable, "-c", SHOW_DEFAULT],
        env={**os.environ, "HOME": home},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == found


def test_handoff_loads_what_it_dumped() -> None:
    handoff = Handoff(
        LabelStudioProxy(data_dir="/ü {x}", environment={"A": "{b}"}, files_root=""),
        [Problem("what", "why", "remedy")],
        root_dir="/n",
        allow_origin="https://a",
        allow_origin_pat=".*",
        frame_ancestors="'self' https://portal",
        parent=4711,
    )
    again = Handoff.load(handoff.dump())
    assert again.dump() == handoff.dump()
    assert again.settings.environment == {"A": "{b}"}
    assert again.problems[0].as_json() == {"what": "what", "why": "why", "remedy": "remedy"}
