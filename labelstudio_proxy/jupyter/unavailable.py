"""What users and programs get while the gateway cannot serve their request."""

from __future__ import annotations

import base64
import functools
import hashlib
from html import escape
from pathlib import Path
from string import Template

from tornado import web

from ..problem import Problem, as_html

RELOAD_SECONDS = 2

_PACKAGE = Path(__file__).parents[1]
# Complete in itself: the gateway, which serves the other pages and their files, does not run.
_PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="robots" content="noindex">
  $reload
  <title>$heading</title>
  <link rel="icon" href="$icon">
  <script data-prefix="$prefix">$script</script>
  <style>$style</style>
</head>
<body>
<main data-state="$state">
  <header>
    <img class="icon" src="$icon" alt="">
    <h1>$heading</h1>
  </header>
  $content
</main>
</body>
</html>
""")
_FAILED = Template("""<section id="error">
    <p>$why</p>
    <h2>What to do</h2>
    <p>$remedy</p>
  </section>
  <div class="actions"><a class="button primary" href="">Try again</a></div>
""")


class GatewayUnavailable(web.HTTPError):
    """Raised for a request that the gateway cannot serve."""

    def __init__(self, problem: Problem, status: int = 503, *, passing: bool = False) -> None:
        """`passing`: it ends soon, so the page reloads until then."""
        super().__init__(status, problem.as_sentence())
        self.problem = problem
        self.passing = passing

    def page(self, prefix: str) -> str:
        """Return the page for a user. `prefix`: the gateway's path in browsers, with a slash at either end."""
        why, remedy = as_html(self.problem.why), as_html(self.problem.remedy)
        if self.passing:
            reload = f'<meta http-equiv="refresh" content="{RELOAD_SECONDS}">'
            content = f'<p id="sentence">{why} {remedy}</p>'
        else:
            reload = ""
            content = _FAILED.substitute(why=why, remedy=remedy)
        return _PAGE.substitute(
            heading=escape(self.problem.what.removesuffix(".")),
            state="preparing" if self.passing else "notice",
            reload=reload,
            content=content,
            icon=_icon(),
            prefix=escape(prefix),
            script=_own_file("theme.js"),
            style=_own_file("start.css"),
        )


def page_policy() -> str:
    """Return the page's content security policy without `frame-ancestors`."""
    script, style = _digest("theme.js"), _digest("start.css")
    return (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; "
        "base-uri 'none'"
    )


@functools.cache
def _own_file(name: str) -> str:
    return (_PACKAGE / "gateway" / "static" / name).read_text("utf-8")


@functools.cache
def _digest(name: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(_own_file(name).encode()).digest()).decode()


@functools.cache
def _icon() -> str:
    icon = (_PACKAGE / "static" / "labelstudio.svg").read_bytes()
    return f"data:image/svg+xml;base64,{base64.b64encode(icon).decode()}"
