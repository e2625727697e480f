"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..config.settings import absolute

F = TypeVar("F", bound=Callable[..., Any])


class AbsolutePath(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """The path of a file or folder, with `~` expanded, absolute."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; fails for `~name` without such a user, and for an empty path."""
        if not value:
            self.fail("the path is empty.", param, ctx)
        try:
            return absolute(str(value))
        except RuntimeError:
            self.fail(f"{value!r} names a user that this machine does not have.", param, ctx)


def data_dir_option(text: str) -> Callable[[F], F]:
    """Return the option `--data-dir`."""
    return click.option("--data-dir", type=AbsolutePath(), metavar="DIR", help=text)
