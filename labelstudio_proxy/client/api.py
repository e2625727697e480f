"""`label`, `project`, `projects` and `connect`: what `import labelstudio_proxy` offers."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from typing import Any

from ..problem import Problem
from . import connection as connections
from .project import Project
from .sdk import sdk_client
from .source import file_path, source_json

_connection: connections.Connection | None = None


def label(
    source: Any,
    *,
    labels: Sequence[str] | None = None,
    task: str | None = None,
    title: str | None = None,
    config: str | None = None,
    column: str | None = None,
    recursive: bool = True,
    predictions: Any = None,
    keep: str | os.PathLike[str] | bool | None = None,
) -> Project:
    """Return a project over `source`, made in Label Studio if it is not there yet.

    With the same source and title it is the same project, and only new items are added. A notebook
    shows its card.

    source:      a folder (relative to the notebook, or absolute), a glob, a list of paths or texts, a
                 DataFrame or Series of them, or `s3://bucket/prefix`. A path may be `s3://bucket/key`.
    labels:      what people choose from, for example `["Hot dog", "Not hot dog"]`.
    task:        for example `object-detection`; default: the classification of what is there.
    title:       default: the name of the folder.
    config:      an own labelling interface (Label Studio's XML), instead of `labels` and `task`.
    column:      of a DataFrame: the texts or paths to label.
    recursive:   also the files in subfolders.
    predictions: as for `Project.add_predictions`, with the model version "predictions".
    keep:        a file, for example `"labels.jsonl"`, that has the labels at any time, one row a line:
                 `pandas.read_json("labels.jsonl", lines=True)`. Relative to the folder that is
                 labelled, else to the notebook. Default: the setting `keep_labels`; False: none.

    Raises `labelstudio_proxy.Problem`, whose text says what to do.
    """
    connection = current()
    body = {
        "source": source_json(source, column=column, recursive=recursive),
        "base": connection.base,
        "labels": None if labels is None else labels if isinstance(labels, str) else list(labels),
        "task": task,
        "title": title,
        "config": config,
        "keep": keep if keep is None or isinstance(keep, bool) else file_path(keep),
    }
    result = connection.call("POST", "projects", body)
    for sentence in result["notes"]:
        print(sentence)  # noqa: T201 - for the user of the notebook
    made = Project(connection, result["project"])
    if predictions is not None:
        made.add_predictions(predictions, "predictions")
    made.show_card()
    return made


def project(title_or_id: str | int) -> Project:
    """Return a project by its title or number, also one that was made in Label Studio.

    Raises Problem if there is none, or if several have the title.
    """
    connection = current()
    if not isinstance(title_or_id, str):
        route = f"projects/{int(title_or_id)}"
        return Project(connection, connection.call("GET", route)["project"])
    every = projects()
    found = [each for each in every if each.title == title_or_id]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(str(each.id) for each in found)
        raise Problem(
            f"{len(found)} projects have the title {title_or_id!r}.",
            f"Their numbers are {numbers}.",
            f"Choose one by its number, for example {found[0].id}.",
        )
    titles = [each.title for each in every]
    listed = ", ".join(map(repr, titles[:20]))
    close = difflib.get_close_matches(title_or_id, titles)
    raise Problem(
        f"There is no project with the title {title_or_id!r}.",
        f"There are {listed}." if listed else "There is no project yet.",
        f"Did you mean {' or '.join(map(repr, close))}?"
        if close
        else "Correct the title, or make a project with `label`.",
    )


def projects() -> list[Project]:
    """Return all projects, newest first, also those that were made in Label Studio."""
    connection = current()
    return [
        Project(connection, fields) for fields in connection.call("GET", "projects")["projects"]
    ]


def connect(url: str | None = None, token: str | None = None) -> Any:
    """Return a `label_studio_sdk.LabelStudio` that is signed in; starts Label Studio.

    Without arguments it is the Label Studio of this notebook, terminal or script, through the
    gateway's socket. Nothing needs to be configured, and no key is used.

    url:   of a Jupyter server on another machine, for example `https://hub.example/user/ada/`, as a
           browser shows it. `label`, `project` and `projects` then use that server, too, until the
           next `connect`. Relative paths are then relative to Jupyter's root folder.
    token: Jupyter's token on that server.

    Where the SDK is not installed, `label`, `project` and `projects` work all the same, and every
    use of the returned object raises a Problem that says how to install it.

    Raises `labelstudio_proxy.Problem`, whose text says what to do.
    """
    connection = connections.local() if url is None else connections.remote(url, token)
    connection.start()
    client = sdk_client(connection)
    use(None if url is None else connection)
    return client


def use(connection: connections.Connection | None) -> None:
    """Let this process use `connection`; None: the Label Studio of this notebook."""
    global _connection
    _connection = connection


def current() -> connections.Connection:
    """Return the connection that this process uses."""
    return _connection or connections.local()
