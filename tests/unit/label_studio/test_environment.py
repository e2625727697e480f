"""Label Studio's environment: what it inherits, what is set, what the user may set."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.label_studio.environment import external_database, labelstudio_environment

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


NOTEBOOKS = {
    "HOME": "/home/ada",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "AWS_PROFILE": "labels",
    "AWS_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL": "http://minio:9000",
}
CLOSED = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG")


def test_no_aws_credential_reaches_label_studio_by_default() -> None:
    made = environment(NOTEBOOKS)
    assert not {*NOTEBOOKS} & {*made} - {"HOME"}
    assert {made[name] for name in CLOSED} == {"/dev/null"}
    assert made["AWS_EC2_METADATA_DISABLED"] == "true"


def test_the_setting_lets_the_notebooks_aws_credentials_through() -> None:
    made = labelstudio_environment(
        NOTEBOOKS,
        data_dir=DATA,
        files_root=None,
        extra={"AWS_PROFILE": "other"},
        aws_credentials=True,
    )
    assert NOTEBOOKS.items() - made.items() == {("AWS_PROFILE", "labels")}
    assert made["AWS_PROFILE"] == "other"
    assert made["AWS_DEFAULT_REGION"] == "eu-central-1"  # as boto3 reads it
    assert not {*CLOSED, "AWS_EC2_METADATA_DISABLED"} & {*made}


def test_users_choose_aws_credentials_in_the_environment_of_label_studio() -> None:
    made = environment(NOTEBOOKS, {"AWS_ACCESS_KEY_ID": "AKIAOTHER"})
    assert made["AWS_ACCESS_KEY_ID"] == "AKIAOTHER"
    assert made["AWS_CONFIG_FILE"] == "/dev/null"
    profile = environment(NOTEBOOKS, {"AWS_PROFILE": "other"})
    assert profile["AWS_PROFILE"] == "other"
    assert not {*CLOSED} & {*profile}
    role = environment(NOTEBOOKS, {"AWS_EC2_METADATA_DISABLED": "false"})
    assert role["AWS_EC2_METADATA_DISABLED"] == "false"
