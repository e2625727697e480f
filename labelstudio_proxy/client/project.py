"""A project, as users have it in Python."""

from __future__ import annotations

import os
import time
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..problem import Problem
from . import card, frames, notebook
from .browser import open_in_browser
from .connection import Connection
from .predictions import prediction_rows
from .progress import progress
from .source import source_json

if TYPE_CHECKING:
    import pandas as pd

POLL_SECONDS = 1.0  # between looks at what people have labelled


class Project:
    """A project of Label Studio, over a folder or table of the notebook.

    `label`, `project` and `projects` return it. In a notebook it shows itself as a card, with a
    button that opens it. Every method raises `labelstudio_proxy.Problem` if it fails, for example
    because the project was deleted; its text says what to do.
    """

    def __init__(self, connection: Connection, fields: dict[str, Any]) -> None:
        self._connection = connection
        self._fields = fields
        self._card: tuple[int, Any] | None = None  # the cell that has it, and its handle

    @property
    def id(self) -> int:
        """The number of the project in Label Studio."""
        number: int = self._fields["id"]
        return number

    @property
    def title(self) -> str:
        """The title of the project."""
        return str(self._fields["title"])

    @property
    def url(self) -> str:
        """The path under Jupyter that shows the items one after the other, to label them."""
        return str(self._fields["url"])

    @property
    def task(self) -> str:
        """What there is to do, for example `image-classification`; "" with an own `config`."""
        return str(self._fields["task"])

    @property
    def keep(self) -> str:
        """The path of the file that has the labels at any time; "" if there is none."""
        return str(self._now()["keep"])

    @property
    def total(self) -> int:
        """The number of items, now."""
        total: int = self._now()["total"]
        return total

    @property
    def labelled(self) -> int:
        """The number of labelled items, now."""
        labelled: int = self._now()["labelled"]
        return labelled

    def _now(self) -> dict[str, Any]:
        self._fields = self._connection.call("GET", f"projects/{self.id}")["project"]
        return self._fields

    def add(self, source: Any, *, column: str | None = None, recursive: bool = True) -> int:
        """Add the items of `source` that the project does not have yet; return how many.

        `source`, `column` and `recursive`: as for `label`. Raises Problem.
        """
        body = {
            "source": source_json(source, column=column, recursive=recursive),
            "base": self._connection.base,
        }
        result = self._connection.call("POST", f"projects/{self.id}/items", body)
        self._fields = result["project"]
        added: int = result["added"]
        return added

    def to_dataframe(self, unlabelled: bool = False) -> pd.DataFrame:
        """Return the labels as a pandas DataFrame: a row for each labelled item, or each region.

        unlabelled: add rows for items without a label, and the column `skipped`.

        The documentation describes the columns: `docs/projects.md`. Raises Problem.
        """
        messages = self._connection.messages(
            "GET", f"projects/{self.id}/rows?unlabelled={unlabelled:d}"
        )
        tables: list[dict[str, Any]] = []
        about: dict[str, Any] = {}
        for message in messages:
            if "rows" in message:
                tables.append(message)
            else:
                about |= message
        if "count" not in about:
            raise Problem("Not all labels arrived.", "The gateway stopped meanwhile.", "Try again.")
        return frames.to_dataframe(tables, about["index_names"], about["index_types"])

    def add_predictions(
        self,
        predictions: Any,
        model_version: str,
        *,
        column: str = "label",
        score: str = "score",
    ) -> int:
        """Show a model's output to people, who correct it instead of labelling; return its items.

        predictions:   a DataFrame, or a list of dicts: a row for each item, or for each region. A
                       Series or dict from items to labels works too. The columns are those of
                       `to_dataframe`; items are named by `task_id`, `file`, text or index.
        model_version: a name. What an item has of the same version already is replaced.
        column:        the column with the labels.
        score:         the column with the scores, from 0 to 1.

        Checks everything before the first prediction is added. Raises Problem with the row.
        """
        body = {
            "model_version": model_version,
            "rows": prediction_rows(predictions, column),
            "column": column,
            "score": score,
            "base": self._connection.base,
        }
        result = self._connection.call("POST", f"projects/{self.id}/predictions", body)
        self._fields = result["project"]
        predicted: int = result["predicted"]
        return predicted

    def export(self, format: str, folder: str | PurePath, *, pictures: bool = True) -> Path:
        """Write the labels into a new folder; return its path.

        format:   one of Label Studio's, such as `JSON`, `CSV`, `COCO`, `YOLO` or `VOC`; or
                  `imagefolder`, a folder for each label, as torchvision and Hugging Face read it.
        folder:   relative to the notebook, or absolute. It is new, or empty.
        pictures: with the pictures, where the format has them.

        The folder is written whole or not at all. Raises Problem.
        """
        body = {
            "format": format,
            "folder": os.path.expanduser(os.fspath(folder)),  # noqa: PTH111 - a remote one, too
            "pictures": pictures,
            "base": self._connection.base,
        }
        result = self._connection.call("POST", f"projects/{self.id}/export", body)
        return Path(result["folder"])

    def wait(self, labelled: int | None = None) -> Project:
        """Wait until people have labelled so many items (default: all); return the project.

        Shows the progress; a notebook then shows the project's card. Ctrl-C, or the stop button of the
        notebook, ends it with KeyboardInterrupt.
        Label Studio may stop in between, for example when nobody uses it.
        """
        with progress() as show:
            fields = self._now()
            while True:
                goal = fields["total"] if labelled is None else min(labelled, fields["total"])
                done: int = fields["labelled"]
                if done >= goal:
                    return self
                show(done, goal, f"{done} of {goal} labelled")
                time.sleep(POLL_SECONDS)
                if self._connection.runs():  # else nobody labels
                    fields = self._now()

    def open(self) -> None:
        """Open the project in a tab of JupyterLab, or in the browser.

        In a notebook this also shows a button, since some browsers open nothing without a click. On a
        terminal it prints the address.
        """
        if notebook.is_here():
            card.open_in_notebook(self._fields, self._connection.server)
            return
        address = self._connection.address(self.url)
        if not urlsplit(address).netloc:
            raise Problem(
                "The browser cannot be opened from here.",
                "The address of the Jupyter server is not known.",
                f"Open `{self.url}` on that server.",
            )
        print(address)  # noqa: T201 - for a terminal without a browser
        open_in_browser(address)

    def __repr__(self) -> str:
        """Return the title and the counts, as of the last look."""
        fields = self._fields
        return f"<Project {self.id} {self.title!r}: {fields['labelled']} of {fields['total']} labelled>"

    def show_card(self) -> None:
        """Show the card below the cell; nothing outside of a notebook."""
        if notebook.is_here():
            self._card = notebook.cell_number(), notebook.show(self._repr_html_())

    def _ipython_display_(self) -> None:
        """Bring the card of this cell up to date, instead of a second one below it."""
        if self._card is None or self._card[0] != notebook.cell_number():
            raise NotImplementedError  # IPython then shows `_repr_html_`
        notebook.replace(self._card[1], self._repr_html_())

    def _repr_html_(self) -> str:
        """Return the card that a notebook shows; it also says why the numbers are not those of now."""
        try:
            route = f"projects/{self.id}?summary=1"
            self._fields = self._connection.call("GET", route)["project"]
        except Problem as problem:
            return card.html(self._fields, self._connection.server, problem)
        return card.html(self._fields, self._connection.server)
