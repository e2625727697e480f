"""What the page says if Label Studio rejects the owner."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from support.gateway import add_account

from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.gateway.identity import explain_refusal
from labelstudio_proxy.shell_command import shell_command


@pytest.mark.parametrize(
    ("executable", "image", "program"),
    [
        ("", "", shell_command("label-studio")),
        ("/opt/label studio/bin/label-studio", "", "'/opt/label studio/bin/label-studio'"),
        ("", "labels:1", "--entrypoint label-studio labels:1"),
    ],
)
def test_commands_run_the_label_studio_that_the_settings_name(
    data_dir: Path, executable: str, image: str, program: str
) -> None:
    add_account(data_dir, "ada@localhost")
    with contextlib.closing(sqlite3.connect(data_dir / "label_studio.sqlite3")) as database:
        database.execute("UPDATE htx_user SET is_active = 0")
        database.commit()
    problem = explain_refusal(DataDirectory(data_dir), False, 0.0, executable, image)
    assert problem.why == "The account ada@localhost is deactivated."
    assert f"{program} reset_password --username ada@localhost" in problem.remedy
