"""An error that people can mend: what happened, why probably, what to do."""

from __future__ import annotations

import re
from html import escape

from . import api_types


class Problem(Exception):
    """Raised for an error that a person can mend; the start page shows its three parts.

    what:   what happened, one sentence.
    why:    the probable reason.
    remedy: what to do; commands stand in `backticks`. The page highlights the button that it names:
            "try again" only if that helps. A changed setting needs "restart Jupyter".
    """

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the three parts: a traceback in a notebook shows them."""
        return self.as_sentence()

    def as_sentence(self) -> str:
        """Return the three parts in one line, for a log or the command line."""
        parts = [part for part in (self.what, self.why, self.remedy) if part]
        # The words of another program may end without a full stop.
        ended = [part if part.endswith((".", "!", "?")) else f"{part}." for part in parts]
        return " ".join(ended)

    def as_json(self) -> api_types.Problem:
        """Return the three parts, for the start page and for programs."""
        return {"what": self.what, "why": self.why, "remedy": self.remedy}

    def details_as_json(self) -> api_types.Details:
        """Return more fields for the JSON of the state, beside `error`; subclasses may add some."""
        return {}


def as_html(text: str) -> str:
    """Return a sentence of a Problem escaped, with `code` in backticks as an element."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(text))


def unexpected(what: str, error: Exception) -> Problem:
    """Return the Problem for an `error` that only a bug in labelstudio-proxy can cause."""
    return Problem(
        what,
        f"An error that labelstudio-proxy did not expect: {type(error).__name__}: {error}",
        "Try again. If it happens again, use Copy diagnostics and report it; the log of Jupyter has "
        "the details.",
    )
