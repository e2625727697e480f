"""A process is told from another that has its id later, or on another machine."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from labelstudio_proxy.data_directory.process_identity import began, runs, this_process

HERE = this_process()


def test_this_process_runs_and_says_who_it_is() -> None:
    assert (HERE.pid, HERE.host) == (os.getpid(), os.uname().nodename)
    assert HERE.began
    assert runs(HERE, HERE) is True


def test_one_that_has_ended_does_not_run_even_while_nobody_has_asked_for_its_status() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as ended:
        process = replace(HERE, pid=ended.pid, began=began(ended.pid))
        assert ended.stdout is not None
        ended.stdout.read()  # to its end
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert runs(process, HERE) is False
    assert runs(process, HERE) is False


def test_an_id_that_is_used_again_is_another_process() -> None:
    assert runs(replace(HERE, began="1"), HERE) is False


def test_of_another_start_machine_or_container_nothing_is_known() -> None:
    assert runs(replace(HERE, boot="another"), HERE) is None
    assert runs(replace(HERE, pids="pid:[1]"), HERE) is None
    assert runs(replace(HERE, boot=""), replace(HERE, boot="")) is None  # without /proc
