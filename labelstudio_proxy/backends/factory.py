"""Makes the backend that the settings ask for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.notebook_files import NotebookFiles
from ..config.settings import LabelStudioProxy, user_name
from ..data_directory.directory import DataDirectory
from ..installation.folder import InstallFolder
from ..label_studio.aws import notebook_variables
from ..label_studio.environment import labelstudio_environment
from ..problem import Problem
from ..shell_command import pip_install
from .base import Backend, Report
from .process.backend import ProcessBackend
from .process.installation import how_to_install, is_installed
from .process.limits import Limits

if TYPE_CHECKING:
    from .docker.plan import DockerSettings, Planner


def make_backend(
    settings: LabelStudioProxy,
    files: NotebookFiles | None,
    report: Report,
    log: Callable[[str], None],
) -> Backend:
    """Return a new backend for one run of Label Studio; raises Problem."""
    if runs_as_process(settings):
        return _make_process(ProcessBackend, settings, files, report, log)
    # Here, not above: the import of Docker's SDK is slow and takes memory.
    with docker_sdk():
        from .docker.backend import DockerBackend

    can_install = settings.allow_install and settings.backend == "auto"
    without_process = how_to_install(_folder(settings), can_install=can_install)
    return DockerBackend(
        report,
        log,
        container_planner(settings, files),
        without_process if settings.backend == "auto" else "",
        can_install=can_install,
    )


def make_installing_backend(
    settings: LabelStudioProxy,
    files: NotebookFiles | None,
    report: Report,
    log: Callable[[str], None],
) -> Backend:
    """Return a backend that installs Label Studio first, where there is none; raises Problem."""
    present = is_installed(settings.label_studio, _folder(settings))
    if present or settings.backend == "docker" or not settings.allow_install:
        return make_backend(settings, files, report, log)
    from .process.installing import InstallingBackend  # here: seldom needed

    return _make_process(InstallingBackend, settings, files, report, log)


def _make_process(
    kind: type[ProcessBackend],
    settings: LabelStudioProxy,
    files: NotebookFiles | None,
    report: Report,
    log: Callable[[str], None],
) -> ProcessBackend:
    return kind(
        report,
        log,
        label_studio=settings.label_studio,
        install_folder=_folder(settings),
        can_install=settings.allow_install,
        environment=process_environment(settings, files.root if files else None),
        files_root=files.root if files and files.fixed else None,
        limits=Limits.of_settings(settings.memory_limit, settings.cpu_limit),
    )


def _folder(settings: LabelStudioProxy) -> InstallFolder:
    return InstallFolder(settings.install_directory())


def container_planner(settings: LabelStudioProxy, files: NotebookFiles | None) -> Planner:
    """Return what plans Label Studio's container; raises Problem."""
    with docker_sdk():
        from .docker import credentials
        from .docker.container_spec import container_environment
        from .docker.plan import Planner

    root, shown = (files.root, files.shown) if files else (None, None)
    shared = notebook_variables(os.environ) if settings.aws_credentials else None
    return Planner(
        settings=docker_settings(settings),
        directory=DataDirectory(settings.data_directory()),
        files_root=shown,
        document_root=root,
        environment=container_environment(
            os.environ, root, settings.environment, aws_credentials=settings.aws_credentials
        ),
        private={**credentials.variables(shared), **settings.environment},
        read_only=credentials.places(shared),
        user_name=user_name(),
        user=f"{os.getuid()}:{os.getgid()}",
    )


@contextlib.contextmanager
def docker_sdk() -> Iterator[None]:
    """Raise Problem if an import in this block fails."""
    try:
        yield
    except (Exception, SystemExit) as error:  # the latter: a script named docker.py
        raise Problem(
            "The Docker SDK for Python could not be loaded.",
            f"{type(error).__name__}: {error}.",
            f"Run `{pip_install('--force-reinstall docker')}`, then restart Jupyter.",
        ) from error


def process_environment(settings: LabelStudioProxy, files_root: Path | None) -> dict[str, str]:
    """Return the environment of a Label Studio that runs as a process."""
    directory = DataDirectory(settings.data_directory())
    return labelstudio_environment(
        os.environ,
        data_dir=directory.path,
        files_root=files_root,
        extra={"TMPDIR": str(directory.temporary), **settings.environment},
        aws_credentials=settings.aws_credentials,
    )


def runs_as_process(settings: LabelStudioProxy) -> bool:
    """Return True for a local process, False for a container."""
    automatic = settings.backend == "auto" and is_installed(
        settings.label_studio, _folder(settings)
    )
    return settings.backend == "process" or automatic


def docker_settings(settings: LabelStudioProxy) -> DockerSettings:
    """Return the settings for a container only."""
    from .docker.plan import DockerSettings

    return DockerSettings(
        image=settings.image,
        pull_policy=settings.pull_policy,
        memory_limit=settings.memory_limit,
        cpu_limit=settings.cpu_limit,
        docker_network=settings.docker_network,
        files_writable=settings.files_writable,
    )
