"""The interface behind which Label Studio runs: prepare, launch, wait, stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ..label_studio.build import Build
from ..label_studio.exit_reasons import explain_exit
from ..label_studio.upstream import Endpoint
from ..problem import Problem


class Report(Protocol):
    """Told by a backend how far it is; the start page shows it."""

    def __call__(
        self,
        step: str,
        *,
        detail: str | None = None,
        done: int | None = None,
        total: int | None = None,
    ) -> None:
        """`step`: an id of `Backend.steps`; `detail`: what to show beside it; `done` of `total`."""


class NotAgain(Problem):
    """After which Label Studio is not started again by itself: somebody meant it, or it recurs."""


class Held(NotAgain):
    """Somebody keeps Label Studio from working: it is left so, and goes on having the data."""


@dataclass(frozen=True)
class Owner:
    """The account to make at a first start; the password is needed by nobody afterwards."""

    email: str
    password: str


class Backend(ABC):
    """One way to run Label Studio.

    The supervisor calls `prepare`, `launch`, then `wait` and `stop`, in this order and never two of
    them at once, save that `stop` may come at any time, and more than once. An instance runs Label
    Studio once: a restart makes a new one. What could not be stopped may be stopped again, or left.
    """

    name: ClassVar[str]
    # (id, title) in the order in which a start goes through them
    steps: ClassVar[tuple[tuple[str, str], ...]]

    def __init__(self, report: Report, log: Callable[[str], None]) -> None:
        """`report` takes progress, `log` takes each line that Label Studio prints."""
        self.report = report
        self.log = log
        self.versions: dict[str, str] = {}
        self.build = Build()
        self.engine_url = ""  # set by `prepare` where there is a container engine

    @abstractmethod
    async def prepare(self) -> None:
        """Find what is needed; raises Problem if it is not there."""

    @abstractmethod
    async def launch(self, owner: Owner | None, *, background: bool) -> Endpoint:
        """Start Label Studio and say where it will answer; raises Problem.

        `owner` is the account to make, None where the data directory has accounts. `background`:
        nobody waits for it, so let the machine's other programs go first until it answers.
        """

    async def end_leftover(self) -> None:  # noqa: B027 - what is a child ends with its parent
        """End what a gateway before this one may have left running; raises Problem."""

    async def answered(self) -> None:  # noqa: B027 - not every backend has something to do
        """Label Studio has given its first answer."""

    @abstractmethod
    async def wait(self) -> str:
        """Wait until Label Studio has ended; says how, for example `exit status 1`."""

    def explain(self, how: str, tail: Sequence[str]) -> Problem:
        """Why it ended as `wait` said; `tail`: the last lines it printed."""
        return explain_exit(how, tail)

    @abstractmethod
    async def stop(self) -> None:
        """End Label Studio gracefully, then by force; back when nothing of it runs any more."""

    @abstractmethod
    async def leave(self) -> bool:
        """Let go of Label Studio without delay: Jupyter was killed, or the next start sees to it.

        Gives whether it goes on, for that start to find; what is a child does not.
        """
