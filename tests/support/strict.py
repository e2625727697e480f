"""With `LABELSTUDIO_PROXY_TEST_STRICT=1` a skipped test fails the run."""

from __future__ import annotations

import os

import pytest


class Strict:
    """A pytest plugin for machines where everything is installed: a skipped test did not pass."""

    def __init__(self) -> None:
        # a dict, because each of xdist's workers reports a skipped module
        self.skipped: dict[str, str] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._record(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._record(report)

    def _record(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self.skipped[report.nodeid] = reason

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped:
            terminalreporter.section("skipped, which LABELSTUDIO_PROXY_TEST_STRICT forbids")
            for test, reason in self.skipped.items():
                terminalreporter.line(f"{test}: {reason}", red=True)


def register(config: pytest.Config) -> None:
    """Add the plugin if the environment asks for it, under xdist in the controller only."""
    wanted = os.environ.get("LABELSTUDIO_PROXY_TEST_STRICT", "") not in {"", "0"}
    if wanted and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Strict())
