"""Which objects in S3 fit a task, by their suffix: the gateway does not read them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...labelling.files import OTHER_KIND, Files, LeftOut
from ...labelling.tasks import SUFFIXES, Task, guess_task, medium_of
from ...problem import Problem

NOT_FOUND = "Label Studio finds no object with `?` in its key"
# With `?` in a key, Label Studio takes the rest for a query. It drops control characters.
LOST = re.compile(r"[?\x00-\x1f]")
# Objects that a project cannot use without their content. By medium.
READ = {
    "text": ("texts", "Read them into a DataFrame, and give that: `label(frame, column=…)`."),
    "time-series": ("time series", "Write a `config` with a `<Channel>` for each column."),
}


def fitting(
    names: Sequence[str], where: str, task: Task | None, *, own_interface: bool
) -> tuple[Task, Files]:
    """Return the objects that fit a task, in their order; raises Problem if there are none.

    names: keys or URIs. where: the place of the objects, for messages. task: None to guess it.
    """
    if not any(map(medium_of, names)):
        raise Problem(
            f"None of the objects in {where} can be labelled.",
            f"Label Studio shows {', '.join(SUFFIXES)}, by the suffix of the key.",
            "Name other objects.",
        )
    task = task or guess_task(names)
    if task.medium in READ and not own_interface:
        what, remedy = READ[task.medium]
        raise Problem(f"The {what} in {where} cannot be labelled there.", "", remedy)
    found, left_out = [], dict[str, LeftOut]()
    for name in names:
        fault = OTHER_KIND if medium_of(name) != task.medium else LOST.search(name) and NOT_FOUND
        if fault:
            left_out.setdefault(fault, LeftOut()).add(name)
        else:
            found.append(name)
    if not found:
        raise Problem(
            f"There is nothing for {task.name} in {where}.",
            f"It has {len(names):,} objects, for example {names[0]}.",
            f"Name other objects, or another `task`. This one is for "
            f"{', '.join(sorted(task.suffixes))}.",
        )
    return task, Files(where, found, left_out)
