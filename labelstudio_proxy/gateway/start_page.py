"""The page that users see while Label Studio is not ready, or does not let them in.

Pure functions from a snapshot to HTML that is complete without JavaScript. `static/start.js` keeps it
up to date. Only the data are inline, so that the page can have a strict Content-Security-Policy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Literal

from ..problem import Problem, as_html

_PAGE = Template((Path(__file__).parent / "templates" / "start.html").read_text("utf-8"))
# Also rendered once without text, as the <template> from which start.js makes steps
_STEP = Template(
    '<li data-state="$state"$current><span class="mark" aria-hidden="true"></span>'
    '<span class="title">$title</span><span class="word">$word</span>'
    '<span class="time">$time</span><span class="detail">$detail</span>'
    '<progress aria-label="$title"$value></progress><span class="count">$count</span></li>\n'
)
_ACTION = {
    "get": Template('<a class="button $rank" href="$url">$label</a>\n'),
    "post": Template('<button type="button" class="$rank" data-post="$url">$label</button>\n'),
}
# For browsers without scripts. Not when failed or stopped: a reload would start Label Studio
_REFRESH = '<noscript><meta http-equiv="refresh" content="3"></noscript>'

# The template's fields that some pages leave empty
_PARTS = (
    *("actions", "elapsed", "facts", "flags", "refresh", "sentence", "steps"),
    *("take_over", "there"),
)

# The heading and the sentence of each state; start.js gets them with the page
_WORDS = {
    "stopped": ("Label Studio is not running", "Your projects and annotations are saved."),
    "preparing": ("Starting Label Studio…", ""),
    "pulling": ("Starting Label Studio…", "The image is downloaded only once."),
    "installing": ("Installing Label Studio…", "This happens only once."),
    "starting": ("Starting Label Studio…", ""),
    "ready": ("Opening Label Studio…", "Label Studio is ready."),
    "stopping": ("Stopping Label Studio…", "This takes a few seconds."),
    "failed": ("Label Studio could not be started", ""),
    "ended": ("Label Studio stopped working", ""),  # failed, after it was ready
    # failed, because another server uses the data directory
    "elsewhere": ("Label Studio is running on another server", ""),
    # failed, because there is no Label Studio
    "missing": ("Label Studio is not installed", ""),
    # failed, because the user must choose the data of a first start
    "offer": ("Which data should Label Studio use?", ""),
    # failed, with an automatic restart: after it was ready, and before
    "waiting": ("Restarting Label Studio…", "It restarts automatically within a minute."),
    "trying": ("Label Studio could not be started", "The next attempt is within a minute."),
}
_STEP_WORDS = {"done": "done", "current": "in progress", "next": "to do", "failed": "failed"}


@dataclass(frozen=True)
class Action:
    """A link on a notice, or a button that posts and then reloads the page."""

    label: str
    url: str
    method: Literal["get", "post"] = "get"

    def helps(self, remedy: str) -> bool:
        """Return True if the remedy of a Problem names this action."""
        return self.label.lower() in remedy.lower()


def render_start_page(snapshot: Mapping[str, Any], prefix: str) -> str:
    """Return the page for the state `snapshot`, which is the JSON of `_proxy/state`.

    `prefix`: the gateway's path in browsers, with a slash at either end. The page opens Label Studio
    by reloading itself, so serve it at the requested URL, without a redirect.
    """
    state, started = snapshot["state"], snapshot["started_at"]
    waiting = snapshot["next_start"] is not None
    elapsed = None if started is None else max(0, int(snapshot["now"] - started))
    holder = snapshot.get("holder") or {"action": "", "address": ""}
    there = holder["address"] if holder["address"].startswith(("http:", "https:")) else ""
    error = snapshot["error"] or {}
    flags = {
        "held": holder["action"],
        "offer": snapshot.get("offer"),
        "reachable": there,
        "ran": snapshot["ready_after"] is not None,
        "retry": not snapshot.get("actions")
        and Action("Try again", "").helps(error.get("remedy", "")),
    }
    facts = " · ".join(map(" ".join, snapshot["versions"].items()))
    return _render(
        prefix,
        state,
        _words(snapshot)[0],
        error,
        {"prefix": prefix, "words": _WORDS, "stepWords": _STEP_WORDS, "snapshot": snapshot},
        sentence=escape(_sentence(snapshot)),
        refresh="" if state in ("stopped", "failed") and not waiting else _REFRESH,
        elapsed=_duration(elapsed),
        steps="".join(_step(step, snapshot["progress"]) for step in snapshot["steps"]),
        facts=escape(facts),
        flags="".join(f" data-{name}" for name, is_set in flags.items() if is_set),
        take_over=escape(holder["action"]),
        there=escape(there),
    )


def render_notice_page(problem: Problem, prefix: str, actions: Sequence[Action] = ()) -> str:
    """Return a page with the three parts of `problem`.

    The first action that the remedy names is primary.
    """
    primary = next((action for action in actions if action.helps(problem.remedy)), None)
    shown = (
        _ACTION[action.method].substitute(
            rank="primary" if action is primary else "",
            url=escape(action.url),
            label=escape(action.label),
        )
        for action in actions
    )
    heading = problem.what.removesuffix(".")
    error = {"why": problem.why, "remedy": problem.remedy}
    return _render(prefix, "notice", heading, error, actions="".join(shown))


def _render(
    prefix: str, state: str, heading: str, error: Mapping[str, str], data: Any = None, **html: str
) -> str:
    page = _PAGE.substitute(
        dict.fromkeys(_PARTS, "") | html,
        prefix=escape(prefix),
        state=escape(state),
        heading=escape(heading),
        blank_step=_step({"state": "next", "title": ""}, None),
        # Only "<" can end the script element or open a comment in it
        data=json.dumps(data).replace("<", "\\u003c"),
        **{part: as_html(error.get(part, "")) for part in ("what", "why", "remedy")},
    )
    # A file name that is not valid UTF-8 has lone surrogates, which cannot be encoded
    return page.encode("utf-8", "replace").decode("utf-8")


def _words(snapshot: Mapping[str, Any]) -> tuple[str, str]:
    if snapshot["next_start"] is not None:
        return _WORDS["trying" if snapshot["ready_after"] is None else "waiting"]
    if (snapshot.get("holder") or {}).get("action"):
        return _WORDS["elsewhere"]
    if snapshot.get("offer"):
        return _WORDS["offer"]
    if snapshot["state"] == "failed" and not snapshot.get("installed", True):
        return _WORDS["missing"]
    ended = snapshot["state"] == "failed" and snapshot["ready_after"] is not None
    return _WORDS["ended" if ended else snapshot["state"]]


def _sentence(snapshot: Mapping[str, Any]) -> str:
    """Return the current and the next step as a text; `sentence` in start.js does the same."""
    texts = [snapshot["stopped_because"], _words(snapshot)[1]]
    now = [step["title"] for step in snapshot["steps"] if step["state"] == "current"]
    then = [step["title"] for step in snapshot["steps"] if step["state"] == "next"]
    if now and snapshot["state"] in ("preparing", "pulling", "installing", "starting"):
        following = f"Next: {then[0]}." if then else "It appears here in a moment."
        texts = [f"Now: {now[0]}.", following, *texts]
    return " ".join(filter(None, texts))


def _step(step: Mapping[str, Any], progress: Mapping[str, int] | None) -> str:
    current, value, count = step["state"] == "current", "", ""
    if current and progress and progress["total"] > 0:
        done, total = int(progress["done"]), int(progress["total"])
        value = f' value="{done}" max="{total}"'
        count = f"{done} of {total}" if total < 10_000 else f"{100 * done // total} %"  # of bytes
    return _STEP.substitute(
        state=escape(step["state"]),
        current=' aria-current="step"' if current else "",
        title=escape(step["title"]),
        word=_STEP_WORDS[step["state"]],
        time=_duration(step.get("seconds")),
        detail=escape(step.get("detail", "")),
        value=value,
        count=count,
    )


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
