"""Why Label Studio ended: its last lines become a Problem."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from labelstudio_proxy.label_studio.exit_reasons import describe_return_code, explain_exit


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
    problem = explain_exit("exit status 1", lines, "Install it again.")
    assert "exit status 1" in problem.what
    assert told in problem.why
    assert problem.remedy


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (signal.SIGKILL, "signal SIGKILL"),
        (signal.SIGRTMIN, "signal SIGRTMIN"),
        (signal.SIGRTMIN + 3, f"signal {signal.SIGRTMIN + 3}"),
    ],
)
def test_each_signal_that_ends_a_process_is_told(number: int, told: str) -> None:
    kill = f"import os; os.kill(os.getpid(), {int(number)})"
    code = subprocess.run([sys.executable, "-c", kill], check=False).returncode
    assert describe_return_code(code) == told
    assert describe_return_code(3) == "exit status 3"


def test_a_kill_from_outside_is_told() -> None:
    assert "memory" in explain_exit("signal SIGKILL", ["fine"], "").why
