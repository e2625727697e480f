"""Why Label Studio ended: its last lines become a Problem."""

from __future__ import annotations

import pytest

from labelstudio_proxy.label_studio.exit_reasons import explain_exit


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
