"""The commands for projects."""

from __future__ import annotations

import pytest

from labelstudio_proxy.cli.projects import with_options
from labelstudio_proxy.problem import Problem


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('Write what people choose from: `labels=["…", "…"]`.', "choose from: `--labels A,B`."),
        ("Use `task='a-b'` or `task='c'`.", "Use `--task a-b` or `--task c`."),
        ("Correct `config` or `labels`.", "Correct `--config` or `--labels`."),
        ("It is relative to the notebook, or absolute.", "relative to the current folder, or"),
        ("`/data/labels` has no task.", "`/data/labels` has no task."),
    ],
)
def test_a_problem_names_the_options_of_the_command(said: str, shown: str) -> None:
    problem = with_options(Problem(said, said, said))
    assert [shown in part for part in (problem.what, problem.why, problem.remedy)] == [True] * 3
