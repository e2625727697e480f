"""The test run, and fixtures of Label Studio and JupyterLab. Everything listens on 127.0.0.1.

Importing this file needs neither Label Studio nor a browser nor a container engine: unit and
gateway tests run without them (`make test-fast`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from support import environments, groups, label_studio, network, results, strict
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import BareLabelStudio

pytest_plugins = ["support.engine_fixtures"]

# A shell's background job ignores Ctrl-C, one under nohup ignores SIGHUP, and so would every program
# that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Several tests run at the same time, so the duration of one example says nothing.
hypothesis.settings.register_profile(
    "parallel",
    hypothesis.settings.default,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("parallel")


# ---- the run


def pytest_configure(config: pytest.Config) -> None:
    strict.register(config)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    groups.assign(items)  # before xdist reads the marks
    yield
    groups.check(config, items)
    groups.sort(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with network.of_test(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for node in item.listchain():
            node.stash[results.failed] = True
    return report


# ---- Label Studio


@pytest.fixture(scope="session")
def new_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Make a data directory with the package's migrated database, without an account."""

    def new() -> Path:
        return label_studio.new_data_dir(tmp_path_factory.mktemp("label-studio") / "data")

    return new


@pytest.fixture
def data_dir(new_data_dir: Callable[[], Path]) -> Path:
    """A data directory for this test alone: migrated, without an account."""
    return new_data_dir()


def _bare_label_studio(request: pytest.FixtureRequest) -> Iterator[Callable[..., BareLabelStudio]]:
    with contextlib.ExitStack() as stack:

        def start(*args: object, **options: object) -> BareLabelStudio:
            server = BareLabelStudio(*args, **options)  # type: ignore[arg-type]
            stack.callback(server.stop)
            stack.callback(results.keep_log, request, server.process.log)
            return server

        yield start


@pytest.fixture(scope="session")
def folder_of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of a test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def shared_cache(folder_of_run: Path) -> Path:
    """One user's cache for all Jupyters of the run: Label Studio's scripts are compressed once."""
    cache = folder_of_run / "cache"
    cache.mkdir(mode=0o700, exist_ok=True)
    return cache


@pytest.fixture(scope="session")
def oldest_jupyterlab(folder_of_run: Path) -> Path:
    """The Python of an environment with the oldest supported JupyterLab and Notebook 7."""
    folder = folder_of_run / "oldest-jupyterlab"
    with (folder_of_run / "oldest-jupyterlab.lock").open("w") as lock, network.of_machine():
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder / "bin" / "python"
        try:
            return environments.overlay(folder, *environments.OLDEST_JUPYTERLAB)
        except environments.CannotInstall as error:
            pytest.skip(f"the oldest JupyterLab cannot be installed: {error}")


@pytest.fixture(scope="session", params=["oldest", "newest"])
def any_jupyterlab(request: pytest.FixtureRequest) -> Path:
    """The Python of an environment: with the oldest JupyterLab and Notebook, and with the newest."""
    if request.param == "newest":
        return Path(sys.executable)
    oldest: Path = request.getfixturevalue("oldest_jupyterlab")
    return oldest


def _jupyter_lab(
    request: pytest.FixtureRequest, shared_cache: Path
) -> Iterator[Callable[..., JupyterLab]]:
    with contextlib.ExitStack() as stack:

        def start(*, new_cache: bool = False, **options: Any) -> JupyterLab:
            # an engine has a cache, see `Engine.cache`, and so has another user
            has_own = {"DOCKER_HOST", "XDG_CACHE_HOME"} & set(options.get("env") or {})
            if not (new_cache or has_own or options.get("user")):
                options["cache"] = shared_cache
            server = JupyterLab(**options)
            stack.callback(server.stop)
            stack.callback(results.keep_log, request, server.process.log)
            stack.callback(_keep_label_studios_log, request, server.home)
            return server

        yield start


def _keep_label_studios_log(request: pytest.FixtureRequest, home: Path) -> None:
    for log in home.rglob("label-studio-*.log"):
        results.keep_log(request, log)


# Call them with the arguments of `BareLabelStudio` and `JupyterLab`. They stop what they started
# after the test, or after the module's last test. `new_cache=True` gives a Jupyter a separate cache.
bare_label_studio = pytest.fixture(_bare_label_studio, name="bare_label_studio")
module_bare_label_studio = pytest.fixture(
    _bare_label_studio, scope="module", name="module_bare_label_studio"
)
jupyter_lab = pytest.fixture(_jupyter_lab, name="jupyter_lab")
module_jupyter_lab = pytest.fixture(_jupyter_lab, scope="module", name="module_jupyter_lab")


@pytest.fixture(scope="session")
def label_studio_client() -> Iterator[Callable[[JupyterLab], LabelStudioClient]]:
    """A program's way to Label Studio: `label_studio_client(jupyter).wait_ready()`."""
    with contextlib.ExitStack() as stack:

        def connect(jupyter: JupyterLab) -> LabelStudioClient:
            client = LabelStudioClient(jupyter)
            stack.callback(client.close)
            return client

        yield connect


@pytest.fixture(scope="module")
def studio(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> LabelStudioClient:
    """A program's way to a Label Studio that is ready, in the `jupyter` that the module defines."""
    client = label_studio_client(jupyter)
    client.wait_ready()
    return client
