"""The command line: `labelstudio-proxy COMMAND`. Each command imports what it needs when it runs."""

from __future__ import annotations

import sys

import click

from .._version import __version__
from ..problem import Problem, unexpected
from ..shell_command import shell_command
from . import control, data, doctor, install, output, projects, serve

NAME = "labelstudio-proxy"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
def commands() -> None:
    """Manage Label Studio in JupyterLab."""


for each in (
    *(control.status, control.logs, control.open_page),
    *(control.start, control.stop, control.restart),
    *(projects.label, projects.projects, projects.export),
    *(install.install, install.uninstall),
    *(data.prepare, data.backup, data.restore, serve.serve, doctor.doctor),
):
    commands.add_command(each)


def main(arguments: list[str] | None = None) -> None:
    """Run the command in `arguments` (default: the process's).

    Exits with 1 if it fails, with 2 if it is no command.
    """
    words = sys.argv[1:] if arguments is None else arguments
    as_json = output.JSON in words
    try:
        program = shell_command(NAME)
        status = commands.main(
            words, prog_name=program, standalone_mode=False, color=output.colour()
        )
    except click.Abort:  # Ctrl-C
        sys.exit(130)
    except click.UsageError as error:
        if not as_json:
            error.show()
            sys.exit(error.exit_code)
        remedy = f"See `{error.ctx.command_path if error.ctx else program} --help`."
        output.fail(Problem(error.format_message(), "", remedy), as_json=True, status=2)
    except Problem as problem:
        output.fail(problem, as_json=as_json)
    except OSError as error:
        output.fail(Problem(f"{error.strerror or error}.", "", ""), as_json=as_json)
    except Exception as error:
        if not as_json:
            raise
        output.fail(unexpected("The command failed.", error), as_json=True)
    if status:
        sys.exit(status)
