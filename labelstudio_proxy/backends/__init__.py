"""How Label Studio is run: one small interface, one module for each way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..config import LabelStudioProxy
from .base import Backend, Report
from .environment import labelstudio_environment
from .process import ProcessBackend


def make_backend(
    settings: LabelStudioProxy,
    files_root: Path | None,
    report: Report,
    log: Callable[[str], None],
) -> Backend:
    """The backend that `settings.backend` asks for, for one life of Label Studio."""
    return ProcessBackend(
        report,
        log,
        label_studio=settings.label_studio,
        environment=labelstudio_environment(
            os.environ,
            data_dir=settings.data_directory(),
            files_root=files_root,
            extra=settings.environment,
        ),
    )
