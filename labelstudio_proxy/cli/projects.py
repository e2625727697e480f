"""`label`, `projects` and `export`: commands that make, list and export projects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TextIO

import click

from ..client import api
from ..client.browser import open_in_browser, without_token
from ..client.connection import local
from ..client.source import file_path, source_json
from ..problem import Problem
from .options import AbsolutePath, data_dir_option
from .output import answer, json_option

which = data_dir_option("data directory of the Label Studio to use, if there are several")


@click.command(short_help="make a project over a folder")
@click.argument("source", metavar="FOLDER", nargs=-1, required=True)
@click.option("--labels", metavar="A,B,…", help="what people choose from")
@click.option(
    "--label",
    "more_labels",
    metavar="LABEL",
    multiple=True,
    help="one label, which may have a comma in it; repeat it for more",
)
@click.option("--task", metavar="NAME", help="such as object-detection; default: classification")
@click.option("--title", metavar="TEXT", help="title of the project; default: the folder's name")
@click.option(
    "--config",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="a labelling interface (XML), instead of labels and a task",
)
@click.option("--keep", metavar="FILE", help="a file in the folder that has the labels at any time")
@click.option("--open", "opens", is_flag=True, help="open the project in the browser")
@which
@json_option
def label(
    source: tuple[str, ...],
    labels: str | None,
    more_labels: tuple[str, ...],
    task: str | None,
    title: str | None,
    config: TextIO | None,
    keep: str | None,
    opens: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Make a project over the files in FOLDER, and start Label Studio if needed.

    Instead of a folder: files, a pattern ('scans/**/*.png'), or s3://bucket/prefix. If the project is
    there already, only new files are added.
    """
    connection = local(data_dir)
    body = {
        "source": source_json(
            source[0] if len(source) == 1 else source, column=None, recursive=True
        ),
        "base": connection.base,
        "labels": [*_split(labels), *more_labels] or None,
        "task": task,
        "title": title,
        "config": config.read() if config else None,
        "keep": None if keep is None else file_path(keep),
    }
    try:
        result = connection.call("POST", "projects", body)
    except Problem as problem:
        raise with_options(problem) from problem
    project = result["project"]
    address = connection.address(project["url"])
    text = f"Project {project['id']}, {project['title']}: {_counts(project)}, at {address}"
    fields = {
        **project,
        "address": without_token(address),
        "added": result["added"],
        "notes": result["notes"],
    }
    answer("\n".join([*result["notes"], text]), fields, as_json=as_json)
    if opens:
        open_in_browser(address)


def with_options(problem: Problem) -> Problem:
    """Return the problem with options of the command, in place of the arguments of `label()`."""

    def reword(text: str) -> str:
        text = re.sub(r"`labels=\[.*?\]`", "`--labels A,B`", text)
        text = re.sub(r"`task='(.*?)'`", r"`--task \1`", text)
        text = re.sub(r"`(labels|config|title|keep)`", r"`--\1`", text)
        return text.replace("relative to the notebook", "relative to the current folder")

    return Problem(reword(problem.what), reword(problem.why), reword(problem.remedy))


@click.command(short_help="list the projects")
@which
@json_option
def projects(data_dir: Path | None, as_json: bool) -> None:
    """List the projects, newest first, and how much of each is labelled."""
    found = local(data_dir).call("GET", "projects")["projects"]
    width = max((len(str(project["id"])) for project in found), default=0)
    rows = [f"{each['id']:>{width}}  {each['title']}: {_counts(each)}" for each in found]
    answer("\n".join(rows) or "There is no project yet.", {"projects": found}, as_json=as_json)


@click.command(short_help="write the labels of a project into a folder")
@click.argument("project")
@click.argument("name", metavar="FORMAT")
@click.argument("folder", type=AbsolutePath())
@click.option(
    "--without-pictures", is_flag=True, help="leave out pictures, where the format has them"
)
@which
@json_option
def export(
    project: str,
    name: str,
    folder: Path,
    without_pictures: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Write the labels of PROJECT, its title or number, into FOLDER, which is new or empty.

    FORMAT is one of Label Studio's, such as JSON, CSV, COCO, YOLO or VOC, or imagefolder: a folder for
    each label. The folder is written whole or not at all.
    """
    api.use(local(data_dir))
    found = api.project(int(project) if project.isdecimal() else project)
    written = found.export(name, folder, pictures=not without_pictures)
    text = f"The labels of {found.title} are in {written}."
    answer(text, {"project": found.id, "format": name, "folder": str(written)}, as_json=as_json)


def _split(labels: str | None) -> list[str]:
    return [] if labels is None else [each.strip() for each in labels.split(",")]


def _counts(project: dict[str, Any]) -> str:
    return f"{project['labelled']:,} of {project['total']:,} labelled"
