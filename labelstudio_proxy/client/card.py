"""The card of a project in a notebook: title, progress, labels, and a button that opens it.

The styles are inline, since a saved notebook keeps nothing else. Colours are those of JupyterLab's
theme; other front ends show their own text colour.
"""

from __future__ import annotations

import json
import time
from html import escape
from typing import Any
from urllib.parse import urljoin

from ..problem import Problem, as_html
from . import notebook

# The command of jupyter-server-proxy's JupyterLab extension that opens a page in a tab.
OPEN_COMMAND = "server-proxy:open"
LABELS = 10  # on a card
# A saved notebook, opened later, must not open the project again.
OPEN_SECONDS = 60

GREY = "color:var(--jp-ui-font-color2,inherit);"
ACCENT = "#c8431d"  # readable below white text
TRACK = "background:var(--jp-layout-color2,rgba(128,128,128,.3));"
FONT = "font-family:var(--jp-ui-font-family,sans-serif);color:var(--jp-ui-font-color1,inherit);"
CARD = (
    "box-sizing:border-box;max-width:36em;padding:14px 16px;margin:2px;border-radius:8px;"
    "border:1px solid var(--jp-border-color2,rgba(128,128,128,.4));"
    f"font-size:13px;line-height:1.5;{FONT}"
)
BUTTON = (
    f"flex:none;padding:5px 16px;border-radius:4px;background:{ACCENT};color:#fff;"
    "text-decoration:none;font-weight:600"
)
CUT = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap;"
TILE = (
    "display:block;box-sizing:border-box;width:72px;height:72px;border-radius:4px;overflow:hidden;"
    f"{TRACK}"
)


def html(fields: dict[str, Any], server: str = "", problem: Problem | None = None) -> str:
    """Return the card of a project as HTML.

    server: the address of a Jupyter server other than the notebook's. problem: why the numbers are
    not those of now; without one, the card says what keeps the labels out of their file.
    """
    title = f'<div style="font-size:15px;font-weight:600;{CUT}">{escape(fields["title"])}</div>'
    head = f'<div style="min-width:0">{title}<div style="{GREY}">{_state(fields)}</div></div>'
    word = "Open" if fields["labelled"] >= fields["total"] else "Label"
    row = "display:flex;gap:16px;align-items:center;justify-content:space-between"
    parts = [f'<div style="{row}">{head}{_link(fields, server, escape(word), BUTTON)}</div>']
    bar = _bar(fields["labelled"], fields["total"])
    parts.append(f'<div style="margin-top:10px">{bar}</div>')
    said = problem.as_sentence() if problem else fields.get("keep_problem")
    if said:
        parts.append(f'<div style="margin-top:8px">{as_html(said)}</div>')
    parts.append(_counts(fields.get("label_counts") or {}))
    if not server:  # the browser has no cookie for another one
        parts.append(_last(fields))
    return f'<div style="{CARD}">{"".join(parts)}</div>'


def progress_html(done: float, total: float, what: str) -> str:
    """Return a bar, without one if `total` is 0, and what is done now."""
    bar = ""
    if total:
        bar = f'<div style="flex:none;width:12em">{_bar(done, total)}</div>'
    style = "display:flex;gap:12px;align-items:center;padding:4px;font-size:13px;" + FONT
    return f'<div style="{style}">{bar}<div>{escape(what)}</div></div>'


def open_in_notebook(fields: dict[str, Any], server: str = "") -> None:
    """Show a link and click it, as far as the browser lets a page open another one."""
    mark = f"labelstudio-open-{fields['id']}-{time.time_ns()}"
    until = round((time.time() + OPEN_SECONDS) * 1000)
    script = f"if (Date.now() < {until}) document.querySelector('#{mark} a').click()"
    style = f"{FONT}{BUTTON};display:inline-block"
    link = _link(fields, server, f"Open {escape(fields['title'])}", style)
    notebook.show(f'<div id="{mark}" style="padding:4px">{link}</div><script>{script}</script>')


def _state(fields: dict[str, Any]) -> str:
    done, total = fields["labelled"], fields["total"]
    task = f"{escape(fields['task'])} · " if fields["task"] else ""
    return f"{task}{done:,} of {total:,} labelled"


def _bar(done: float, total: float) -> str:
    share = 100 * min(1.0, done / total) if total else 0
    filled = f'<div style="width:{share:.1f}%;height:6px;background:{ACCENT}"></div>'
    return f'<div style="height:6px;border-radius:3px;overflow:hidden;{TRACK}">{filled}</div>'


def _counts(counts: dict[str, int]) -> str:
    if not counts:
        return ""
    shown = list(counts.items())[:LABELS]
    parts = [
        f'<span style="max-width:100%;{CUT}">{escape(label)} '
        f'<b style="font-variant-numeric:tabular-nums">{count:,}</b></span>'
        for label, count in shown
    ]
    if more := len(counts) - len(shown):
        parts.append(f'<span style="{GREY}">and {more:,} more</span>')
    style = "display:flex;flex-wrap:wrap;gap:2px 18px;margin-top:10px"
    return f'<div style="{style}">{"".join(parts)}</div>'


def _last(fields: dict[str, Any]) -> str:
    """Return the last labels, each with its picture or the begin of its text."""
    last = fields.get("last") or []
    if not last:
        return ""
    tiles = "".join(_tile(fields, item) for item in last)
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px;margin-top:10px">{tiles}</div>'


def _tile(fields: dict[str, Any], item: dict[str, Any]) -> str:
    label = escape(", ".join(item["labels"]) or "no label")
    if item["image"]:
        content = (
            f'<img src="{escape(item["image"])}" alt="" loading="lazy" decoding="async" '
            f'style="{TILE}margin:0;object-fit:cover">'
        )
    else:
        content = (
            f'<span style="{TILE}padding:4px 6px;font-size:10px;line-height:1.3;'
            f'overflow-wrap:anywhere">{escape(item["text"])}</span>'
        )
    caption = f'<span style="display:block;font-size:11px;{CUT}">{label}</span>'
    style = "display:block;width:72px;color:inherit;text-decoration:none"
    target = {**fields, "url": item["url"]}
    return _link(target, "", content + caption, style, title=f"{label}: {escape(item['text'])}")


def _link(fields: dict[str, Any], server: str, content: str, style: str, *, title: str = "") -> str:
    """Return a link that opens `url` of a project, in a browser tab or in a tab of JupyterLab."""
    url = urljoin(server, fields["url"])
    attributes = f'href="{escape(url)}" target="_blank" rel="noopener" style="{style}"'
    if title:
        attributes += f' title="{title}"'
    if not server and not fields["new_browser_tab"]:
        arguments = {
            "id": f"labelstudio:{url}",
            "title": fields["title"],
            "url": url,
            "newBrowserTab": False,
        }
        attributes += (
            f' data-commandlinker-command="{OPEN_COMMAND}"'
            f' data-commandlinker-args="{escape(json.dumps(arguments))}"'
            # Notebook 7 does not have the command, and would do nothing.
            ' onclick="if (document.body.dataset.notebook) event.stopPropagation()"'
        )
    return f"<a {attributes}>{content}</a>"
