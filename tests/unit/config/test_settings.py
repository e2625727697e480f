from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

from labelstudio_proxy.config import settings as config
from labelstudio_proxy.config.handoff import Handoff
from labelstudio_proxy.config.settings import LabelStudioProxy, describe, resolve
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


def test_defaults_hold_where_nothing_is_set() -> None:
    settings, problems = settle()
    assert problems == []
    assert (settings.backend, settings.start_timeout, settings.new_browser_tab) == (
        "auto",
        600,
        True,
    )


def test_the_command_line_wins_over_the_environment_over_files_over_defaults() -> None:
    files = settings_of(start_timeout=1.0, label_studio="from files", data_dir="from files")
    environment = {
        "LABELSTUDIO_PROXY_START_TIMEOUT": "2",
        "LABELSTUDIO_PROXY_LABEL_STUDIO": "from environment",
    }
    command_line = settings_of(start_timeout=DeferredConfigString("3"))
    settings, problems = settle(command_line, environment, files)
    assert problems == []
    assert settings.start_timeout == 3
    assert settings.label_studio == "from environment"
    assert settings.data_dir == "from files"
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
def test_the_environment_gives_every_type(name: str, text: str, value: object) -> None:
    settings, problems = settle(environment={f"LABELSTUDIO_PROXY_{name.upper()}": text})
    assert problems == []
    assert getattr(settings, name) == value


def test_a_configuration_file_may_update_a_dictionary() -> None:
    files = Config()
    files.LabelStudioProxy.environment.update({"A": "b"})
    settings, problems = settle(files=files)
    assert problems == []
    assert settings.environment == {"A": "b"}


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        ("the command line", {"command_line": settings_of(start_timeout="soon")}),
        ("the environment", {"environment": {"LABELSTUDIO_PROXY_START_TIMEOUT": "soon"}}),
        ("the configuration files", {"files": settings_of(start_timeout="soon")}),
    ],
)
def test_a_wrong_value_is_told_with_its_source_and_leaves_the_default(
    source: str, arguments: dict[str, Any]
) -> None:
    settings, (problem,) = settle(**arguments)
    assert "LabelStudioProxy.start_timeout" in problem.what
    assert source in problem.why
    assert "restart Jupyter" in problem.remedy
    assert settings.start_timeout == 600


@pytest.mark.parametrize("name", ["data_dir", "files_root", "label_studio"])
def test_a_home_of_nobody_is_a_wrong_value(name: str) -> None:
    settings, (problem,) = settle(files=settings_of(**{name: "~no-such-user-here/x"}))
    assert name in problem.what
    assert not getattr(settings, name)


def test_a_wrong_value_hides_no_right_one() -> None:
    settings, problems = settle(
        environment={"LABELSTUDIO_PROXY_BACKEND": "kubernetes", "LABELSTUDIO_PROXY_DATA_DIR": "/d"}
    )
    assert len(problems) == 1
    assert settings.data_dir == "/d"


def test_a_misspelt_setting_is_told_with_the_one_that_was_meant() -> None:
    _, (problem,) = settle(files=settings_of(dat_dir="/d"))
    assert "dat_dir" in problem.what
    assert "data_dir" in problem.why


def test_foreign_variables_of_a_like_name_are_left_alone() -> None:
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
def test_what_label_studio_must_not_be_told_is_refused_without_showing_it(
    environment: object,
) -> None:
    settings, (problem,) = settle(files=settings_of(environment=environment))
    assert settings.environment == {}
    assert "secret-value" not in str(problem.as_json())


@pytest.mark.parametrize("email", ["ada", "ada@", "a b@localhost"])
def test_an_owner_without_an_address_is_refused(email: str) -> None:
    _, (problem,) = settle(files=settings_of(owner_email=email))
    assert "owner_email" in problem.what


def test_the_owner_is_the_jupyterhub_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ada lovelace@example.org")
    assert LabelStudioProxy().owner() == "ada-lovelace@localhost"
    assert LabelStudioProxy(owner_email="x@y").owner() == "x@y"


def test_the_files_root_is_jupyters_unless_it_is_set_or_switched_off(tmp_path: Path) -> None:
    assert LabelStudioProxy().files_directory("/notebooks") == Path("/notebooks")
    assert LabelStudioProxy(files_root="").files_directory("/notebooks") is None
    assert LabelStudioProxy(files_root=str(tmp_path)).files_directory("/notebooks") == tmp_path


def test_data_outlive_a_sagemaker_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert LabelStudioProxy().data_directory() == Path("/home/ada/.local/share/labelstudio-proxy")
    monkeypatch.setattr(config, "SAGEMAKER_VOLUME", tmp_path)
    assert LabelStudioProxy().data_directory() == tmp_path / ".labelstudio-proxy"


def test_the_handoff_gives_back_what_it_was_given() -> None:
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


def test_the_readme_lists_the_settings_as_they_are() -> None:
    readme = Path(__file__).parents[3] / "README.md"
    assert describe() in readme.read_text()
