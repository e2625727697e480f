"""The JSON of the REST API below `<base_url>api/labelstudio`: docs/rest-api.md.

`scripts/make-api-types` makes the types of the JupyterLab extension from this file. Times are Unix times in
seconds. Paths are absolute, unless a field says otherwise.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

StateName = Literal[
    "stopped", "preparing", "pulling", "installing", "starting", "ready", "stopping", "failed"
]
StepState = Literal["next", "current", "done", "failed"]
Medium = Literal["image", "text", "audio", "video", "time-series"]

# ---- State


class Problem(TypedDict):
    """An error to show to the user. Commands and names are in `backticks`; `why` and `remedy` may be ""."""

    what: str
    why: str
    remedy: str


class Step(TypedDict):
    """One step of a start."""

    id: str
    title: str
    state: StepState
    detail: str
    seconds: float | None


class StepProgress(TypedDict):
    """How much of the current step is done."""

    done: int
    total: int


class Holder(TypedDict):
    """The server that holds the lock on the data directory."""

    user: str
    host: str
    server: str
    since: float
    address: str


class HolderWithAction(Holder):
    """A holder. `action`: the label of the button that takes over from it; "" for none."""

    action: str


class Offer(TypedDict):
    """Earlier data that a first start can use, if the user chooses to."""

    folder: str


class Action(TypedDict):
    """A button that the state offers. `command`: the route to POST to, as for `start`."""

    command: str
    label: str


class Details(TypedDict, total=False):
    """The fields that an error adds to the state."""

    holder: HolderWithAction
    offer: Offer
    installed: bool
    actions: list[Action]


class Snapshot(TypedDict):
    """The state of Label Studio at one moment.

    since:      when this state began.
    versions:   of labelstudio-proxy and, once known, of Label Studio and what runs it.
    backend:    "process", "docker", or "" before the first start.
    ready_after: seconds that the start took.
    stopped_because: a sentence, if no user asked for the stop.
    installed:  False if the last start found no Label Studio.
    actions:    more buttons for this state; the first one helps most.
    next_start: when Label Studio restarts after a crash; None if it does not.
    notices:    sentences to show to the user, about what does not prevent a start.
    """

    state: StateName
    since: float | None
    steps: list[Step]
    progress: StepProgress | None
    versions: dict[str, str]
    backend: str
    started_at: float | None
    now: float
    ready_after: float | None
    restarts: int
    restart_reasons: dict[str, int]
    stopped_because: str
    error: Problem | None
    holder: HolderWithAction | None
    offer: Offer | None
    installed: bool
    actions: list[Action]
    next_start: float | None
    notices: list[str]


class Instance(TypedDict):
    """Which Label Studio a Jupyter server has.

    prefix:  the path of its pages in browsers, with a slash at either end.
    new_browser_tab: whether its pages open in a tab of the browser, not of JupyterLab.
    """

    data_dir: str
    prefix: str
    new_browser_tab: bool


class State(Snapshot, Instance):
    """The data of the event `state`."""


LogLine = tuple[int, str]  # its number, and its text


class SnapshotWithLog(Snapshot):
    """A snapshot, with the last lines of Label Studio's log.

    address: the URL at which a browser last opened Label Studio; "" if none has.
    """

    address: str
    log: list[LogLine]


class StateWithLog(SnapshotWithLog, Instance):
    """The answer to `GET ""`."""


class StateWithMemory(StateWithLog):
    """The answer to `GET "?memory=1"`. `memory`: bytes; None if Label Studio does not run."""

    memory: int | None


# ---- Projects


class Project(TypedDict):
    """A project.

    path:    of its labelling page, below the prefix, without a slash before it.
    url:     the same with the prefix.
    task:    a name of `labelling.tasks`; "" for an own labelling interface.
    source:  what the project was made over, such as {"kind": "folder", "path": …}; {} if it was made in
             Label Studio.
    keep:    the file that keeps the labels; "" for none.
    keep_problem: why that file is not up to date; "" if it is.
    """

    id: int
    title: str
    path: str
    url: str
    task: str
    total: int
    labelled: int
    labels: list[str]
    source: dict[str, Any]
    keep: str
    keep_problem: str
    new_browser_tab: bool


class Projects(TypedDict):
    """The answer to `GET projects`, and the data of the event `projects`; newest first."""

    projects: list[Project]


class LabelledItem(TypedDict):
    """A recently labelled item. `image`: the URL of its picture, or ""."""

    labels: list[str]
    image: str
    text: str
    url: str


class Summary(TypedDict):
    """`label_counts`: the most frequent label first. `last`: the newest label first."""

    label_counts: dict[str, int]
    last: list[LabelledItem]


class ProjectWithSummary(Project, Summary):
    """A project with what its card shows."""


class OneProject(TypedDict):
    """The answer to `GET projects/<id>`."""

    project: Project


class OneProjectWithSummary(TypedDict):
    """The answer to `GET projects/<id>?summary=1`."""

    project: ProjectWithSummary


class Failed(TypedDict):
    """The response to a request that failed, and the last line of a stream that failed."""

    error: Problem


# ---- What is in a folder, or in the selected files


class LookRequest(TypedDict, total=False):
    """The body of `POST source`: a folder as `path`, or files as `paths`.

    Both are relative to Jupyter's root folder, or absolute.
    """

    path: str
    paths: list[str]


class FolderSource(TypedDict):
    """A folder with its subfolders, or a pattern."""

    kind: Literal["path"]
    path: str


class FilesSource(TypedDict):
    """A list of files."""

    kind: Literal["list"]
    values: list[str]


class TaskChoice(TypedDict):
    """A task that fits some of the files. `count`: how many."""

    name: str
    medium: Medium
    needs_labels: bool
    count: int


class FoundProject(TypedDict):
    """The project that was made over a source. `new`: how many files are not in it yet."""

    id: int
    title: str
    path: str
    url: str
    task: str
    labels: list[str]
    keep: str
    new: int


class Look(TypedDict):
    """What is in a folder or in files, for the dialog that makes a project.

    source, base: for `POST projects`; `base` is the folder in which labels are kept.
    title:   of a new project.
    media:   how many files of each medium there are.
    others:  how many files have another suffix.
    tasks:   those that fit; the suggested one first.
    labels:  of the existing project, or the names of the subfolders that sort the files.
    keep:    the setting `keep_labels`; "" for none.
    project: None if there is none, or if `project_known` is False because the database cannot be read.
    notes:   sentences about what is left out.
    """

    source: FolderSource | FilesSource
    base: str
    title: str
    media: dict[Medium, int]
    others: int
    tasks: list[TaskChoice]
    labels: list[str]
    keep: str
    project: FoundProject | None
    project_known: bool
    notes: list[str]


# ---- Make and export: each line of the response is one of these objects


class MakeOptions(TypedDict, total=False):
    """`base`: the folder of relative paths; without it, Jupyter's root folder.

    keep: the name of a file, relative to the source's folder; False for none.
    """

    base: str
    title: str
    task: str
    labels: list[str]
    config: str
    keep: str | bool


class MakeRequest(MakeOptions):
    """The body of `POST projects`."""

    source: FolderSource | FilesSource


class Progress(TypedDict):
    """How much is done, of how much (0 if that is not known), and in `what` the work."""

    done: int
    total: int
    what: str


class ProgressLine(TypedDict):
    """A line before the last one."""

    progress: Progress


class Made(TypedDict):
    """The last line of `POST projects`. `added`: items. `notes`: sentences about what is left out."""

    project: Project
    added: int
    notes: list[str]


class ExportOptions(TypedDict, total=False):
    """`pictures`: whether to include the pictures, where the format has them; True by default."""

    base: str
    pictures: bool


class ExportRequest(ExportOptions):
    """The body of `POST projects/<id>/export`. `folder`: a new or empty folder."""

    format: str
    folder: str


class Exported(TypedDict):
    """The last line of `POST projects/<id>/export`. `files`: how many the folder has."""

    folder: str
    files: int


class Format(TypedDict):
    """A format of an export. `name`: for `ExportRequest`. `pictures`: whether it can include them."""

    name: str
    title: str
    description: str
    pictures: bool


class Formats(TypedDict):
    """The answer to `GET projects/<id>/formats`."""

    formats: list[Format]
