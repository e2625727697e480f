"""Progress on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from labelstudio_proxy.cli.output import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_still_full_when_the_last_text_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar() as show:
        show(0, 0, "asking the registry")
        show(5, 5, "5 of 5 layers")
        show(0, 0, "downloaded")
    last = terminal.getvalue().split("\r")[-1]
    assert "downloaded" in last
    assert "100%" in last
