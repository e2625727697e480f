"""setuptools' build backend, which builds the JupyterLab extension before a wheel."""

from __future__ import annotations

from typing import Any

import build_labextension
from setuptools import build_meta
from setuptools.build_meta import *


def build_wheel(*arguments: Any, **options: Any) -> str:
    build_labextension.build()
    return build_meta.build_wheel(*arguments, **options)


def build_editable(*arguments: Any, **options: Any) -> str:
    build_labextension.build()
    return build_meta.build_editable(*arguments, **options)
