"""The interface of a backend: prepare, launch, wait, stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from .. import api_types
from ..label_studio.build import Build
from ..label_studio.exit_reasons import explain_exit
from ..label_studio.upstream import Endpoint
from ..problem import Problem


class Report(Protocol):
    """A backend reports its progress to it; the start page shows that."""

    def __call__(
        self,
        step: str,
        *,
        detail: str | None = None,
        done: int | None = None,
        total: int | None = None,
    ) -> None:
        """`step`: an id of `Backend.steps`; `detail`: text to show beside it; `done` of `total`."""


class NoRestart(Problem):
    """Label Studio is not restarted after it: the stop was intended, or would happen again."""


class NotInstalled(Problem):
    """There is no Label Studio to run."""

    def __init__(self, what: str, why: str, remedy: str, *, can_install: bool) -> None:
        """`can_install`: whether the page offers to install it."""
        super().__init__(what, why, remedy)
        self.can_install = can_install

    def details_as_json(self) -> api_types.Details:
        """Return the fields that say so in the JSON of the state."""
        install: api_types.Action = {"command": "install", "label": "Install Label Studio"}
        return {"installed": False, "actions": [install] if self.can_install else []}


class InstallFailed(Problem):
    """Label Studio could not be installed; the next attempt continues with what was downloaded."""

    def details_as_json(self) -> api_types.Details:
        """Return the fields that offer another attempt."""
        again: api_types.Action = {"command": "install", "label": "Try again"}
        return {"installed": False, "actions": [again]}


def install_cancelled() -> Problem:
    """Return the Problem for a user who cancelled the installation."""
    return InstallFailed(
        "The installation was cancelled.",
        "",
        "Try again whenever you like: it continues with what was downloaded.",
    )


class Paused(NoRestart):
    """Paused by someone else: Label Studio stays paused and keeps the data directory."""


@dataclass(frozen=True)
class Owner:
    """The account that the first start makes. Nothing needs the password afterwards."""

    email: str
    password: str
    name: str = ""  # that Label Studio shows; empty: the e-mail address

    def variables(self) -> dict[str, str]:
        """Return the environment variables from which the start makes the account."""
        return {
            "LABEL_STUDIO_USERNAME": self.email,
            "LABEL_STUDIO_PASSWORD": self.password,
            "LABELSTUDIO_PROXY_OWNER_NAME": self.name,
        }


class Backend(ABC):
    """One way to run Label Studio. An instance runs it once; a restart makes a new instance.

    The supervisor calls `prepare`, `launch` and `wait` in this order, one at a time. It may call
    `stop` at any moment, also while another method runs, and again if it failed.
    """

    name: ClassVar[str]
    # The steps of a start, in order: id and title.
    steps: ClassVar[tuple[tuple[str, str], ...]]

    def __init__(self, report: Report, log: Callable[[str], None]) -> None:
        """`log` receives each line that Label Studio prints."""
        self.report = report
        self.log = log
        self.versions: dict[str, str] = {}
        self.build = Build()
        self.notices: list[str] = []  # for users, after `launch`
        self.engine_url = ""  # of a container engine; `prepare` sets it

    @abstractmethod
    async def prepare(self) -> None:
        """Find everything that a start needs; raises Problem if something is missing."""

    @abstractmethod
    async def launch(self, owner: Owner | None, *, background: bool) -> Endpoint:
        """Start Label Studio and return where it will respond; raises Problem.

        `owner` is the account to make, or None if there are accounts. `background`: no user waits,
        so run with low priority until the first response.
        """

    async def remove_leftover(self) -> None:  # noqa: B027 - a child process ends with its parent
        """Stop what an earlier gateway left running; raises Problem."""

    async def on_first_response(self) -> None:  # noqa: B027 - optional
        """Called once, when Label Studio has sent its first response."""

    @abstractmethod
    async def memory(self) -> int | None:
        """Return the bytes of memory that Label Studio uses; None if that is not known."""

    @abstractmethod
    async def wait(self) -> str:
        """Wait until Label Studio ends; return how, for example `exit status 1`."""

    def explain(self, how: str, tail: Sequence[str]) -> Problem:
        """Return why Label Studio ended; `how`: from `wait`, `tail`: the last lines it printed."""
        return explain_exit(
            how, tail, self.how_to_install("--force-reinstall label-studio gunicorn")
        )

    @abstractmethod
    def how_to_install(self, requirements: str) -> str:
        """Return what a person must do to get a Label Studio; `requirements`: pip's arguments."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop Label Studio, by force if needed; return when nothing of it runs; raises Problem."""

    @abstractmethod
    async def detach(self) -> bool:
        """Release Label Studio at once, when Jupyter was killed or a start follows.

        Return True if it keeps running for the next start to find. A child process does not.
        """
